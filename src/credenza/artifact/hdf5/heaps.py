"""Heaps: names of old groups (local), strings of variable length (global), and what new groups
and objects with many attributes keep (fractal). Sections III.D, III.E and III.G.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from credenza.artifact.hdf5.source import UNDEFINED, Cursor, Source

_MANAGED: Final = 0
_TINY: Final = 2
_CHECKED: Final = 0x02
_MOST_HEAP_BITS: Final = 64
_MOST_INDIRECT: Final = 64


class LocalHeap:
    """The names in a group of the old kind."""

    def __init__(self, source: Source, address: int) -> None:
        header = source.block(address, 32, "a local heap")
        header.expect(b"HEAP\0\0\0\0", "local heap", "hdf5-heap")
        size = header.unsigned(8)
        header.take(8)  # the head of the free list
        self._segment = source.block(header.address(), size, "a local heap's data")
        self._named = 0

    def name(self, offset: int) -> str:
        """The text at ``offset``, up to its NUL. All names asked for together fit into the heap."""
        data, start = self._segment.data, self._segment.start
        stop = data.find(b"\0", offset)
        if offset >= len(data) or stop < 0:
            what = "a name that does not end in its heap"
            self._segment.source.refuse("hdf5-heap", what, start + offset)
        self._named += stop - offset
        if self._named > len(data):
            what = "names that lie over one another in their heap"
            self._segment.source.refuse("hdf5-heap", what, start + offset)
        return text(self._segment.source, data[offset:stop], start + offset)


@dataclass(slots=True)
class GlobalHeap:
    """The collections of a file, each read once."""

    source: Source
    _collections: dict[int, dict[int, Cursor]] = field(default_factory=dict)

    def object(self, address: int, index: int) -> Cursor:
        """An object's bytes, from their beginning."""
        if address not in self._collections:
            self._collections[address] = self._collection(address)
        found = self._collections[address].get(index)
        if found is None:
            self.source.refuse("hdf5-heap", f"no object {index} in the global heap", address)
        return Cursor(self.source, found.start, found.data)

    def _collection(self, address: int) -> dict[int, Cursor]:
        prefix = self.source.peek(address, 16, "a global heap")
        prefix.expect(b"GCOL\x01\0\0\0", "global heap collection", "hdf5-heap")
        size = prefix.unsigned(8)
        block = self.source.block(address, size, "a global heap")
        block.take(16)
        objects: dict[int, Cursor] = {}
        while block.left >= 16:
            at = block.at
            index = block.unsigned(2)
            block.take(6)
            length = block.unsigned(8)
            if index == 0:  # what is free fills the rest
                break
            if index in objects:
                self.source.refuse("hdf5-heap", f"object {index} is twice in its heap", at)
            objects[index] = block.part(length)
            block.take(min(-length % 8, block.left))
        return objects


class FractalHeap:
    """Objects by id, in blocks that double in size from row to row (section III.G)."""

    def __init__(self, source: Source, address: int) -> None:
        self._source = source
        self._address = address
        header = source.block(address, 146, "a fractal heap")
        source.check_sum(header)
        header.expect(b"FRHP\0", "fractal heap", "hdf5-heap")
        self.id_length = header.unsigned(2)
        if header.unsigned(2):
            header.refuse("hdf5-heap", "a fractal heap that is filtered")
        self._checked = bool(header.unsigned(1) & _CHECKED)
        most_managed = header.unsigned(4)
        header.take(8 * 12)  # huge objects, free space and statistics
        self._width = header.unsigned(2)
        self._first = header.unsigned(8)
        self._largest = header.unsigned(8)
        bits = header.unsigned(2)
        header.take(2)
        self._root, self._rows = header.address(), header.unsigned(2)
        self._check_table(header, bits)
        self._offset_bytes = (bits + 7) // 8
        offset_bytes = (self._largest.bit_length() + 6) // 8
        self._length_bytes = min(offset_bytes, limit_bytes(most_managed))
        self._blocks: dict[tuple[int, int], Cursor] = {}
        self._indirect: dict[int, list[int]] = {}
        self._left = source.file.size

    def _check_table(self, header: Cursor, bits: int) -> None:
        """The doubling table's figures: powers of 2, and no more rows than the heap has bits."""
        powers = all(n and not n & (n - 1) for n in (self._width, self._first, self._largest))
        fits = self._first <= self._largest and self._rows <= bits <= _MOST_HEAP_BITS
        if not powers or not fits:
            header.refuse("hdf5-heap", "a fractal heap's doubling table is none")

    def object(self, heap_id: Cursor) -> Cursor:
        """The object of an id, which is `id_length` bytes long."""
        kind = heap_id.unsigned(1)
        if kind >> 4 == _TINY:
            return heap_id.part((kind & 15) + 1)
        if kind >> 4 != _MANAGED:
            heap_id.refuse("hdf5-heap", "an object of a fractal heap that is not in its blocks")
        offset = heap_id.unsigned(self._offset_bytes)
        length = heap_id.unsigned(self._length_bytes)
        self._left -= length
        if self._left < 0:
            heap_id.refuse("hdf5-heap", "objects that lie over one another in a fractal heap")
        block, base = self._block(heap_id, offset)
        if offset - base + length > len(block.data):
            heap_id.refuse("hdf5-heap", "an object leaves its block of the fractal heap")
        start = offset - base
        return Cursor(self._source, block.start + start, block.data[start : start + length])

    def _block(self, asking: Cursor, offset: int) -> tuple[Cursor, int]:
        """The direct block that holds a heap offset, and the block's own heap offset."""
        address, rows, base, size = self._root, self._rows, 0, self._first
        for _ in range(_MOST_INDIRECT):
            if not rows:
                return self._direct(asking, address, base, size), base
            row, size = 0, self._first
            while row < rows and offset >= base + self._width * size:
                base += self._width * size
                row += 1
                size = self._row_size(row)
            if row >= rows:
                break
            column, table = (offset - base) // size, self._table(asking, address, rows)
            address, base = table[row * self._width + column], base + column * size
            rows = 0 if size <= self._largest else self._rows_of(size)
        raise asking.refusal("hdf5-heap", "an object lies outside its fractal heap")

    def _row_size(self, row: int) -> int:
        return self._first << max(row - 1, 0)

    def _rows_of(self, size: int) -> int:
        """How many rows an indirect block has that covers ``size`` bytes of the heap."""
        return (size // (self._first * self._width)).bit_length()

    def _direct(self, asking: Cursor, address: int, base: int, size: int) -> Cursor:
        if (address, base) in self._blocks:
            return self._blocks[address, base]
        if address == UNDEFINED:
            asking.refuse("hdf5-heap", "an object in a block that is not there")
        block = self._source.block(address, size, "a fractal heap's block")
        block.expect(b"FHDB\0", "direct block of a fractal heap", "hdf5-heap")
        self._check_block(block, base)
        if self._checked:
            self._check_zeroed(block)
        self._blocks[address, base] = block
        return block

    def _check_zeroed(self, block: Cursor) -> None:
        """The checksum of a direct block is that of the block with the checksum as zeros."""
        at = block.position
        found = block.take(4)
        zeroed = block.data[:at] + bytes(4) + block.data[at + 4 :]
        self._source.check_sum(Cursor(self._source, block.start + at - len(zeroed), zeroed + found))

    def _table(self, asking: Cursor, address: int, rows: int) -> list[int]:
        """The addresses in an indirect block, row by row."""
        if address in self._indirect:
            return self._indirect[address]
        if address == UNDEFINED:
            asking.refuse("hdf5-heap", "an object in a block that is not there")
        length = 13 + self._offset_bytes + rows * self._width * 8 + 4
        block = self._source.block(address, length, "a fractal heap's table")
        self._source.check_sum(block)
        block.expect(b"FHIB\0", "indirect block of a fractal heap", "hdf5-heap")
        block.take(8 + self._offset_bytes)
        self._indirect[address] = [block.address() for _ in range(rows * self._width)]
        return self._indirect[address]

    def _check_block(self, block: Cursor, base: int) -> None:
        owner, offset = block.address(), block.unsigned(self._offset_bytes)
        if owner != self._address or offset != base:
            block.refuse("hdf5-heap", "a block of another fractal heap, or of another place in it")


def text(source: Source, data: bytes, at: int) -> str:
    """A name as text. Raises where it is not UTF-8, which ASCII is too."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise source.refusal("hdf5-text", "a name is not UTF-8", at, "UTF-8", data.hex()) from e


def limit_bytes(number: int) -> int:
    """How many bytes a number up to ``number`` is written in (``H5VM_limit_enc_size``)."""
    return max(number.bit_length() - 1, 0) // 8 + 1
