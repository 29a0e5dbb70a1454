"""Archives and images that nothing here opens. Each is said: an attacker picks one for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Unread, Where
from credenza.scan.interface import Budget, Piece, Said, Seen

MAGICS: Final = (
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"MSCF\0\0\0\0", "a Cabinet archive"),
    (0, b"MSWIM\0\0\0", "a Windows image"),
    (0, b"hsqs", "a SquashFS image"),
    (0, b"sqsh", "a SquashFS image"),
    (0, b"!<arch>\n", "an ar archive (.deb, .a)"),
    (0, b"\xed\xab\xee\xdb", "an RPM package"),
    (0, b"070701", "a cpio archive"),
    (0, b"070702", "a cpio archive"),
    (0, b"070707", "a cpio archive"),
    (0, b"\xc7\x71", "a cpio archive"),
    (0, b"LZIP\x01", "an lzip stream"),
    (0, b"\x89LZO\0\r\n\x1a\n", "an lzop stream"),
    (0, b"\x1f\x9d", "a compress (.Z) stream"),
    (0, b"\x1f\xa0", "a compress (.Z) stream"),
    (0, b"\xff\x06\0\0sNaPpY", "a Snappy stream"),
    (0, b"\x02\x21\x4c\x18", "a legacy lz4 stream"),
    (0, b"xar!", "a xar archive"),
    (0, b"QFI\xfb", "a QCOW disk image"),
    (0, b"vhdxfile", "a VHDX disk image"),
    (0, b"KDMV", "a VMDK disk image"),
    (0, b"zPQ", "a ZPAQ archive"),
    (0, b"7kSt", "a ZPAQ archive"),
    (2, b"-lh", "an LHA archive"),
    (2, b"-lz", "an LHA archive"),
    (7, b"**ACE**", "an ACE archive"),
    (0x8001, b"CD001", "an ISO 9660 image"),
    (0x438, b"\x53\xef", "an ext disk image"),
)
"""Where, what, and what that is (the magic database of file(1))."""
_HEAD: Final = 16
_SHORT: Final = 4
_NAMES: Final = (".iso", ".img", ".ext4", ".cpio", ".z", ".lzh", ".lha")
_DMG: Final = 512


@final
@dataclass(frozen=True, slots=True)
class Unopened:
    """Claims what is known and not opened. A magic of two or three bytes counts by name only."""

    name: str = "unopened archive"

    def claims(self, piece: Piece) -> bool:
        return piece.said != Said.DATA and _kind(piece) != ""

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:  # noqa: ARG002  the interface's
        yield Unread(where=Where(), why=f"{_kind(piece)}, which is not opened here")


def _kind(piece: Piece) -> str:
    head = piece.head(_HEAD)
    for at, magic, kind in MAGICS:
        stop = at + len(magic)
        found = head[at:stop] if stop <= _HEAD else _within(piece, at, stop)
        if found == magic and (len(magic) >= _SHORT or piece.path.lower().endswith(_NAMES)):
            return kind
    if _within(piece, piece.size - _DMG, piece.size - _DMG + 8) == b"koly\0\0\0\x04":
        return "an Apple disk image"
    return ""


def _within(piece: Piece, start: int, stop: int) -> bytes:
    return piece.pread(start, stop - start) if 0 <= start < stop <= piece.size else b""
