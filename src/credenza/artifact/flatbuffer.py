"""FlatBuffers: tables of a file, each read where it is asked for and bounds-checked.

https://flatbuffers.dev/internals/. Tables refer to each other by offsets, so that one may be
reached in many ways: what is read in all is held under what a file of its size can mean, lest a
small file be made to unfold into a large one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, final

from credenza.artifact.interface import Bytes
from credenza.artifact.window import Window
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where

LONGEST_TEXT: Final = 1 << 16
"""In bytes: how long a name may be."""

_SMALLEST_SLOT: Final = 4  # bytes: what refers to a table
_FREE: Final = 1 << 16


@final
@dataclass(slots=True)
class Source:
    """A file of flatbuffers, and how much of it has been read."""

    window: Window
    tables: int = 0
    read: int = 0

    @classmethod
    def of(cls, file: Bytes) -> Source:
        """One of which nothing has been read."""
        return cls(Window(file))

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self.window.size

    def number(self, at: int, code: str) -> Any:
        """The number at that byte, of that `struct` code, little-endian."""
        width = struct.calcsize(code)
        self.check(at, width)
        return struct.unpack("<" + code, self.window.read(at, width))[0]

    def check(self, at: int, length: int) -> None:
        """Refuse what does not lie in the file."""
        if at < 0 or at + length > self.size:
            what, wanted = "an offset leads out of the file", f"{length} bytes at {at}"
            self.refuse("flatbuffer-outside", max(0, at), what, wanted, f"{self.size} in all")

    def count_table(self, at: int) -> None:
        """Count a table, each time that it is reached."""
        self.tables += 1
        if self.tables * _SMALLEST_SLOT > self.size + _FREE:
            what, wanted = "tables are used over and over", f"up to {self.size // _SMALLEST_SLOT}"
            self.refuse("flatbuffer-shared", at, what, wanted, f"{self.tables}")

    def take(self, at: int, length: int) -> bytes:
        """Bytes of the header, counted."""
        self.check(at, length)
        self.count_bytes(at, length)
        return self.window.read(at, length)

    def count_bytes(self, at: int, length: int) -> None:
        """Count bytes, each time that they are read."""
        self.read += length
        if self.read > 2 * self.size + _FREE:
            what, wanted = "texts and shapes are used over and over", f"up to {2 * self.size} bytes"
            self.refuse("flatbuffer-shared", at, what, wanted, f"{self.read}")

    def refuse(self, rule: str, at: int, what: str, expected: str, found: str) -> NoReturn:
        """Refuse the file for what is at that byte."""
        raise MalformedError(
            Finding(
                rule=f"artifact.{rule}",
                severity=Severity.HIGH,
                what=what,
                where=Where(file=self.window.file.path, start=at),
                expected=expected,
                found=found or "nothing",
            )
        )


@final
@dataclass(frozen=True, slots=True)
class Table:
    """A table at byte ``at``: where its fields are is said by the vtable at ``vtable``."""

    source: Source
    at: int
    size: int
    vtable: int
    entries: int

    @classmethod
    def read(cls, source: Source, at: int) -> Table:
        """The table there. Raises `MalformedError` where there is none."""
        source.count_table(at)
        if at % 4:
            what, wanted = "a table is not aligned", "a multiple of 4"
            source.refuse("flatbuffer-table", at, what, wanted, f"{at}")
        vtable = at - source.number(at, "i")
        length, size = source.number(vtable, "H"), source.number(vtable + 2, "H")
        if vtable % 2 or length < 4 or length % 2 or size < 4:
            what, found = "a table is none", f"{length} and {size} bytes at {vtable}"
            source.refuse("flatbuffer-table", at, what, "its size, and that of its vtable", found)
        source.check(vtable, length)
        source.check(at, size)
        return cls(source, at, size, vtable, (length - 4) // 2)

    def number(self, field: int, code: str, default: int = 0) -> Any:
        """A number of the table itself, of that `struct` code."""
        at = self._place(field, struct.calcsize(code))
        return default if at is None else self.source.number(at, code)

    def text(self, field: int) -> str:
        """A string; empty where it is not given."""
        found = self.vector(field, 1)
        if found is None:
            return ""
        start, count = found
        if count > LONGEST_TEXT:
            what, wanted = "a text is too long", f"up to {LONGEST_TEXT} bytes"
            self.source.refuse("flatbuffer-text", start, what, wanted, f"{count}")
        data = self.source.take(start, count + 1)
        if data[count]:
            what, found_ = "a text does not end", data[count:].hex()
            self.source.refuse("flatbuffer-text", start + count, what, "00", found_)
        try:
            return data[:count].decode()
        except UnicodeDecodeError as e:
            what, held = "a text is not UTF-8", data[e.start : e.end].hex(" ")
            self.source.refuse("flatbuffer-text", start + e.start, what, "UTF-8", held)

    def vector(self, field: int, width: int) -> tuple[int, int] | None:
        """Where a vector's elements begin, and how many they are; None where it is not given."""
        at = self._target(field)
        if at is None:
            return None
        count: int = self.source.number(at, "I")
        self.source.check(at + 4, count * width)
        return at + 4, count

    def numbers(self, field: int, most: int) -> tuple[int, ...] | None:
        """A vector of int32; None where there are over ``most``."""
        start, count = self.vector(field, 4) or (0, 0)
        if count > most:
            return None
        return struct.unpack(f"<{count}i", self.source.take(start, 4 * count))

    def tables(self, field: int) -> Iterator[Table]:
        """A vector of tables, one by one."""
        start, count = self.vector(field, 4) or (0, 0)
        for at in range(start, start + 4 * count, 4):
            yield Table.read(self.source, at + self.source.number(at, "I"))

    def has(self, field: int) -> bool:
        """Whether a field is given."""
        return self._place(field, 1) is not None

    def _target(self, field: int) -> int | None:
        at = self._place(field, 4)
        return None if at is None else at + int(self.source.number(at, "I"))

    def _place(self, field: int, width: int) -> int | None:
        """Where a field of that width is; None where the table does not have it."""
        if field >= self.entries:
            return None
        offset: int = self.source.number(self.vtable + 4 + 2 * field, "H")
        if not offset:
            return None
        if offset < 4 or offset + width > self.size:
            what, wanted = "a field does not lie in its table", f"4 to {self.size - width}"
            self.source.refuse("flatbuffer-table", self.at, what, wanted, f"{offset}")
        return self.at + offset
