"""Pictures, sound and documents beside a model: recognised, and not looked into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.scan.interface import Piece, Seen

_MAGICS: Final = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"%PDF-", b"OggS", b"fLaC"),
    *(b"ID3", b"\0\0\1\0\1\0", b"II*\0", b"MM\0*", b"\x1aE\xdf\xa3", b"wOFF", b"wOF2"),
)
_RIFF: Final = (b"WAVE", b"WEBP", b"AVI ")


@final
@dataclass(frozen=True, slots=True)
class Media:
    """By their first bytes. They hold no code that a loader of models would run."""

    name: str = "media (recognised, not read)"

    def claims(self, piece: Piece) -> bool:
        head = piece.head(16)
        if head.startswith(_MAGICS):
            return True
        if head[:4] == b"RIFF":
            return head[8:12] in _RIFF
        return head[4:8] == b"ftyp"  # ISO/IEC 14496-12: MP4, HEIF, AVIF

    def examine(self, piece: Piece) -> Iterator[Seen]:  # noqa: ARG002  nothing is looked at
        yield from ()
