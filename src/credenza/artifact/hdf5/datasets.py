"""Datasets: a tensor over one run of the file's bytes, or in words why it is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from credenza.artifact.hdf5.objects import Header, Kind, Message
from credenza.artifact.hdf5.source import UNDEFINED, Cursor, Source
from credenza.artifact.hdf5.types import Type, read_shape, read_type
from credenza.artifact.model import Dtype

_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = 0, 1, 2, 3
_SINGLE_CHUNK: Final = 1
_MOST_RATIO: Final = 1000
_ALWAYS: Final = 4 << 30
"""A dataset that is not one run of bytes may claim `_MOST_RATIO` times the file's size, and this
many bytes in any case; Keras has the same bounds (``keras/src/saving/saving_lib.py``)."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset's elements: ``start`` is where they lie in the file, as they are."""

    dtype: Dtype
    byteorder: str
    shape: tuple[int, ...]
    start: int


def is_dataset(header: Header) -> bool:
    """True where an object's messages are those of a dataset."""
    return header.get(Kind.LAYOUT) is not None


def read_dataset(source: Source, header: Header, stands_for: Dtype | None) -> Dataset | str:
    """What a dataset is; its bytes are claimed. ``stands_for`` is what opaque elements are.

    Raises `BrokenPickleError` for one whose bytes are in another file, outside this one, or not
    of the size of its elements.
    """
    if header.get(Kind.EXTERNAL_FILES) is not None:
        source.note("hdf5-external", "a dataset's bytes lie in another file", header.address)
        return "a dataset whose bytes lie in another file"
    parts = [header.get(k) for k in (Kind.DATATYPE, Kind.DATASPACE, Kind.LAYOUT)]
    if any(part is None for part in parts):
        what = "a dataset without a type, a shape or a layout"
        source.refuse("hdf5-header", what, header.address)
    type_, space, layout = (part for part in parts if part is not None)
    if type_.shared or space.shared or layout.shared:
        return "a dataset whose type is kept elsewhere"
    element, shape = read_type(type_.body), read_shape(space.body)
    if shape is None:
        return "a dataset without elements"
    expected = math.prod(shape) * element.size
    place = _place(source, layout, shape, element, expected, header.get(Kind.FILTERS))
    if isinstance(place, str) and expected > max(_ALWAYS, _MOST_RATIO * source.file.size):
        what = "a dataset that claims far more than the file holds"
        source.refuse("hdf5-space", what, header.address, "", f"{expected} bytes")
    dtype = element.dtype or (stands_for if element.opaque else None)
    if dtype is None or dtype.bits != 8 * element.size:
        return f"a dataset of {element.words}"
    if isinstance(place, str):
        return place
    return Dataset(dtype, element.byteorder, shape, place)


def _place(
    source: Source,
    layout: Message,
    shape: tuple[int, ...],
    element: Type,
    expected: int,
    filters: Message | None,
) -> int | str:
    """Where a dataset's bytes begin, or in words why they are not in one run."""
    body = layout.body
    version, class_ = body.unsigned(1), body.unsigned(1)
    if version not in (3, 4, 5) or class_ > _VIRTUAL:
        found = f"version {version}, class {class_}"
        body.refuse("hdf5-layout", "a layout that is not read", "version 3 to 5", found)
    if class_ == _VIRTUAL:
        what = "a virtual dataset, which is put together from others"
        source.note("hdf5-external", what, body.at)
        return what
    if class_ == _COMPACT:
        length = body.unsigned(2)
        _check_size(body, expected, length)
        return body.part(length).start
    if class_ == _CONTIGUOUS:
        address, length = body.address(), body.unsigned(8)
        return _contiguous(source, body, address, length, expected)
    if version > 3 and filters is None:
        return _chunked(source, body, shape, element, expected)
    return "a dataset in chunks"


def _contiguous(
    source: Source, body: Cursor, address: int, length: int, expected: int
) -> int | str:
    if not expected:
        return 0
    if address == UNDEFINED:
        return "a dataset that was never written, and is its fill value"
    _check_size(body, expected, length)
    source.claim(address, length, "a dataset")
    return address


def _chunked(
    source: Source, body: Cursor, shape: tuple[int, ...], element: Type, expected: int
) -> int | str:
    """One chunk without filters that is the whole dataset is one run; any other layout is not."""
    flags, axes, width = body.unsigned(1), body.unsigned(1), body.unsigned(1)
    sizes = tuple(body.unsigned(width) for _ in range(axes))
    if body.unsigned(1) != _SINGLE_CHUNK or flags & 2 or sizes != (*shape, element.size):
        return "a dataset in chunks"
    return _contiguous(source, body, body.address(), expected, expected)


def _check_size(body: Cursor, expected: int, found: int) -> None:
    if expected != found:
        what = "a dataset's bytes do not fit its shape"
        body.refuse("array-size", what, f"{expected} bytes", found)
