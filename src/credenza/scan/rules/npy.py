"""Arrays of NumPy's own format: the header, and the pickle that an array of objects is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.npy import MAGIC, MOST_HEADER, data_size, holds_objects, read_header
from credenza.artifact.slices import Slice
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Said, Seen

_PLAIN: Final = re.compile(rb"[\s\w{}()\[\],:'\"<>|=.+-]*")
"""What numpy writes: a dict of names, numbers and truth values, and field names in any language."""


@final
@dataclass(frozen=True, slots=True)
class NpyObjects:
    """Finds headers that numpy does not write, and hands on the pickles behind honest ones."""

    name: str = "npy"

    def claims(self, piece: Piece) -> bool:
        return piece.head(len(MAGIC)) == MAGIC

    def examine(self, piece: Piece) -> Iterator[Seen]:
        try:
            header = read_header(piece)
        except MalformedError as e:
            yield from _bad_header(piece, e)
            return
        if holds_objects(header.descr):
            rest = Slice(piece.content, header.stop, piece.size - header.stop)
            yield piece.member("objects", rest, said=Said.PICKLE)
            return
        size = data_size(header)
        if size is None:
            return
        stop = header.stop + size
        if stop > piece.size:
            yield Unread(where=Where(start=header.stop), why="the array's bytes are cut off")
        elif stop < piece.size:  # `numpy.load` leaves an open file there, for the next to load
            yield piece.member("behind the array", Slice(piece.content, stop, piece.size - stop))


def _bad_header(piece: Piece, error: MalformedError) -> Iterator[Seen]:
    """A header that is cut off is unread; one with code in it is hostile.

    numpy refuses it, and whatever evaluates it in another way runs it. What follows it may still
    be a pickle, so that is looked at.
    """
    yield Unread(where=error.finding.where, why=error.finding.what)
    version = piece.head(12)[len(MAGIC) : len(MAGIC) + 1]
    width = 2 if version == b"\x01" else 4
    start = len(MAGIC) + 2 + width
    if piece.size < start:
        return
    length = int.from_bytes(piece.pread(start - width, width), "little")
    text = piece.pread(start, min(length, MOST_HEADER, piece.size - start))
    if b"(" in text and re.search(rb"\w\s*\(|__|lambda", text) and length <= piece.size:
        yield Finding(
            rule="scan.npy-header",
            severity=Severity.HIGH,
            what="the header of an array calls something where numpy writes a literal",
            where=error.finding.where,
            found="a call",
        )
    stop = start + length
    if stop < piece.size:
        yield piece.member("behind the header", Slice(piece.content, stop, piece.size - stop))
