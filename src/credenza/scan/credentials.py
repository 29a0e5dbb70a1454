"""Keys and tokens in texts: few kinds, each exact, with the check digits where it has them.

What is found is masked: a report that repeats a secret spreads it.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from credenza.findings import Finding, Severity, Where
from credenza.scan.interface import Piece

_CHUNK: Final = 4 << 20
_LONGEST: Final = 256
"""No sign of a secret that is looked for is longer."""
_MOST: Final = 20
_MOST_BYTES: Final = 32 << 20
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITS: Final = 3.0
"""Bits a character, from which letters and digits look drawn at random: words have less."""


@dataclass(frozen=True, slots=True)
class _Secret:
    what: str
    begins: bytes
    pattern: re.Pattern[bytes]
    holds: Callable[[str], bool]


def _random(text: str) -> bool:
    """Whether the characters look drawn at random; ``text`` without its prefix."""
    counts = Counter(text).values()
    bits = -sum(c / len(text) * math.log2(c / len(text)) for c in counts)
    return bits >= _BITS and "EXAMPLE" not in text.upper() and "XXXX" not in text.upper()


def _checked(text: str) -> bool:
    """The last six characters are the CRC-32 of the rest, in base 62.

    https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    """
    body, given = text[:-6], text[-6:]
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits == given


_START: Final = rb"(?<![A-Za-z0-9_])"
_END: Final = rb"(?![A-Za-z0-9_-])"
_SECRETS: Final = tuple(
    _Secret(what, begins, re.compile(_START + re.escape(begins) + rest + _END), holds)
    for what, begins, rest, holds in (
        ("a token of Hugging Face", b"hf_", rb"([A-Za-z]{34})", _random),
        ("a token of GitHub", b"ghp_", rb"([A-Za-z0-9]{36})", _checked),
        ("a token of GitHub", b"gho_", rb"([A-Za-z0-9]{36})", _checked),
        ("a token of GitHub", b"ghs_", rb"([A-Za-z0-9]{36})", _checked),
        ("a token of GitHub", b"github_pat_", rb"([A-Za-z0-9]{22}_[A-Za-z0-9]{59})", _random),
        ("a token of npm", b"npm_", rb"([A-Za-z0-9]{36})", _checked),
        ("a token of PyPI", b"pypi-AgEIcHlwaS5vcmc", rb"([A-Za-z0-9_-]{50,200})", _random),
        ("a token of GitLab", b"glpat-", rb"([A-Za-z0-9_-]{20})", _random),
        ("a key of Google", b"AIzaSy", rb"([A-Za-z0-9_-]{33})", _random),
        ("a key of AWS", b"AKIA", rb"([A-Z2-7]{16})", _random),
        ("a key of Stripe", b"sk_live_", rb"([A-Za-z0-9]{24,99})", _random),
        ("a key of Anthropic", b"sk-ant-", rb"([A-Za-z0-9_-]{80,120})", _random),
        ("a key of OpenAI", b"sk-proj-", rb"([A-Za-z0-9_-]{40,200})", _random),
        ("a token of Slack", b"xoxb-", rb"([0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9]{24})", _random),
    )
)
_PEM: Final = re.compile(
    rb"-----BEGIN ((?:RSA |EC |DSA |OPENSSH )?PRIVATE KEY)-----\s+(?:[A-Za-z-]+: [^\n]*\n)*\s*"
    rb"[A-Za-z0-9+/=\r\n]{64}"
)


def found(data: bytes, at: int = 0) -> Iterator[Finding]:
    """The secrets in some text that begins at byte ``at`` of a piece, masked."""
    if b"PRIVATE KEY-----" in data:
        for match in _PEM.finditer(data):
            yield _finding("a private key", match[1].decode(), at + match.start())
    for secret in _SECRETS:
        if secret.begins in data:
            for match in secret.pattern.finditer(data):
                body = match[1].decode()
                if secret.holds(body):
                    masked = f"{secret.begins.decode()}{body[:2]}…({len(match[0])})"
                    yield _finding(secret.what, masked, at + match.start())


def found_in(piece: Piece) -> Iterator[Finding]:
    """The secrets in the first 32 MiB of a piece."""
    seen: set[int | None] = set()
    size = min(piece.size, _MOST_BYTES)
    for start in range(0, size, _CHUNK):
        length = min(_CHUNK + _LONGEST, size - start)
        for finding in found(piece.pread(start, length), start):
            if finding.where.start not in seen and len(seen) < _MOST:
                seen.add(finding.where.start)
                yield finding


def _finding(what: str, masked: str, at: int) -> Finding:
    return Finding(
        rule="scan.secret",
        severity=Severity.MEDIUM,
        what=f"{what} is in the text",
        where=Where(start=at),
        found=masked,
    )
