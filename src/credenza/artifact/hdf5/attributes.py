"""An object's attributes, as far as they are text (sections IV.A.2.m and IV.A.2.v)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from credenza.artifact.hdf5.heaps import FractalHeap, GlobalHeap, text
from credenza.artifact.hdf5.objects import Header, Kind
from credenza.artifact.hdf5.source import UNDEFINED, Cursor, Source
from credenza.artifact.hdf5.trees import records
from credenza.artifact.hdf5.types import Type, read_shape, read_type

_NAMES = 8
"""The type of the tree of an object's attributes by name."""
_SHARED = 0x02


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. ``value`` is its text, which begins at byte ``at`` of the file.

    None where it is anything else than one text: numbers, and lists of text.
    """

    name: str
    at: int
    value: str | None = None


class Attributes:
    """Reads attributes. All their text together is no more than the file's size."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._heap = GlobalHeap(source)
        self._left = source.file.size

    def of(self, header: Header) -> list[Attribute]:
        """An object's attributes, in the order of the file.

        Raises `BrokenPickleError` for a name twice, or text that is not there.
        """
        found = [self._read(m.body, m.shared) for m in header.all(Kind.ATTRIBUTE)]
        info = header.get(Kind.ATTRIBUTE_INFO)
        if info is not None:
            found += self._dense(info.body)
        seen: set[str] = set()
        for attribute in found:
            if attribute.name in seen:
                what = f"an object has the attribute {attribute.name!a} twice"
                self._source.refuse("hdf5-name", what, attribute.at)
            seen.add(attribute.name)
        return found

    def _dense(self, info: Cursor) -> Iterator[Attribute]:
        info.expect(b"\0", "attribute info message of version 0", "hdf5-header")
        info.take(2 if info.unsigned(1) & 1 else 0)
        heap_at, tree = info.address(), info.address()
        if heap_at == UNDEFINED:
            return
        heap = FractalHeap(self._source, heap_at)
        for record in records(self._source, tree, _NAMES):
            heap_id = record.part(heap.id_length)
            shared = bool(record.unsigned(1) & _SHARED)
            yield self._read(heap_id if shared else heap.object(heap_id), shared)

    def _read(self, body: Cursor, shared: bool) -> Attribute:
        at = body.at
        version = body.unsigned(1)
        if shared or version not in (1, 2, 3):
            body.source.refuse("hdf5-attribute", "an attribute that is kept elsewhere", at)
        flags = body.unsigned(1)
        lengths = [body.unsigned(2) for _ in range(3)]
        body.take(1 if version == 3 else 0)  # the name's character set: ASCII is UTF-8 too
        read = body.padded if version == 1 else body.take
        name = text(body.source, read(lengths[0]).rstrip(b"\0"), at)
        if flags and version > 1:
            return Attribute(name, at)  # its type or space is a shared one
        starts = []
        for length in lengths[1:]:
            start = body.at
            starts.append(Cursor(body.source, start, read(length)))
        return self._text(name, body, read_type(starts[0]), read_shape(starts[1]))

    def _text(
        self, name: str, body: Cursor, type_: Type, shape: tuple[int, ...] | None
    ) -> Attribute:
        """The attribute with its value, where that is one text."""
        if not type_.text or shape is None or math.prod(shape) != 1:
            return Attribute(name, body.at)
        value = body.part(type_.size) if type_.text == "fixed" else self._variable(body)
        self._left -= len(value.data)
        if self._left < 0:
            body.refuse("hdf5-attribute", "attributes that refer to one text over and over")
        return Attribute(
            name, value.start, text(body.source, value.data.rstrip(b"\0"), value.start)
        )

    def _variable(self, body: Cursor) -> Cursor:
        """A text in the global heap; an empty one may be nowhere."""
        length, address, index = body.unsigned(4), body.address(), body.unsigned(4)
        if not length:
            return Cursor(body.source, body.at, b"")
        held = self._heap.object(address, index)
        return held.part(length)
