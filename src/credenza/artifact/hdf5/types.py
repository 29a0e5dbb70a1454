"""Element types and shapes (sections IV.A.2.d and IV.A.2.b), as far as tensors have them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from credenza.artifact.hdf5.heaps import text
from credenza.artifact.hdf5.source import Cursor
from credenza.artifact.model import Dtype
from credenza.artifact.numpy_graph import MOST_ELEMENTS

MOST_AXES: Final = 32
"""HDF5's own limit (``H5S_MAX_RANK``)."""
_FIXED, _FLOAT, _STRING, _OPAQUE, _COMPOUND, _ENUM, _VARIABLE, _COMPLEX = 0, 1, 3, 5, 6, 8, 9, 11
_SCALAR, _SIMPLE, _NULL = 0, 1, 2
_NESTING: Final = frozenset({_COMPOUND, _ENUM, _COMPLEX})
_WORDS: Final = {
    2: "times",
    3: "text",
    4: "bit fields",
    5: "opaque bytes",
    6: "structured elements",
    7: "references",
    8: "an enumeration",
    9: "elements of variable length",
    10: "arrays as elements",
}
_INTEGERS: Final = {
    (1, True): Dtype.I8,
    (2, True): Dtype.I16,
    (4, True): Dtype.I32,
    (8, True): Dtype.I64,
    (1, False): Dtype.U8,
    (2, False): Dtype.U16,
    (4, False): Dtype.U32,
    (8, False): Dtype.U64,
}
_FLOATS: Final = {
    # size, then sign's place, precision, exponent's place and size, mantissa's size, bias
    (2, 15, 16, 10, 5, 10, 15): Dtype.F16,
    (4, 31, 32, 23, 8, 23, 127): Dtype.F32,
    (8, 63, 64, 52, 11, 52, 1023): Dtype.F64,
    (2, 15, 16, 7, 8, 7, 127): Dtype.BF16,
}
_COMPLEXES: Final = {Dtype.F32: Dtype.C64, Dtype.F64: Dtype.C128}


@dataclass(frozen=True, slots=True)
class Type:
    """An element type: a tensor's, or in words what else. ``size`` is in bytes.

    ``text`` is ``fixed`` or ``variable`` for text, ``opaque`` says that it is bytes of no meaning.
    """

    size: int
    dtype: Dtype | None = None
    byteorder: str = "little"
    words: str = ""
    text: str = ""
    opaque: bool = False


def read_type(body: Cursor, *, inner: bool = False) -> Type:
    """The type that a datatype message says. What follows it in ``body`` is not looked at.

    ``inner`` types are parts of another one, and are read where they are numbers.
    """
    at = body.at
    head = body.unsigned(1)
    class_, version = head & 15, head >> 4
    bits, size = body.unsigned(3), body.unsigned(4)
    if not 1 <= version <= 5 or not size or (class_ not in _WORDS and class_ not in (0, 1, 11)):
        body.source.refuse("hdf5-type", "a datatype that is none", at, "", f"0x{head:02x}")
    if inner and class_ in _NESTING:
        return Type(size, words="elements of several parts")
    if class_ == _FIXED:
        return _integer(body, bits, size)
    if class_ == _FLOAT:
        return _float(body, bits, size)
    if class_ == _ENUM:
        return _enumeration(body, version, bits, size)
    if class_ in (_COMPOUND, _COMPLEX):
        return _complex(body, class_, version, bits, size)
    if class_ == _STRING:
        return Type(size, words=_WORDS[class_], text="fixed")
    if class_ == _VARIABLE and bits & 15 == 1:
        return Type(size, words="text of variable length", text="variable")
    return Type(size, words=_WORDS[class_], opaque=class_ == _OPAQUE)


def read_shape(body: Cursor) -> tuple[int, ...] | None:
    """The shape that a dataspace message says; None for a space without elements (null)."""
    at = body.at
    version, rank, flags = body.unsigned(1), body.unsigned(1), body.unsigned(1)
    if version not in (1, 2) or rank > MOST_AXES or flags & ~1:
        found = f"version {version}, {rank} axes, flags {flags}"
        body.source.refuse("hdf5-space", "a dataspace that is none", at, "", found)
    kind = _SIMPLE if rank else _SCALAR
    if version == 2:
        kind = body.unsigned(1)
    else:
        body.take(5)
    if kind > _NULL or (kind != _SIMPLE and rank):
        body.source.refuse("hdf5-space", "a dataspace of an unknown kind", at, "", str(kind))
    shape = tuple(body.unsigned(8) for _ in range(rank))
    if math.prod(max(n, 1) for n in shape) > MOST_ELEMENTS:
        body.source.refuse("hdf5-space", "a dataspace too large for any file", at, "", str(shape))
    return None if kind == _NULL else shape


def _integer(body: Cursor, bits: int, size: int) -> Type:
    offset, precision = body.unsigned(2), body.unsigned(2)
    dtype = _INTEGERS.get((size, bool(bits & 8)))
    if dtype is None or offset or precision != 8 * size:
        return Type(size, words=f"integers of {precision} bits in {size} bytes")
    return Type(size, dtype, _byteorder(bits, size))


def _float(body: Cursor, bits: int, size: int) -> Type:
    offset, precision = body.unsigned(2), body.unsigned(2)
    exponent_at, exponent, mantissa_at, mantissa = body.take(4)
    bias = body.unsigned(4)
    form = (size, bits >> 8 & 0xFF, precision, exponent_at, exponent, mantissa, bias)
    dtype = _FLOATS.get(form)
    vax = bits & 0x40
    if dtype is None or offset or mantissa_at or vax or bits >> 4 & 3 != 2:
        return Type(size, words=f"floating-point numbers of an unusual form in {size} bytes")
    return Type(size, dtype, _byteorder(bits, size))


def _byteorder(bits: int, size: int) -> str:
    return "big" if bits & 1 and size > 1 else "little"


def _enumeration(body: Cursor, version: int, bits: int, size: int) -> Type:
    """h5py writes booleans as an enumeration: FALSE is 0 and TRUE is 1, in one byte."""
    base = read_type(body, inner=True)
    if size == 1 and base.dtype in (Dtype.I8, Dtype.U8) and bits & 0xFFFF == 2:
        names = [_member_name(body, version) for _ in range(2)]
        if dict(zip(names, body.take(2), strict=True)) == {"FALSE": 0, "TRUE": 1}:
            return Type(size, Dtype.BOOL)
    return Type(size, words=_WORDS[_ENUM])


def _complex(body: Cursor, class_: int, version: int, bits: int, size: int) -> Type:
    """h5py writes complex numbers as a structure of ``r`` and ``i``; HDF5 2.0 has a class."""
    members: list[tuple[str, int, Type]] = []
    if class_ == _COMPLEX:
        part = read_type(body, inner=True)
        members = [("r", 0, part), ("i", part.size, part)]
    elif bits & 0xFFFF == 2:
        members = [_member(body, version, size) for _ in range(2)]
    if [name for name, _, _ in members] == ["r", "i"]:
        (_, first, real), (_, second, imaginary) = members
        dtype = _COMPLEXES.get(real.dtype) if real.dtype else None
        fits = (first, second, size) == (0, real.size, 2 * real.size) and real == imaginary
        if dtype and fits:
            return Type(size, dtype, real.byteorder)
    return Type(size, words=_WORDS[_COMPOUND])


def _member(body: Cursor, version: int, size: int) -> tuple[str, int, Type]:
    name = _member_name(body, version)
    offset = body.unsigned(4 if version < 3 else (size.bit_length() + 7) // 8)
    if version == 1:
        body.take(28)  # dimensions of the member, which arrays have had since version 2
    return name, offset, read_type(body, inner=True)


def _member_name(body: Cursor, version: int) -> str:
    """A name up to its NUL; padded to a multiple of 8 before version 3."""
    at = body.at
    stop = body.data.find(b"\0", body.position)
    length = (stop if stop >= 0 else len(body.data)) - body.position + 1
    name = body.padded(length) if version < 3 else body.take(length)
    return text(body.source, name[:-1], at)
