"""Which arguments a call of a listed name may have, by the words that the list uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from credenza.artifact.pickles.lists import Use
from credenza.artifact.pickles.values import (
    Call,
    Dict,
    Global,
    List,
    Set,
    Span,
    Tuple,
    Value,
    text,
)

if TYPE_CHECKING:
    from credenza.artifact.pickles.usage import Uses


_HARMLESS: Final = frozenset({"__doc__", "__name__", "__qualname__"})


def sets_dunder(state: Value) -> bool:
    """True where a state's keys would reach the object's machinery, as ``__class__`` does.

    So may a key that a call makes, which can be any text: ``numpy.str_`` is one.
    """
    parts = state.items if isinstance(state, Tuple) else (state,)
    for part in parts:
        if isinstance(part, Dict):
            if any(is_dunder(key) for key, _ in part.pairs):
                return True
        elif isinstance(part, Call) and any(map(is_dunder, _keys(part))):
            return True
    return False


def is_dunder(key: Value) -> bool:
    """True for a key that is no attribute of one's own, or that may be any."""
    if isinstance(key, Call | Global):
        return True
    name = key if isinstance(key, str) else text(key) or ""
    return name.startswith("__") and name not in _HARMLESS


def _keys(part: Value) -> Iterator[Value]:
    """The keys of a dict, however it was made: by its constructor, too, from pairs or from dicts.

    What cannot be followed stands for a key that may be any.
    """
    todo: list[Value] = [part]
    for _ in range(_MOST_DICTS):
        if not todo:
            return
        node = todo.pop()
        if isinstance(node, Dict | Call):
            yield from (key for key, _ in node.pairs)
        if isinstance(node, Call) and node.name.startswith(_DICTS):
            for argument in node.arguments:
                yield from _paired(argument)
                todo.extend([argument] if isinstance(argument, Dict | Call) else ())
    yield Global("", "", 0)


def _paired(argument: Value) -> Iterator[Value]:
    """The keys in a list of pairs."""
    items = argument.items if isinstance(argument, List | Tuple | Set) else ()
    return (i.items[0] for i in items if isinstance(i, List | Tuple) and i.items)


def _is_literal(value: Value) -> bool:
    return value is None or isinstance(value, bool | int | float | str | Span)


def _literals(args: _Args, _: Uses) -> bool:
    return all(_is_literal(a) for a in args)


def _none(args: _Args, _: Uses) -> bool:
    return not args


def _codec(args: _Args, _: Uses) -> bool:
    """A codec's name is a module's name to Python, so only these."""
    codecs = ("latin1", "latin-1", "ascii", "utf-8", "utf8")
    is_text = len(args) == 2 and (text(args[0]) is not None or isinstance(args[0], str | Span))
    return is_text and text(args[1]) in codecs


def _byte_content(args: _Args, uses: Uses) -> bool:
    """Bytes or text, never a number, which would be a size to allocate."""
    if not args:
        return True
    first = args[0]
    encoded = isinstance(first, Call) and first.name == "_codecs.encode"
    return (encoded or isinstance(first, str | Span)) and _literals(args[1:], uses)


def _array_class(args: _Args, uses: Uses) -> bool:
    return len(args) == 3 and _is_array(args[0], uses)


def _is_array(value: Value, uses: Uses) -> bool:
    return uses.of(value) is not None and str(value) in _ARRAYS


def _array_values(args: _Args, uses: Uses) -> bool:
    """Classes of arrays, sizes and bytes."""
    return all(
        _is_literal(a)
        or _is_array(a, uses)
        or (isinstance(a, Call) and a.name == "_codecs.encode")
        or (isinstance(a, Tuple) and _literals(a.items, uses))
        for a in args
    )


def _element_type(args: _Args, uses: Uses) -> bool:
    """The code of a dtype, or the class of a record, and two switches."""
    record = isinstance(args[0], Global) and args[0].name == "record" if args else False
    return (record and uses.of(args[0]) is not None and _literals(args[1:], uses)) or _literals(
        args, uses
    )


def _bit_generator(args: _Args, uses: Uses) -> bool:
    """Its name, its class or itself, and the function of numpy's that finds it by these."""
    for arg in args:
        maker = arg.callable if isinstance(arg, Call) else arg
        if isinstance(maker, Global) and maker.name in _MAKERS_OF_GENERATORS:
            maker = maker if uses.of(maker) is not None else None
        entry = uses.of(maker)
        known = entry is not None and _module(maker).startswith("numpy.random")
        is_class = entry is not None and entry.use is Use.CLASS
        if not _is_literal(arg) and not (
            known and (is_class or _name(maker) in _MAKERS_OF_GENERATORS)
        ):
            return False
    return True


def _plain_class(args: _Args, uses: Uses) -> bool:
    """A class, ``object`` or the built-in type that it is one of, and what that starts from."""
    if len(args) != 3 or not isinstance(args[0], Global):
        return False
    entry, base = uses.of(args[0]), args[1]
    if entry is not None and entry.use is not Use.CLASS:
        return False
    is_object = _name(base) == "object" and args[2] is None
    is_builtin = _module(base) in _BUILTINS and _name(base) in _BASES
    return (is_object or is_builtin) and uses.of(base) is not None and not sets_dunder(args[2])


def _class_first(args: _Args, uses: Uses) -> bool:
    """A listed class, and what it may be made with."""
    if not args or not isinstance(args[0], Global):
        return False
    entry = uses.of(args[0])
    made = Call(args[0], Tuple(args[1:]), None, "NEWOBJ", args[0].at)
    return entry is not None and entry.use is Use.CLASS and not uses.call_problem(made)


def _classes(args: _Args, uses: Uses) -> bool:
    """Classes and values on the list, and literals."""
    return all(_is_literal(a) or uses.of(a) is not None for a in args)


def _factory(args: _Args, uses: Uses) -> bool:
    """None or a built-in type, which a `defaultdict` calls for a missing key."""
    first = args[0] if args else None
    known = _module(first) in (*_BUILTINS, "collections") and _name(first) in _FACTORIES
    return first is None or (known and uses.of(first) is not None)


def _rebuilt(args: _Args, uses: Uses) -> bool:
    """``func, type, args, state``: torch calls ``func(*args)``, then hands it the state.

    So ``func`` must be one that makes tensors: another thing's ``__setstate__`` may run its state.
    """
    if len(args) != 4 or not isinstance(args[0], Global) or uses.of(args[0]) is None:
        return False
    inner = Call(args[0], args[2], None, "REDUCE", args[0].at)
    tensor = args[0].module == "torch._utils" and args[0].name.startswith("_rebuild_")
    return tensor and not uses.call_problem(inner) and not sets_dunder(args[3])


def _dill_array(args: _Args, uses: Uses) -> bool:
    """``func, args, state, attributes``: dill calls ``func(*args)``, and sets the other two."""
    if len(args) != 4 or _name(args[0]) != "_reconstruct":
        return False
    inner = Call(args[0], args[1], None, "REDUCE", 0)
    return (
        uses.of(args[0]) is not None and not uses.call_problem(inner) and not sets_dunder(args[3])
    )


def _stated(args: _Args, _: Uses) -> bool:
    """``data, requires_grad, hooks, state``: torch sets the state's keys as attributes."""
    return len(args) == 4 and not sets_dunder(args[3])


def _partial(args: _Args, uses: Uses) -> bool:
    """A function that only computes, or a class; it is not called yet."""
    return len(args) == 1 and may_wait(args[0], uses)


def may_wait(value: Value, uses: Uses) -> bool:
    """True for what may be called at any later time, with anything: values and classes.

    Not for classes that open a file by their first argument, nor for one that calls its own.
    """
    entry = uses.of(value)
    opens = str(value).startswith(_OPENERS) or str(value) == "functools.partial"
    return entry is not None and entry.use is not Use.FUNCTION and not opens


def _member(args: _Args, uses: Uses) -> bool:
    """A listed enumeration and the name of one of its values, as Python 3.11 wrote them."""
    if len(args) != 2:
        return False
    entry, name = uses.of(args[0]), text(args[1])
    if isinstance(args[0], Global) and str(args[0]) == _ZONE:
        return name == "_unpickle" and entry is not None
    is_enum = entry is not None and entry.arguments == "an enumeration's value"
    return is_enum and name is not None and name.isidentifier() and not name.startswith("_")


def _singleton(args: _Args, _: Uses) -> bool:
    """``type(None)``, and those of the two other constants that pickle writes so."""
    if len(args) != 1:
        return False
    constants = ("Ellipsis", "NotImplemented")
    return args[0] is None or (_module(args[0]) in _BUILTINS and _name(args[0]) in constants)


def _class_in_front(args: _Args, uses: Uses) -> bool:
    """A listed class, and what its own reader makes of the rest: Cython sets what is in dicts."""
    entry = uses.of(args[0]) if args else None
    return entry is not None and entry.use is Use.CLASS and not any(map(sets_dunder, args[1:]))


def _by_name(args: _Args, uses: Uses) -> bool:
    """The module and the name of a listed value, as text."""
    module, name = (text(args[0]), text(args[1])) if len(args) == 2 else (None, None)
    entry = uses.entry(module, name) if module and name else None
    return entry is not None and entry.use is Use.VALUE


def is_zone(maker: Call, args: Value) -> bool:
    """``getattr(ZoneInfo, "_unpickle")(key, from_cache)``, with a key that is no path."""
    given = maker.arguments
    made = maker.name in ("builtins.getattr", "__builtin__.getattr") and len(given) == 2
    if not made or not isinstance(given[0], Global) or str(given[0]) != _ZONE:
        return False
    parts = args.items if isinstance(args, Tuple) else ()
    key = text(parts[0]) if len(parts) == 2 else None
    return key is not None and _ZONE_KEY.fullmatch(key) is not None


def _handed(args: _Args, uses: Uses) -> bool:
    """One constant, which whoever lists the name so must look at as a file."""
    if len(args) != 1:
        return False
    encoded = isinstance(args[0], Call) and args[0].name == "_codecs.encode"
    value = args[0].arguments[0] if encoded and isinstance(args[0], Call) else args[0]
    uses.handed.append(value)
    return isinstance(value, Span | str)


def _data_type(args: _Args, _: Uses) -> bool:
    """The name of a type of values; dill's table has those of functions, code and frames too."""
    name = text(args[0]) if len(args) == 1 else None
    return name is not None and (not name.endswith("Type") or name in _DATA_TYPES)


def _name(value: Value) -> str:
    return value.name if isinstance(value, Global) else ""


def _module(value: Value) -> str:
    return value.module if isinstance(value, Global) else ""


_ZONE: Final = "zoneinfo.ZoneInfo"
_ZONE_KEY: Final = re.compile(r"\w[\w+-]*(/\w[\w+-]*){0,3}", re.ASCII)
_Args: TypeAlias = tuple[Value, ...]
_ARRAYS: Final = frozenset(
    f"{module}.{name}"
    for module in (
        "numpy",
        "numpy.rec",
        "numpy.matrixlib.defmatrix",
        "numpy.core.records",
        "numpy.ma",
    )
    for name in ("ndarray", "matrix", "recarray", "MaskedArray")
) | {"numpy.ma.core.MaskedArray"}
_DATA_TYPES: Final = ("NoneType", "EllipsisType", "NotImplementedType", "BufferType")
_MAKERS_OF_GENERATORS: Final = ("__bit_generator_ctor",)
_BASES: Final = frozenset({"dict", "list", "tuple", "set", "frozenset", "int", "float", "str"})
_FACTORIES: Final = _BASES | {"bool", "object", "OrderedDict", "Counter", "deque", "bytes"}
_OPENERS: Final = (
    "ultralytics.engine.",
    "ultralytics.models.",
    "ultralytics.nn.autobackend.",
    "ultralytics.nn.backends.",
    "xgboost.core.Booster",
    "lightgbm.basic.Booster",
)
_DICTS: Final = ("collections.", "copyreg.", "copy_reg.")
_MOST_DICTS: Final = 1000
"""A dict from a dict from a dict: more than anybody writes."""
CLASS_FIRST: Final = frozenset(
    {"a listed class", "a listed class and its arguments", "a listed class first"}
)
"""The words for functions that make an instance of the class that they are given."""
_BUILTINS = ("builtins", "__builtin__")
ARGUMENTS: Final[dict[str, Callable[[_Args, Uses], bool]]] = {
    "any": lambda _args, _uses: True,
    "none": _none,
    "literals": _literals,
    "text and a codec": _codec,
    "bytes": _byte_content,
    "ndarray": _array_class,
    "array classes and plain values": _array_values,
    "an element type": _element_type,
    "a bit generator": _bit_generator,
    "a listed class": _plain_class,
    "a listed class and its arguments": _class_first,
    "listed names and literals": _classes,
    "a built-in type": _factory,
    "a listed rebuild": _rebuilt,
    "a plain state": _stated,
    "numpy's own function": _dill_array,
    "a listed function": _partial,
    "an enumeration's value": _literals,
    "a listed enumeration and a name": _member,
    "a constant that is looked at": _handed,
    "a singleton": _singleton,
    "a type of data by its name": _data_type,
    "a listed class first": _class_in_front,
    "module and name of a listed value": _by_name,
}
ARGUMENT_WORDS = frozenset(ARGUMENTS)
