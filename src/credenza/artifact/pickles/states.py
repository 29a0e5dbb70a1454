"""Which state what a listed name makes may be given, by the words that the list uses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from credenza.artifact.pickles.arguments import may_wait
from credenza.artifact.pickles.values import (
    Call,
    Dict,
    Global,
    Tuple,
    Value,
    holds_objects,
    text,
)

if TYPE_CHECKING:
    from credenza.artifact.pickles.usage import Uses


def _any_state(_call: Call, _: Value, _uses: Uses) -> bool:
    return True


def _plain_state(_call: Call, state: Value, _: Uses) -> bool:
    """A dict of attributes, or nothing, as `object.__getstate__` gives it; and slots."""
    parts = state.items if isinstance(state, Tuple) else (state,)
    return len(parts) <= 2 and all(p is None or isinstance(p, Dict) for p in parts)


def _plain_dict(_call: Call, state: Value, _: Uses) -> bool:
    """A dict whose keys are all written out."""
    return isinstance(state, Dict) and all(text(key) is not None for key, _ in state.pairs)


def _joblibs(call: Call, state: Value, uses: Uses) -> bool:
    """What joblib writes of an array; an attribute ``read`` would be called in its own's place."""
    if not isinstance(state, Dict) or not _plain_dict(call, state, uses):
        return False
    return all(text(key) in _OF_ARRAYS for key, _ in state.pairs)


def _beside(call: Call, state: Value, uses: Uses) -> bool:
    """Of these, ``filename`` is a name without a way: joblib opens it beside itself."""
    if not isinstance(state, Dict) or not _joblibs(call, state, uses):
        return False
    names = [text(value) for key, value in state.pairs if text(key) == "filename"]
    return all(name is not None and _FILE_NAME.fullmatch(name) for name in names)


_FILE_NAME: Final = re.compile(r"[\w\-][\w .\-]*")
_OF_ARRAYS: Final = (
    *("subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"),
    "filename",
)
_OBJECTS: Final = 0x03
"""``NPY_ITEM_REFCOUNT`` and ``NPY_LIST_PICKLE`` of a dtype's flags: numpy sets both or none."""


def _dtype_state(call: Call, state: Value, _: Uses) -> bool:
    """Numpy's own: flags that belie the code would make pointers of a file's bytes.

    ``arraydescr_reduce`` in ``numpy/_core/src/multiarray/descriptor.c`` writes 8 or 9 parts.
    """
    first = call.arguments[0] if call.arguments else None
    code = "V" if isinstance(first, Global) else text(first)
    parts = state.items if isinstance(state, Tuple) else ()
    if code is None or not 8 <= len(parts) <= 9:
        return False
    flags = parts[7]
    code = code.lstrip("<>|=")
    if not _laid_out(parts):
        return False
    objects = code.startswith("O") or (code[:1] in ("V", "") and holds_objects(parts[:7]))
    return type(flags) is int and flags & _OBJECTS == (_OBJECTS if objects else 0)


def _laid_out(parts: tuple[Value, ...]) -> bool:
    """True where the fields of a record lie inside of it: numpy reads where they say.

    The parts are version, byte order, base and shape, names, fields, size, alignment.
    """
    size, names, fields = parts[5], parts[3], parts[4]
    if type(size) is not int or not (fields is None or isinstance(fields, Dict)):
        return False
    if not (names is None or isinstance(names, Tuple)):
        return False
    if isinstance(parts[2], Tuple) and (_width(parts[2]) or 0) > size:
        return False
    return fields is None or all(_inside(field, size) for _, field in fields.pairs)


def _inside(field: Value, size: int) -> bool:
    """A dtype and its place, and maybe a title."""
    items = field.items if isinstance(field, Tuple) else ()
    width = _width(items[0]) if len(items) in (2, 3) else None
    at = items[1] if width is not None else None
    return width is not None and type(at) is int and at >= 0 and at + width <= size


def _width(dtype: Value) -> int | None:
    """The bytes of an element of a dtype, or of ``(base, shape)``; None where that is not said."""
    if isinstance(dtype, Tuple):
        shape = dtype.items[1] if len(dtype.items) == 2 else None
        sizes = shape.items if isinstance(shape, Tuple) else (shape,)
        base = (
            _width(dtype.items[0]) if dtype.items and not isinstance(dtype.items[0], Tuple) else 0
        )
        return math.prod((base or 0, *(n for n in sizes if type(n) is int)))
    if not isinstance(dtype, Call) or not dtype.arguments:
        return None
    state = dtype.states[0].items if dtype.states and isinstance(dtype.states[0], Tuple) else ()
    size = state[5] if len(state) > 5 else -1
    if type(size) is int and size >= 0:
        return size
    code = _WIDTH.search(text(dtype.arguments[0]) or "")
    return None if code is None else int(code[1] or 1) * (4 if code[0].startswith("U") else 1)


_WIDTH: Final = re.compile(r"[?a-zA-Z](\d*)$")
_SCIPY = re.compile(r"\ndef _parse_args\(self, ((?:[^\W\d]\w*, )*) (loc=0(, scale=1)?)\):\n")
_SCIPY_TEMPLATE = """
def _parse_args(self, {shapes} {given}):
    return ({shapes}), {passed}

def _parse_args_rvs(self, {shapes} {given}, size=None):
    return self._argcheck_rvs({shapes} {passed}, size=size)

def _parse_args_stats(self, {shapes} {given}, moments='mv'):
    return ({shapes}), {passed}, moments
"""


def _distribution_state(call: Call, state: Value, uses: Uses) -> bool:
    """``rv_generic.__setstate__`` runs the ``_parse_arg_template`` that it is given by `exec`.

    So that must be what SciPy itself makes of a list of names: ``parse_arg_template`` in
    ``scipy/stats/_distn_infrastructure.py``.
    """
    if not isinstance(state, Dict) or not _plain_dict(call, state, uses):
        return False
    templates = [value for key, value in state.pairs if text(key) == "_parse_arg_template"]
    return all(_is_scipys(text(template)) for template in templates)


def _is_scipys(template: str | None) -> bool:
    start = _SCIPY.match(template or "")
    if start is None:
        return False
    passed = "loc, scale" if start[3] else "loc, 1"
    return template == _SCIPY_TEMPLATE.format(shapes=start[1], given=start[2], passed=passed)


def _partial_state(_call: Call, state: Value, uses: Uses) -> bool:
    """``function, args, keywords, attributes``; the function replaces the first one."""
    return (
        isinstance(state, Tuple)
        and len(state.items) == 4
        and may_wait(state.items[0], uses)
        and isinstance(state.items[1], Tuple)
        and all(part is None or isinstance(part, Dict) for part in state.items[2:])
        and not any(uses.lends(part) for part in state.items[1:])
    )


STATES: Final[dict[str, Callable[[Call, Value, Uses], bool]]] = {
    "any": _any_state,
    "plain attributes": _plain_state,
    "a plain dict": _plain_dict,
    "a dtype's own": _dtype_state,
    "a file beside this one": _beside,
    "joblib's own": _joblibs,
    "scipy's own template": _distribution_state,
    "a listed function and its arguments": _partial_state,
}
STATE_WORDS = frozenset(STATES)
