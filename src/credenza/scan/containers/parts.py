"""Parts of files, which may be parts of others, and may be the same."""

from __future__ import annotations

from collections.abc import Iterator

from credenza.artifact.interface import Bytes
from credenza.artifact.slices import Slice
from credenza.scan.containers.spooled import Disk
from credenza.scan.interface import Budget, Piece


def part(file: Bytes, start: int, size: int) -> Slice:
    """``size`` bytes of a file from ``start`` on, read from where they lie in the end: what lies
    twelve archives deep is read as fast as what lies in one.
    """
    content = file.content if isinstance(file, Piece) else file
    if isinstance(content, Slice) and 0 <= start <= start + size <= content.size:
        return Slice(content.file, content.start + start, size)
    return Slice(content, start, size)


def once(piece: Piece, budget: Budget) -> Iterator[Piece]:
    """The piece, where nobody has looked at it yet.

    Archives within archives that share their bytes lead to one place by more ways with each level.
    """
    content = piece.content
    is_kept = isinstance(content, Slice) and not isinstance(
        content.file, Disk
    )  # whose file it holds
    if not is_kept or budget.is_new(piece):
        yield piece
