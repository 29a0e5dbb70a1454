"""GGUF: a header of key-value metadata and tensor entries, then the tensors, each aligned.

Specified at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Tensors lie in the order of
their entries, each where the one before it ends, rounded up to the alignment: llama.cpp reads no
other layout (`gguf.cpp`), so that every byte belongs to one tensor, or is padding, which is 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn, final

from credenza.artifact.ggml import REFUSED, TYPES
from credenza.artifact.gguf_values import Cursor, malformed, string_or_value, value
from credenza.artifact.interface import Bytes
from credenza.artifact.model import Dtype, File, Region, Tensor

MAGIC: Final = b"GGUF"
SUFFIX: Final = ".gguf"
MOST_AXES: Final = 64
MOST_ELEMENTS: Final = 1 << 56
"""Of one tensor, an axis of length 0 counted as 1; as in `credenza.artifact.safetensors`."""

_VERSIONS: Final = (2, 3)
_ALIGNMENT: Final = "general.alignment"
_DEFAULT_ALIGNMENT: Final = 32
_SMALLEST_PAIR: Final = 13  # bytes: a key's length, a type, one byte of value
_SMALLEST_ENTRY: Final = 24  # bytes: a name's length, no dimensions, type, offset
_OWN: Final = ("GGUF.version", "GGUF.byteorder", "GGUF.tensor_count", "GGUF.kv_count")
"""Names under which the header's own numbers are reported, so that no key may have them."""


class _Entry(NamedTuple):
    """What the header says of one tensor, from byte ``at`` on; ``offset`` counts from the data."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    offset: int
    at: int


@final
@dataclass(frozen=True, slots=True)
class Gguf:
    """Reads the header of a GGUF file of version 2 or 3, in either byte order."""

    def claims(self, file: Bytes) -> bool:
        magic = file.pread(0, min(len(MAGIC), file.size))
        return magic == MAGIC or file.path.lower().endswith(SUFFIX)

    def read(self, file: Bytes) -> File:
        cursor, version = _opened(file)
        tensor_count, pair_count = _counts(cursor)
        pairs, alignment = _pairs(cursor, pair_count)
        entries = _entries(cursor, tensor_count)
        big = cursor.order == ">"
        own = (str(version), "big" if big else "little", str(tensor_count), str(pair_count))
        return File(
            path=file.path,
            size=file.size,
            format="gguf",
            tensors=_placed(cursor, entries, alignment),
            metadata=(*zip(_OWN, own, strict=True), *pairs),
        )


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the metadata in whole: its key, and where its bytes begin and end."""

    key: str
    start: int
    stop: int


def texts(file: Bytes) -> Iterator[Text]:
    """The strings of a GGUF header that are no parts of arrays, in its order.

    Raises `MalformedError` where the metadata cannot be read on; what stands before it has been
    given by then.
    """
    cursor, _ = _opened(file)
    cursor.number("Q")
    for _ in range(cursor.number("Q")):
        key = cursor.name(set(), "gguf-duplicate-key", "a key is given twice")
        span = string_or_value(cursor)
        if span is not None:
            yield Text(key, *span)


def _opened(file: Bytes) -> tuple[Cursor, int]:
    """A cursor behind magic and version, in the byte order of the file."""
    head = file.pread(0, min(8, file.size))
    if head[:4] != MAGIC:
        what, found = "the file does not begin with the magic of GGUF", head[:4].hex(" ")
        raise malformed(file.path, "gguf-magic", 0, what, MAGIC.hex(" "), found or "nothing")
    # a version is small: where its lower half is 0, it is written the other way round
    order = ">" if head[4:6] == b"\0\0" and len(head) == 8 else "<"
    cursor = Cursor.of(file, order, 4)
    version: int = cursor.number("I")
    if version not in _VERSIONS:
        what = "the version is not one that is read"
        raise malformed(file.path, "gguf-version", 4, what, "2 or 3", f"{version}")
    return cursor, version


def _counts(cursor: Cursor) -> tuple[int, int]:
    at = cursor.at
    tensors: int = cursor.number("Q")
    pairs: int = cursor.number("Q")
    left = cursor.window.size - cursor.at
    if tensors * _SMALLEST_ENTRY + pairs * _SMALLEST_PAIR > left:
        what = "the header counts more entries than the file can hold"
        found = f"{tensors} tensors and {pairs} pairs"
        cursor.refuse("gguf-count", at, what, f"entries of {left} bytes", found)
    return tensors, pairs


def _pairs(cursor: Cursor, count: int) -> tuple[list[tuple[str, str]], int]:
    """The metadata, and the alignment that it sets."""
    seen = set(_OWN)
    pairs: list[tuple[str, str]] = []
    alignment = _DEFAULT_ALIGNMENT
    for _ in range(count):
        at = cursor.at
        key = cursor.name(seen, "gguf-duplicate-key", "a key is given twice")
        text, number = value(cursor)
        pairs.append((key, text))
        if key == _ALIGNMENT:
            if not number or number & (number - 1):
                what = "the alignment is none"
                cursor.refuse("gguf-alignment", at, what, "a power of two, uint32", text[:40])
            alignment = number
    return pairs, alignment


def _entries(cursor: Cursor, count: int) -> list[_Entry]:
    names: set[str] = set()
    return [_entry(cursor, names) for _ in range(count)]


def _entry(cursor: Cursor, names: set[str]) -> _Entry:
    at = cursor.at
    name = cursor.name(names, "gguf-duplicate-tensor", "two tensors have one name")
    axes: int = cursor.number("I")
    if axes > MOST_AXES:
        _refuse(cursor, at, name, "gguf-shape", f"up to {MOST_AXES} axes", f"{axes}")
    # GGML counts the axes from the one whose elements lie side by side
    shape = tuple(cursor.number("Q") for _ in range(axes))[::-1]
    kind: int = cursor.number("I")
    offset: int = cursor.number("Q")
    if math.prod(filter(None, shape)) > MOST_ELEMENTS:
        _refuse(cursor, at, name, "gguf-shape", f"up to {MOST_ELEMENTS} elements", f"{shape}")
    dtype = TYPES.get(kind)
    if dtype is None:
        found = REFUSED.get(kind, "no type of GGML")
        _refuse(cursor, at, name, "gguf-dtype", "a type of GGML", f"{kind}: {found}")
    if (shape[-1] if shape else 1) % dtype.block:
        wanted = f"rows of whole blocks of {dtype.block} elements"
        _refuse(cursor, at, name, "gguf-blocks", wanted, f"{shape} of {dtype.label}")
    return _Entry(name, dtype, shape, offset, at)


def _placed(cursor: Cursor, entries: list[_Entry], alignment: int) -> tuple[Tensor, ...]:
    """The tensors as regions, which cover all that follows the header but zeros between them."""
    data = _aligned(cursor.at, alignment)
    end = cursor.at
    tensors = []
    for entry in entries:
        expected = _aligned(end, alignment) - data
        if entry.offset != expected:
            _refuse_offset(cursor, entry, expected, alignment)
        tensor = _tensor(cursor, entry, data)
        _check_padding(cursor, end, tensor.region.start)
        end = tensor.region.stop
        tensors.append(tensor)
    last = _aligned(end, alignment)
    if cursor.window.size > last:
        what, found = "bytes follow the last tensor", f"{cursor.window.size - last} bytes"
        cursor.refuse("gguf-trailing-bytes", last, what, "none", found)
    _check_padding(cursor, end, cursor.window.size)
    return tuple(tensors)


def _tensor(cursor: Cursor, entry: _Entry, data: int) -> Tensor:
    start = data + entry.offset
    size = math.prod(entry.shape) // entry.dtype.block * entry.dtype.bits // 8
    if start + size > cursor.window.size:
        found = f"{max(0, cursor.window.size - start)}"
        _refuse(cursor, entry.at, entry.name, "gguf-outside", f"{size} bytes at {start}", found)
    wide = entry.dtype.bits > 8
    return Tensor(
        name=entry.name,
        dtype=entry.dtype,
        shape=entry.shape,
        file=cursor.window.file.path,
        region=Region(start=start, stop=start + size, nbytes=size),
        byteorder="big" if wide and cursor.order == ">" else "little",
    )


def _aligned(at: int, alignment: int) -> int:
    return -(-at // alignment) * alignment


def _check_padding(cursor: Cursor, start: int, stop: int) -> None:
    at = cursor.window.first_set(start, min(stop, cursor.window.size))
    if at is not None:
        what, found = "padding holds something", cursor.window.read(at, 8).hex(" ")
        cursor.refuse("gguf-padding", at, what, "zeros", found)


def _refuse_offset(cursor: Cursor, entry: _Entry, expected: int, alignment: int) -> NoReturn:
    rule = "gguf-overlap" if entry.offset < expected else "gguf-hole"
    if entry.offset % alignment:
        rule = "gguf-offset"
    _refuse(cursor, entry.at, entry.name, rule, f"offset {expected}", f"{entry.offset}")


_WHAT: Final = {
    "gguf-shape": "the shape is too large to compute with",
    "gguf-dtype": "the element type is not one that is read",
    "gguf-blocks": "the rows are not whole blocks",
    "gguf-outside": "the tensor lies beyond the end of the file",
    "gguf-offset": "the tensor is not aligned",
    "gguf-overlap": "bytes of the tensor belong to one before it too",
    "gguf-hole": "bytes before the tensor belong to none",
}


def _refuse(cursor: Cursor, at: int, name: str, rule: str, expected: str, found: str) -> NoReturn:
    path = cursor.window.file.path
    raise malformed(path, rule, at, _WHAT[rule], expected, found[:200], tensor=name)
