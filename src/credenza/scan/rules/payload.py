"""Text of a header that begins as a program does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from credenza.findings import Finding, Severity

_PROGRAM: Final = re.compile(
    r"(?P<elf>\x7fELF)|(?P<pe>MZ.{30,200}(?:This program|\x00PE))"
    r"|(?P<pickle>\A(?:\x80[\x02-\x05]|[c(]\w+\n\w+\n|gA[JMNQRSTU]))|(?P<script>\A\s*(?:#!|<script|<\?php))",
    re.DOTALL,
)
_BASE64: Final = re.compile(r"(?:f0VMR|TVqQAAMAAAAE|gASV|gAWV|gAJ9|gAN9)[A-Za-z0-9+/=]{40,}")
_LOOKED_AT: Final = 1 << 20


def payload(name: str, text: str) -> Iterator[Finding]:
    """A finding where the text is, or holds, an executable, a pickle or a script."""
    part = text[:_LOOKED_AT]
    match = _PROGRAM.search(part)
    kind = match.lastgroup if match else "base64" if _BASE64.search(part) else None
    if kind is None:
        return
    script = kind == "script"
    yield Finding(
        rule="scan.header-payload",
        severity=Severity.LOW if script else Severity.HIGH,
        what="the header carries what begins as a program does",
        found=f"{ascii(name)[1:60]}: {kind}",
    )
