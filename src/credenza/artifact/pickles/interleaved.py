"""Arrays whose bytes joblib writes between two opcodes (``joblib/numpy_pickle.py``).

joblib pickles a ``NumpyArrayWrapper`` in the place of an array. As soon as its loader has set the
wrapper's state (BUILD), it reads the array's bytes from the file itself, and goes on with the
next opcode behind them. Since joblib 1.1 a byte says how much padding comes first; it is no
opcode, so that an ordinary unpickler stops there. Streams without it are read in one way by
joblib and in another by pickle, and so are arrays of objects, which are a pickle with a memo of
its own to joblib only: their wrapper is a program that is not allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles.errors import broken
from credenza.artifact.pickles.values import (
    Call,
    Dict,
    Global,
    Interleaved,
    Kind,
    Span,
    Tuple,
    Value,
    holds_objects,
    text,
)
from credenza.findings import Where

WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"
_RECONSTRUCTOR: Final = ("copyreg._reconstructor", "copy_reg._reconstructor")
_CODE: Final = re.compile(r"([?biufcmMSUVO])(\d*)")
_OBJECT: Final = 0x01
"""``NPY_ITEM_HASOBJECT`` of a dtype's flags."""
_WIDEST: Final = 1 << 32
_MOST_ELEMENTS: Final = 1 << 56
_MOST_AXES: Final = 64


@dataclass(frozen=True, slots=True)
class Placed:
    """What stands behind a wrapper: an array's bytes, or at ``start`` a pickle of its objects.

    ``stop`` is None for objects. ``ambiguous`` says that joblib and pickle read it differently.
    """

    dtype: Value
    shape: Value
    fortran: bool
    start: int
    stop: int | None
    ambiguous: bool

    def array(self, stop: int) -> Interleaved:
        """The array as a node of the graph."""
        span = Span(Kind.BYTES, self.start, stop - self.start, None)
        return Interleaved(self.dtype, self.shape, self.fortran, span)


def is_wrapper(value: Value) -> bool:
    """True for an instance of joblib's wrapper, by NEWOBJ or as protocols 0 and 1 make one."""
    if not isinstance(value, Call):
        return False
    made = value.arguments[0] if value.name in _RECONSTRUCTOR and value.arguments else None
    return value.name == WRAPPER or (isinstance(made, Global) and str(made) == WRAPPER)


def place(file: Bytes, wrapper: Call, at: int) -> Placed:
    """Where the bytes of a wrapper's array are, which begin at byte ``at`` or behind padding.

    Raises `BrokenPickleError` for a wrapper whose state does not say how many they are, for
    padding that joblib does not write, and for bytes that go past the end of the file.
    """
    state = wrapper.states[0] if len(wrapper.states) == 1 else None
    if not isinstance(state, Dict):
        _refuse(file, at, "a wrapper without its state")
    members = {text(key): value for key, value in state.pairs}
    shape, order, dtype = members.get("shape"), text(members.get("order")), members.get("dtype")
    if len(members) != len(state.pairs) or order not in ("C", "F"):
        _refuse(file, at, "a wrapper whose state is not shape, order and dtype")
    size, holds_objects = _element(file, at, dtype)
    alignment = members.get("numpy_array_alignment_bytes")
    if holds_objects:
        return Placed(dtype, shape, order == "F", at, None, ambiguous=True)
    start = at if alignment is None else _behind_padding(file, at, alignment)
    stop = start + _count(file, at, shape) * size
    if stop > file.size:
        expected = f"{stop - start} bytes"
        _refuse(file, start, "the file ends within an array", expected, f"{file.size - start}")
    return Placed(dtype, shape, order == "F", start, stop, ambiguous=alignment is None)


def _behind_padding(file: Bytes, at: int, alignment: Value) -> int:
    """The first byte behind the padding, which makes it a multiple of the alignment."""
    known = isinstance(alignment, int) and not isinstance(alignment, bool)
    if not known or not isinstance(alignment, int) or not 1 <= alignment <= 16:
        _refuse(file, at, "an alignment that joblib does not write")
    length = alignment - (at + 1) % alignment
    padding = bytes([length]) + b"\xff" * length
    if at + len(padding) > file.size or file.pread(at, len(padding)) != padding:
        _refuse(file, at, "padding that joblib does not write", padding.hex())
    return at + len(padding)


def _count(file: Bytes, at: int, shape: Value) -> int:
    """How many elements an array of that shape has."""
    items: Sequence[Value] = shape.items if isinstance(shape, Tuple) else (None,)
    sizes = [n for n in items if isinstance(n, int) and not isinstance(n, bool) and n >= 0]
    if len(sizes) != len(items) or len(sizes) > _MOST_AXES:
        _refuse(file, at, "an array without a readable shape")
    if math.prod(max(n, 1) for n in sizes) > _MOST_ELEMENTS:
        _refuse(file, at, "an array of more elements than any file holds")
    return math.prod(sizes)


def _element(file: Bytes, at: int, dtype: Value) -> tuple[int, bool]:
    """The size of an element in bytes, and whether it holds Python objects.

    What a dtype says twice (its code, and the state that BUILD gives it) must agree: joblib goes
    by the state, and reads a pickle where the flags in it say so.
    """
    if not (isinstance(dtype, Call) and dtype.name == "numpy.dtype" and len(dtype.states) == 1):
        _refuse(file, at, "an array whose dtype is not spelled out")
    code = _CODE.fullmatch(text(dtype.arguments[0]) or "") if dtype.arguments else None
    state = dtype.states[0].items if isinstance(dtype.states[0], Tuple) else ()
    if code is None or len(state) < 8 or state[2] is not None:
        _refuse(file, at, "an array whose dtype is not one of numpy's")
    kind, size = code[1], int(code[2] or 1) * (4 if code[1] == "U" else 1)
    flags = state[7]
    if state[5] != (size if kind in "SUV" else -1) or size > _WIDEST:
        _refuse(file, at, "a dtype whose size is not that of its code")
    objects = kind == "O" or (kind == "V" and holds_objects(state))
    if isinstance(flags, bool) or not isinstance(flags, int) or bool(flags & _OBJECT) != objects:
        _refuse(file, at, "a dtype whose flags are not those of its code")
    return size, objects


def _refuse(file: Bytes, at: int, what: str, expected: str = "", found: str = "") -> NoReturn:
    where = Where(file=file.path, start=at)
    raise broken("joblib-array", f"joblib: {what}", where, expected=expected, found=found)
