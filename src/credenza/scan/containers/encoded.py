"""A file that is nothing but the base64 or hex of something that a loader knows."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.spooled import Spool
from credenza.scan.interface import Budget, Piece, Said, Seen

_HEAD: Final = 256
_STEP: Final = 1 << 20
_SPACE: Final = b" \t\r\n"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]*={0,2}")
_HEX: Final = re.compile(rb"[0-9a-fA-F]*")
_MAGICS: Final = re.compile(
    rb"\x80\x04\x95|\x80\x05\x95|\x80[\x02\x03][c(\]}X)]"  # a pickle
    rb"|PK\x03\x04|\x1f\x8b\x08|BZh[1-9]1AY&SY|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|\x28\xb5\x2f\xfd"
    rb"|\x93NUMPY|\x89HDF\r\n|GGUF|\x7fELF|MZ[\x90\x00\x80]\x00|Rar!\x1a|x\x9c[^ -~]"
)


@final
@dataclass(frozen=True, slots=True)
class Encoded:
    """Decodes a text whose first bytes are those of a format, once decoded."""

    name: str = "encoded text"

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA or piece.size < 16:
            return False
        return _decoder(piece.head(_HEAD)) != ""

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        kind = _decoder(piece.head(_HEAD))
        spool = Spool(piece.content.path, budget)
        why = ""
        try:
            for data in _decoded(piece, kind):
                spool.write(data)
        except (binascii.Error, ValueError) as e:
            why = f"it begins as {kind} and is none to its end: {e}"
        yield Finding(
            rule="scan.encoded",
            severity=Severity.LOW,
            what=f"a text that is the {kind} of a file which loaders know",
            found=kind,
        )
        yield piece.member(f"({kind})", spool.end())
        if why:
            yield Unread(where=Where(), why=why)


def _decoder(head: bytes) -> str:
    """``hex`` or ``base64`` where a known format comes out of the first bytes; empty if not."""
    text = head.translate(None, _SPACE)
    if _HEX.fullmatch(text) and _MAGICS.match(binascii.unhexlify(text[: len(text) // 2 * 2])):
        return "hex"
    if _BASE64.fullmatch(text) and _MAGICS.match(_plain(text[: min(len(text), 64) // 4 * 4])):
        return "base64"
    return ""


def _plain(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.replace(b"-", b"+").replace(b"_", b"/"))
    except binascii.Error:
        return b""


def _decoded(piece: Piece, kind: str) -> Iterator[bytes]:
    """The content, piece by piece. Raises `ValueError` where the text is something else."""
    unit = 2 if kind == "hex" else 4
    pattern = _HEX if kind == "hex" else _BASE64
    rest = b""
    for at in range(0, piece.size, _STEP):
        data = piece.pread(at, min(_STEP, piece.size - at))
        text = rest + data.translate(None, _SPACE)
        if not pattern.fullmatch(text):
            raise ValueError(f"another character between bytes {at} and {at + len(data)}")
        whole = len(text) // unit * unit
        rest = text[whole:]
        yield binascii.unhexlify(text[:whole]) if kind == "hex" else _plain(text[:whole])
    if rest and kind == "base64":
        yield _plain(rest + b"=" * (-len(rest) % 4))
