"""A ZIP archive as a streaming reader finds it: by local headers, without a directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from struct import Struct
from typing import Final, final

from credenza.artifact.zip_records import LOCAL_MAGIC, Local, local_header
from credenza.artifact.zips import DESCRIPTOR, STORED
from credenza.findings import Unread, Where
from credenza.scan.containers.zip_members import PIECE, Opener, Reading
from credenza.scan.interface import Piece, Seen

_MOST_SEARCHED: Final = 64 << 20
"""How far members are searched for that no directory names."""
_MOST_MEMBERS: Final = 10_000
_FIRST_STEP: Final = 64
_DESCRIPTORS: Final = (Struct("<4sIII"), Struct("<4sIQQ"))
_DESCRIPTOR_MAGIC: Final = b"PK\x07\x08"


@final
class Walk:
    """Walks from one local header to the next."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.piece = opener.piece
        self.searched = 0

    def seen(self) -> Iterator[Seen]:
        """The members as a streaming reader finds them, by their local headers alone."""
        at = self._next_header(0)
        count = 0
        while at is not None:
            count += 1
            if count > _MOST_MEMBERS:
                self.searched = _MOST_SEARCHED
                break
            local = local_header(self.piece, at, self.piece.size, lambda _: None)
            if local is None:
                at = self._next_header(at + 4)
                continue
            member = _by_header(local, self.piece.size - local.data_start)
            if local.packed or not local.flags & DESCRIPTOR:
                yield from self.opener.open(member)
                stop = local.data_start + local.packed
                at = self._next_header(stop if stop <= self.piece.size else local.data_start)
                continue
            if local.method == STORED:
                stop = self._next_header(local.data_start) or self.piece.size
                size = self._without_descriptor(local.data_start, stop)
                yield from self._open_ended(replace(member, packed=size))
                at = stop if stop < self.piece.size else None
                continue
            yield from self._open_ended(member)
            at = self._next_header(local.data_start)
        if self.searched >= _MOST_SEARCHED:
            yield Unread(where=Where(), why="zip: members were searched for, and not to its end")
        self.opener.problems.clear()

    def _open_ended(self, member: Reading) -> Iterator[Seen]:
        """A member whose size nothing says: what comes out of it, without a word about sizes."""
        before = len(self.opener.problems)
        for seen in self.opener.open(member):
            if isinstance(seen, Piece):
                yield seen
        del self.opener.problems[before:]

    def _without_descriptor(self, start: int, stop: int) -> int:
        """How long a stored member is of which its descriptor alone says so (APPNOTE.TXT 4.3.9)."""
        for layout in _DESCRIPTORS:
            size = stop - start - layout.size
            if size >= 0:
                magic, _, packed, _ = layout.unpack(self.piece.pread(start + size, layout.size))
                if magic == _DESCRIPTOR_MAGIC and packed == size:
                    return size
        return stop - start

    def _next_header(self, at: int) -> int | None:
        """Where the next local header begins, from ``at`` on."""
        step = _FIRST_STEP
        while at < self.piece.size and self.searched < _MOST_SEARCHED:
            data = self.piece.pread(at, min(step + 3, self.piece.size - at))
            found = data.find(LOCAL_MAGIC)
            if found >= 0:
                return at + found
            at += step
            self.searched += step
            step = min(16 * step, PIECE)
        return None


def _by_header(local: Local, left: int) -> Reading:
    open_ended = local.flags & DESCRIPTOR and not local.packed
    return Reading(
        name=local.raw_name.decode("utf-8", "backslashreplace"),
        start=local.data_start,
        packed=left if open_ended else local.packed,
        size=local.size,
        crc=local.crc,
        method=local.method,
        flags=local.flags,
        is_link=False,
    )
