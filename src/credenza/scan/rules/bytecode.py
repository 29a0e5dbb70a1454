"""Compiled Python. It is recognised and never unmarshalled: that alone can crash an interpreter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Finding, Severity, Where
from credenza.scan.interface import Piece, Seen

SUFFIXES: Final = (".pyc", ".pyo")
_CACHED: Final = re.compile(r"(^|/)__pycache__/[^/]+\.pyc$")
_MOST: Final = 4 << 20
_NAMES: Final = (
    *(b"subprocess", b"system", b"popen", b"Popen", b"exec", b"eval", b"socket", b"urlopen"),
    *(b"marshal", b"pickle", b"b64decode", b"ctypes", b"__import__", b"requests", b"execve"),
)
_UNCHECKED: Final = 1


@final
@dataclass(frozen=True, slots=True)
class Bytecode:
    """A file in ``__pycache__`` is a copy of a source; one elsewhere is imported without any.

    A header of Python 3.7 and later is four bytes of version, of which the last two are CR LF, then
    flags (PEP 552).
    """

    name: str = "python bytecode"

    def claims(self, piece: Piece) -> bool:
        return piece.path.lower().endswith(SUFFIXES) or _has_header(piece)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        named = piece.path.lower().endswith(SUFFIXES)
        cached = named and _CACHED.search(piece.path) is not None
        if not named:
            what = "compiled Python, under a name that does not say so"
        elif not cached:
            what = "compiled Python without its source"
        elif _has_header(piece) and piece.pread(4, 1)[0] & 3 == _UNCHECKED:
            cached, what = False, "compiled Python that is run without a look at its source"
        else:
            what = "compiled Python, which need not be what its source says"
        yield Finding(
            rule="scan.bytecode",
            severity=Severity.MEDIUM if cached else Severity.HIGH,
            what=what,
            where=Where(start=0),
            found=", ".join(_names(piece)) or "code that names nothing known",
        )


def _has_header(piece: Piece) -> bool:
    """Python 3.7 to 3.15: 3390 to 3699 (``Include/internal/pycore_magic_number.h``)."""
    head = piece.head(17)
    if len(head) < 17 or head[2:4] != b"\r\n":
        return False
    number = int.from_bytes(head[:2], "little")
    flags = int.from_bytes(head[4:8], "little")
    return 3390 <= number < 3700 and flags in (0, 1, 3) and head[16] & 0x7F == ord("c")


def _names(piece: Piece) -> Iterator[str]:
    """Which telling names are in it, as marshal writes them: a type, a length, the letters."""
    data = piece.head(_MOST)
    for name in _NAMES:
        if any(bytes([t, len(name)]) + name in data for t in b"\xda\xfazZ"):
            yield name.decode()
