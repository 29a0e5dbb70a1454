"""The bytes of an HDF5 file: each structure is read once, inside the file, and overlaps no other.

What is claimed once cannot be claimed again, so no chain of addresses can lead in a circle, and
all that is read of a file together is no more than its size.
"""

from __future__ import annotations

import bisect
from typing import Final, NoReturn

from credenza.artifact.hdf5.checksum import lookup3
from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.findings import Where

UNDEFINED: Final = (1 << 64) - 1
"""The address of nothing (section I.A, "Introduction")."""
_OFFSET: Final = 8
_MOST_NOTED: Final = 200


class Cursor:
    """A run of bytes that is read from front to back. ``start`` is its first byte's address."""

    def __init__(self, source: Source, start: int, data: bytes) -> None:
        self.source = source
        self.start = start
        self.data = data
        self.position = 0

    @property
    def at(self) -> int:
        """The address of the next byte."""
        return self.start + self.position

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, length: int) -> bytes:
        """The next bytes. Raises where the structure ends before."""
        if length > self.left:
            self.refuse("hdf5-truncated", "a structure ends within a field", length, self.left)
        self.position += length
        return self.data[self.position - length : self.position]

    def unsigned(self, length: int) -> int:
        """The next bytes as a little-endian number."""
        return int.from_bytes(self.take(length), "little")

    def address(self) -> int:
        """An offset in the file, or `UNDEFINED`."""
        return self.unsigned(_OFFSET)

    def padded(self, length: int) -> bytes:
        """The next bytes, and those behind them up to a multiple of 8."""
        piece = self.take(length)
        self.take(-length % 8)
        return piece

    def part(self, length: int) -> Cursor:
        """The next bytes as a run of their own."""
        start = self.at
        return Cursor(self.source, start, self.take(length))

    def expect(self, value: bytes, what: str, rule: str) -> None:
        """Raises where other bytes come than ``value``: a signature, a version."""
        at = self.at
        found = self.take(min(len(value), self.left))
        if found != value:
            self.source.refuse(rule, f"no {what}", at, _shown(value), _shown(found))

    def refuse(self, rule: str, what: str, expected: object = "", found: object = "") -> NoReturn:
        """Raise `BrokenPickleError` by that rule, at the next byte."""
        raise self.refusal(rule, what, expected, found)

    def refusal(
        self, rule: str, what: str, expected: object = "", found: object = ""
    ) -> BrokenPickleError:
        return self.source.refusal(rule, what, self.at, str(expected), str(found))


class Source:
    """A file of which every structure is claimed as it is read.

    ``base`` is where in the file on disk it begins, which addresses may count from. Where
    ``noted`` is a list, what is wrong and does not keep from reading on is put there and not
    raised: for who wants to know all that is wrong.
    """

    def __init__(
        self, file: Bytes, *, base: int = 0, noted: list[BrokenPickleError] | None = None
    ) -> None:
        self.file = file
        self.base = base
        self.noted = noted
        self._starts: list[int] = []
        self._stops: list[int] = []

    def block(self, start: int, length: int, what: str) -> Cursor:
        """A structure of the file, claimed and read."""
        self.claim(start, length, what)
        return Cursor(self, start, self.file.pread(start, length))

    def claim(self, start: int, length: int, what: str) -> None:
        """Take a run of bytes for one structure or dataset.

        Raises `BrokenPickleError` where it leaves the file or overlaps what was claimed before.
        """
        self._check_inside(start, length, what)
        i = bisect.bisect_right(self._starts, start)
        overlaps = (i > 0 and self._stops[i - 1] > start) or (
            i < len(self._starts) and self._starts[i] < start + length
        )
        if overlaps:
            self.refuse("hdf5-overlap", f"{what} lies over another structure", start)
        if length:
            self._starts.insert(i, start)
            self._stops.insert(i, start + length)

    def peek(self, start: int, length: int, what: str) -> Cursor:
        """The beginning of a structure whose length stands in it; not claimed."""
        self._check_inside(start, length, what)
        return Cursor(self, start, self.file.pread(start, length))

    def _check_inside(self, start: int, length: int, what: str) -> None:
        if start + length > self.file.size:
            stop = f"up to byte {self.file.size}"
            found = f"{length} bytes at {start}"
            self.refuse("hdf5-outside", f"{what} lies outside the file", start, stop, found)

    def check_sum(self, block: Cursor) -> None:
        """The last 4 bytes of a block are the lookup3 hash of those before them."""
        expected, found = lookup3(block.data[:-4]), int.from_bytes(block.data[-4:], "little")
        if expected != found:
            where = block.start + len(block.data) - 4
            what = "a structure differs from its checksum"
            self.refuse("hdf5-checksum", what, where, f"{expected:08x}", f"{found:08x}")

    def refuse(
        self, rule: str, what: str, at: int, expected: str = "", found: str = ""
    ) -> NoReturn:
        raise self.refusal(rule, what, at, expected, found)

    def note(self, rule: str, what: str, at: int, expected: str = "", found: str = "") -> None:
        """As `refuse`, of something without which the rest can be read."""
        if self.noted is None or len(self.noted) >= _MOST_NOTED:
            self.refuse(rule, what, at, expected, found)
        self.noted.append(self.refusal(rule, what, at, expected, found))

    def refusal(
        self, rule: str, what: str, at: int, expected: str = "", found: str = ""
    ) -> BrokenPickleError:
        where = Where(file=self.file.path, start=at)
        return broken(rule, f"hdf5: {what}", where, expected=expected, found=found)


def _shown(data: bytes) -> str:
    return ascii(data)[1:]
