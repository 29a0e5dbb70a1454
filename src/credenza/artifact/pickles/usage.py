"""Whether what a pickle does with the names on the allow-list is what they are there for.

A list of names is not enough: BUILD on a function object from an allowed module overwrites its
attributes and runs code (protectai/modelscan issue 330), and a function that calls its argument
lends its place on the list to it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from credenza.artifact.model import Program
from credenza.artifact.pickles.allowed import TENSORS, Allowed, Names, Use
from credenza.artifact.pickles.stream import Constant
from credenza.artifact.pickles.values import (
    Call,
    Dict,
    Global,
    List,
    Persistent,
    Set,
    Span,
    Tuple,
    Value,
    holds_objects,
    text,
)

MOST_PERSISTENT: Final = 100_000
MOST_MISUSES: Final = 10_000


@final
@dataclass(frozen=True, slots=True, eq=False)
class Misuse:
    """An operation that the list does not permit.

    ``of`` is the name that it misuses, if one. ``between`` says that it is only this: bytes of
    joblib's stand between the opcodes, and pickle reads them as opcodes.
    """

    what: str
    at: int
    of: Global | None
    between: bool = False


@final
class Uses:
    """Every name that pickles look up, and every use that its place on the list forbids.

    ``names`` is the list. ``looked_up`` has each name with its kind in the order of the stream,
    ``first_calls`` the first call of each that is not on the list, ``misuses`` what the list does
    not permit. ``calls`` and ``opcodes`` are counted; ``constants`` are the long ones, and
    ``persistent`` the objects that a loader is asked for, the first `MOST_PERSISTENT` of them.
    ``handed`` are constants that a listed function takes for a file, which must be looked at.
    """

    def __init__(self, names: Names = TENSORS) -> None:
        self.names = names
        self.looked_up: dict[Global, str] = {}
        self.first_calls: dict[Global, Call] = {}
        self.misuses: list[Misuse] = []
        self.calls = 0
        self.opcodes = 0
        self.constants: list[Constant] = []
        self.persistent: list[Persistent] = []
        self.handed: list[Value] = []
        self.entry = functools.cache(names.entry)

    def programs(self) -> tuple[Program, ...]:
        """Names and forbidden operations, by offset."""
        misused = {m.of for m in self.misuses if m.of is not None}
        names = [
            Program(kind=kind, name=str(g), start=g.at, allowed=self.permits(g, misused))
            for g, kind in self.looked_up.items()
        ]
        operations = [
            Program(kind="pickle operation", name=m.what, start=m.at) for m in self.misuses
        ]
        return tuple(sorted(names + operations, key=lambda p: (p.start, p.kind)))

    def permits(self, name: Global, misused: set[Global]) -> bool:
        """True for a name on the list, of which nothing was made that the list forbids."""
        plain = self.looked_up[name] == "pickle global"
        return plain and name not in misused and self.entry(name.module, name.name) is not None

    def read_through(self, opcodes: int, constants: Iterable[Constant]) -> None:
        """A stream was read, to its end or to where it breaks."""
        self.opcodes += opcodes
        self.constants += constants

    def look_up(self, name: Global, kind: str = "pickle global") -> None:
        self.looked_up[name] = kind

    def persisted(self, value: Persistent) -> None:
        if len(self.persistent) < MOST_PERSISTENT:
            self.persistent.append(value)

    def called(self, call: Call) -> None:
        """REDUCE, NEWOBJ, NEWOBJ_EX, INST or OBJ."""
        self.calls += 1
        name = call.callable
        if isinstance(name, Persistent):
            call.callable = name = _class_of(name)
        if isinstance(name, Global) and self.entry(name.module, name.name) is None:
            self.first_calls.setdefault(name, call)
            return
        problem = self.call_problem(call)
        if problem:
            self._misuse(name, f"{call.opcode} {problem}", call.at)
            if isinstance(name, Global):
                self.first_calls.setdefault(name, call)

    def built(self, target: Value, state: Value, at: int) -> None:
        """BUILD sets attributes, or hands the state to ``__setstate__``."""
        problem = self._target_problem(target, lambda entry: entry.state)
        if not problem and _sets_dunder(state):
            problem = "sets a name with two underscores"
        if not problem and isinstance(target, Call):
            problem = self._state_problem(target, state)
        if problem:
            self._misuse(target, f"BUILD {problem}", at)

    def _state_problem(self, target: Call, state: Value) -> str:
        made = self.made_of(target)
        entry = self.of(made)
        if entry is None or _STATES[entry.states](target, state, self):
            return ""
        return f"gives {made} another state than {entry.states}"

    def made_of(self, call: Call) -> Value:
        """The class that a call makes an instance of: ``copyreg`` is handed it."""
        if call.name in _MAKERS and call.arguments:
            return call.arguments[0]
        return call.callable

    def interleaved(self, wrapper: Call, *, ambiguous: bool) -> None:
        """An array stands in the stream, as joblib writes it."""
        if ambiguous:
            what = f"{wrapper.opcode} before bytes that pickle reads"
            of = wrapper.callable if isinstance(wrapper.callable, Global) else None
            if len(self.misuses) < MOST_MISUSES:
                self.misuses.append(Misuse(what, wrapper.at, of, between=True))

    def filled(self, target: Value, opcode: str, at: int) -> None:
        if not isinstance(target, List):
            self._added_to(target, opcode, at, lambda entry: entry.items)

    def added(self, target: Value, opcode: str, at: int) -> None:
        if not isinstance(target, Set) or target.frozen:
            self._added_to(target, opcode, at, lambda entry: entry.items)

    def assigned(self, target: Value, opcode: str, at: int) -> None:
        if not isinstance(target, Dict):
            self._added_to(target, opcode, at, lambda entry: entry.pairs)

    def _added_to(
        self, target: Value, opcode: str, at: int, permits: Callable[[Allowed], bool]
    ) -> None:
        problem = self._target_problem(target, permits)
        if problem:
            self._misuse(target, f"{opcode} {problem}", at)

    def _target_problem(self, target: Value, permits: Callable[[Allowed], bool]) -> str:
        """Why an instance may not be filled; empty where it may, or is not on the list anyway."""
        if not isinstance(target, Call):
            return f"on {_described(target)}, which no call has made"
        made = self.made_of(target)
        entry = self.of(made)
        if entry is not None and not permits(entry):
            return f"on what {made} has made"
        return ""

    def _misuse(self, target: Value, what: str, at: int) -> None:
        if isinstance(target, Call):
            target = target.callable
        if len(self.misuses) < MOST_MISUSES:
            of = target if isinstance(target, Global) else None
            self.misuses.append(Misuse(what, at, of))

    def of(self, value: Value) -> Allowed | None:
        """The entry of a value that is a name on the list."""
        return self.entry(value.module, value.name) if isinstance(value, Global) else None

    def call_problem(self, call: Call) -> str:
        """Why a call is not one that the list permits; empty where it is.

        A call of a name that is not on the list has no problem of its own: the name is the problem.
        """
        if not isinstance(call.callable, Global):
            if isinstance(call.callable, Call) and _is_zone(call.callable, call.args):
                return ""
            return f"on {_described(call.callable)}, which is no name"
        entry = self.of(call.callable)
        if entry is None:
            return ""
        instantiates = call.opcode in ("NEWOBJ", "NEWOBJ_EX")
        if entry.use is Use.VALUE or (instantiates and entry.use is not Use.CLASS):
            return f"on {call.name}, which is listed as a {entry.use.value}"
        if not isinstance(call.args, Tuple):
            return f"of {call.name} with arguments that are no tuple"
        if call.kwargs is not None and not (
            isinstance(call.kwargs, Dict) and not call.kwargs.pairs
        ):
            return f"of {call.name} with keyword arguments"
        if not _ARGUMENTS[entry.arguments](call.args.items, self):
            return f"of {call.name} with other arguments than {entry.arguments}"
        return ""


def _has_pairs(kwargs: Value) -> bool:
    return not isinstance(kwargs, Dict) or bool(kwargs.pairs)


def _class_of(persistent: Persistent) -> Value:
    """The class that torch's stacked format keeps with its source: ``('module', class, …)``."""
    parts = persistent.id.items if isinstance(persistent.id, Tuple) else ()
    if len(parts) == 4 and text(parts[0]) == "module" and isinstance(parts[1], Global):
        return parts[1]
    return persistent


def _described(value: Value) -> str:
    match value:
        case Global():
            return str(value)
        case Call():
            return "the result of a call"
        case Persistent():
            return "a persistent object"
        case Span():
            return value.kind.value
        case _:
            return f"a {type(value).__name__}".lower()


_HARMLESS: Final = frozenset({"__doc__", "__name__", "__qualname__"})


def _sets_dunder(state: Value) -> bool:
    """True where a state's keys would reach the object's machinery, as ``__class__`` does.

    So may a key that a call makes, which can be any text: ``numpy.str_`` is one.
    """
    parts = state.items if isinstance(state, Tuple) else (state,)
    keys = [key for part in parts if isinstance(part, Dict | Call) for key, _ in part.pairs]
    return any(
        isinstance(key, Call | Global)
        or ((text(key) or "").startswith("__") and text(key) not in _HARMLESS)
        for key in keys
    )


# --- what arguments a name on the list takes, by the words that the list uses -----------------


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
    return (is_object or is_builtin) and uses.of(base) is not None


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
    """``func, type, args, state``: torch calls ``func(*args)``, then sets the state."""
    if len(args) != 4 or not isinstance(args[0], Global) or uses.of(args[0]) is None:
        return False
    inner = Call(args[0], args[2], None, "REDUCE", args[0].at)
    nested = args[0].name == "_rebuild_from_type_v2"
    return not nested and not uses.call_problem(inner) and not _sets_dunder(args[3])


def _dill_array(args: _Args, uses: Uses) -> bool:
    """``func, args, state, attributes``: dill calls ``func(*args)``, and sets the other two."""
    if len(args) != 4 or _name(args[0]) != "_reconstruct":
        return False
    inner = Call(args[0], args[1], None, "REDUCE", 0)
    return (
        uses.of(args[0]) is not None and not uses.call_problem(inner) and not _sets_dunder(args[3])
    )


def _stated(args: _Args, _: Uses) -> bool:
    """``data, requires_grad, hooks, state``: torch sets the state's keys as attributes."""
    return len(args) == 4 and not _sets_dunder(args[3])


def _partial(args: _Args, uses: Uses) -> bool:
    """A function on the list, which is not called yet."""
    return len(args) == 1 and uses.of(args[0]) is not None


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
    """A listed class, and what its own reader makes of the rest."""
    entry = uses.of(args[0]) if args else None
    return entry is not None and entry.use is Use.CLASS


def _by_name(args: _Args, uses: Uses) -> bool:
    """The module and the name of a listed value, as text."""
    module, name = (text(args[0]), text(args[1])) if len(args) == 2 else (None, None)
    entry = uses.entry(module, name) if module and name else None
    return entry is not None and entry.use is Use.VALUE


def _is_zone(maker: Call, args: Value) -> bool:
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
_MAKERS_OF_GENERATORS: Final = ("__bit_generator_ctor",)
_BASES: Final = frozenset({"dict", "list", "tuple", "set", "frozenset", "int", "float", "str"})
_FACTORIES: Final = _BASES | {"bool", "object", "OrderedDict", "Counter", "deque", "bytes"}
_MAKERS = ("copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__")
_BUILTINS = ("builtins", "__builtin__")
_ARGUMENTS: dict[str, Callable[[_Args, Uses], bool]] = {
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
    "a listed class first": _class_in_front,
    "module and name of a listed value": _by_name,
}
ARGUMENT_WORDS = frozenset(_ARGUMENTS)


# --- what state it may be given ---------------------------------------------------------------


def _any_state(_call: Call, _: Value, _uses: Uses) -> bool:
    return True


def _plain_state(_call: Call, state: Value, _: Uses) -> bool:
    """A dict of attributes, or nothing, as `object.__getstate__` gives it; and slots."""
    parts = state.items if isinstance(state, Tuple) else (state,)
    return len(parts) <= 2 and all(p is None or isinstance(p, Dict) for p in parts)


def _plain_dict(_call: Call, state: Value, _: Uses) -> bool:
    """A dict whose keys are all written out."""
    return isinstance(state, Dict) and all(text(key) is not None for key, _ in state.pairs)


_OBJECTS: Final = 0x01
"""``NPY_ITEM_REFCOUNT`` of a dtype's flags."""


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
    objects = code.lstrip("<>|=").startswith("O") or holds_objects(parts[:7])
    return type(flags) is int and bool(flags & _OBJECTS) == objects


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
        and uses.of(state.items[0]) is not None
        and isinstance(state.items[1], Tuple)
        and all(part is None or isinstance(part, Dict) for part in state.items[2:])
    )


_STATES: dict[str, Callable[[Call, Value, Uses], bool]] = {
    "any": _any_state,
    "plain attributes": _plain_state,
    "a plain dict": _plain_dict,
    "a dtype's own": _dtype_state,
    "scipy's own template": _distribution_state,
    "a listed function and its arguments": _partial_state,
}
STATE_WORDS = frozenset(_STATES)
