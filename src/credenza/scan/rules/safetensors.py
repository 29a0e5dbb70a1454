"""safetensors: whatever has two readings, and what a header should not carry.

The reader refuses each thing that two parsers read differently; only a file that was cut short,
or has element types newer than the reader, is merely unread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.safetensors import SUFFIX, Safetensors
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.configs.members import leaves
from credenza.scan.interface import Piece, Said, Seen
from credenza.scan.rules.payload import payload
from credenza.scan.rules.refusals import refused

_BROKEN: Final = frozenset(
    ("safetensors-truncated", "safetensors-dtype", "safetensors-outside", "safetensors-json")
)
_LFS: Final = b"version https://git-lfs"
_READER: Final = Safetensors()


@final
@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """Reads the whole header, its metadata and the names of its tensors."""

    name: str = "safetensors"

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA:
            return False
        return piece.path.lower().endswith(SUFFIX) or _READER.claims(piece)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.head(len(_LFS)) == _LFS:
            yield Unread(where=Where(), why="it stands for a file that Git did not fetch")
            return
        try:
            file = _READER.read(piece)
        except MalformedError as e:
            yield from _carried(piece)
            broken = _BROKEN if _has_room(piece) else _BROKEN - {"safetensors-truncated"}
            yield from refused(e, broken)
            return
        for name, text in file.metadata:
            yield from payload(name, text)
        for tensor in file.tensors:
            if leaves(tensor.name) or "\0" in tensor.name:
                yield Finding(
                    rule="scan.config-path",
                    severity=Severity.HIGH,
                    what="a tensor's name is a path that leads elsewhere",
                    where=Where(tensor=ascii(tensor.name)[1:120]),
                    found=ascii(tensor.name)[1:120],
                )


def _has_room(piece: Piece) -> bool:
    """Whether the length of the header is one that its reader would take."""
    return piece.size < 8 or int.from_bytes(piece.head(8), "little") <= 100_000_000


def _carried(piece: Piece) -> Iterator[Seen]:
    """A program in a header that cannot be read as one."""
    data = piece.pread(0, min(piece.size, 1 << 16))
    yield from payload("header", data[8:].decode("latin-1"))
