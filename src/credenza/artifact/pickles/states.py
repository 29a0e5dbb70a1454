"""Which state what a listed name makes may be given, by the words that the list uses."""

from __future__ import annotations

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
    objects = code.startswith("O") or (code[:1] in ("V", "") and holds_objects(parts[:7]))
    return type(flags) is int and flags & _OBJECTS == (_OBJECTS if objects else 0)


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
