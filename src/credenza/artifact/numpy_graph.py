"""NumPy arrays as a pickle holds them: found in the graph, left where they lie in the file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from credenza.artifact.model import Dtype
from credenza.artifact.pickles import Call, Interleaved, List, Span, Tuple, Value, text

_RECONSTRUCT: Final = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_FROMBUFFER: Final = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
_DTYPES: Final = {
    "b1": Dtype.BOOL,
    "i1": Dtype.I8,
    "u1": Dtype.U8,
    "i2": Dtype.I16,
    "u2": Dtype.U16,
    "i4": Dtype.I32,
    "u4": Dtype.U32,
    "i8": Dtype.I64,
    "u8": Dtype.U64,
    "f2": Dtype.F16,
    "f4": Dtype.F32,
    "f8": Dtype.F64,
    "c8": Dtype.C64,
    "c16": Dtype.C128,
}
MOST_DIMENSIONS: Final = 64
"""numpy's own limit (``NPY_MAXDIMS``)."""
MOST_ELEMENTS: Final = 1 << 56
"""Of one tensor, an axis of length 0 counted as 1; sizes in bytes then stay below 2⁶³."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """An array's layout, and where its bytes are. ``byteorder`` is ``little`` or ``big``."""

    dtype: Dtype
    shape: tuple[int, ...]
    fortran: bool
    byteorder: str
    span: Span

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.bits // 8

    @property
    def strides(self) -> tuple[int, ...]:
        """In elements; empty for row-major order."""
        return fortran_strides(self.shape) if self.fortran else ()


def is_array(value: Value) -> bool:
    """True for what builds an array when loaded, readable or not."""
    called = isinstance(value, Call) and value.name in _RECONSTRUCT + _FROMBUFFER
    return called or isinstance(value, Interleaved)


def array(call: Call | Interleaved) -> Array | str:
    """The array that a call builds, or in words why it cannot be read from here."""
    if isinstance(call, Interleaved):
        return _array(call.shape, call.dtype, call.fortran, call.span)
    if call.name in _FROMBUFFER:
        buffer, dtype, shape, order = (*call.arguments, None, None, None, None)[:4]
        fortran = text(order) == "F"
    else:
        state = call.states[-1] if call.states else None
        if not isinstance(state, Tuple) or len(state.items) != 5 or len(call.states) != 1:
            return "an array whose state is not a version, shape, dtype, order and bytes"
        _, shape, dtype, order, buffer = state.items
        fortran = order is True or (isinstance(order, int) and order == 1)
    return _array(shape, dtype, fortran, buffer)


def _array(shape: Value, dtype: Value, fortran: bool, buffer: Value) -> Array | str:
    sizes = dimensions(shape)
    known = _element(dtype)
    if sizes is None:
        return "an array without a readable shape"
    if isinstance(buffer, List):
        return "an array of Python objects"
    if isinstance(known, str):
        return f"an array of {known}"
    if not isinstance(buffer, Span) or not buffer.raw:
        return "an array whose bytes are written as text, not as they are"
    return Array(
        dtype=known[0],
        shape=sizes,
        fortran=fortran and len(sizes) > 1,
        byteorder=known[1],
        span=buffer,
    )


def _element(value: Value) -> tuple[Dtype, str] | str:
    """Element type and byte order of a pickled dtype; in words what else it is."""
    if not (isinstance(value, Call) and value.name == "numpy.dtype" and value.arguments):
        return "an element type that is not spelled out"
    code = text(value.arguments[0]) or ""
    state = value.states[-1] if value.states else None
    items: Sequence[Value] = state.items if isinstance(state, Tuple) else ()
    order = text(items[1]) if len(items) > 1 else None
    parts = items[2:5]
    if any(part is not None for part in parts):
        return "structured elements"
    return element((order or "") + code)


def element(code: str) -> tuple[Dtype, str] | str:
    """Element type and byte order of numpy's array-protocol code, as ``<f4``; else its words."""
    found = re.fullmatch(r"([<>|=]?)([a-zA-Z]\d*)", code)
    dtype = _DTYPES.get(found[2]) if found else None
    if found is None or dtype is None:
        return f"elements of numpy type {code[:40]!r}"
    return dtype, "big" if found[1] == ">" and dtype.bits > 8 else "little"


def dimensions(value: Value) -> tuple[int, ...] | None:
    """A tuple of sizes or strides ≥ 0, at most `MOST_DIMENSIONS`; None where it is not one.

    ``torch.Size`` of one is read through.
    """
    if isinstance(value, Call) and value.name == "torch.Size" and len(value.arguments) == 1:
        value = value.arguments[0]
    if not isinstance(value, Tuple | List) or len(value.items) > MOST_DIMENSIONS:
        return None
    sizes = tuple(i for i in value.items if is_index(i))
    return sizes if len(sizes) == len(value.items) else None


def is_index(value: object) -> TypeGuard[int]:
    """True for an integer from 0 to 2⁶³ − 1 that is no bool."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def fortran_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides in elements of an array whose first index runs fastest."""
    return tuple(math.prod(shape[:i]) for i in range(len(shape)))
