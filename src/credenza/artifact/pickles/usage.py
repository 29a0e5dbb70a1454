"""Whether what a pickle does with the names on the allow-list is what they are there for.

A list of names is not enough: BUILD on a function object from an allowed module overwrites its
attributes and runs code (protectai/modelscan issue 330), and a function that calls its argument
lends its place on the list to it.
"""

from __future__ import annotations

from collections.abc import Callable

from credenza.artifact.model import Program
from credenza.artifact.pickles.allowed import Allowed, Use, allowed
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
    text,
)


class Uses:
    """Every name that one pickle looks up, and every use that its place on the list forbids."""

    def __init__(self) -> None:
        self._kinds: dict[Global, str] = {}
        self._misused: set[Global] = set()
        self._operations: list[Program] = []
        self.calls = 0

    def programs(self) -> tuple[Program, ...]:
        """Names and forbidden operations, by offset."""
        names = [
            Program(kind=kind, name=str(g), start=g.at, allowed=self._is_allowed(g))
            for g, kind in self._kinds.items()
        ]
        return tuple(sorted(names + self._operations, key=lambda p: (p.start, p.kind)))

    def looked_up(self, name: Global, kind: str = "pickle global") -> None:
        self._kinds[name] = kind

    def called(self, call: Call) -> None:
        """REDUCE, NEWOBJ, NEWOBJ_EX, INST or OBJ."""
        self.calls += 1
        problem = call_problem(call)
        if problem:
            self._misuse(call.callable, f"{call.opcode} {problem}", call.at)

    def built(self, target: Value, state: Value, at: int) -> None:
        """BUILD sets attributes, or hands the state to ``__setstate__``."""
        problem = self._target_problem(target, lambda entry: entry.state)
        if not problem and _sets_dunder(state):
            problem = "sets a name with two underscores"
        if problem:
            self._misuse(target, f"BUILD {problem}", at)

    def interleaved(self, wrapper: Call, *, ambiguous: bool) -> None:
        """An array stands in the stream, as joblib writes it."""
        if ambiguous:
            self._misuse(wrapper, f"{wrapper.opcode} before bytes that pickle reads", wrapper.at)

    def nested(self, programs: tuple[Program, ...], calls: int) -> None:
        """A pickle inside the pickle."""
        self._operations += programs
        self.calls += calls

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
        entry = _entry(target.callable)
        if entry is not None and not permits(entry):
            return f"on what {target.name} has made"
        return ""

    def _misuse(self, target: Value, what: str, at: int) -> None:
        if isinstance(target, Call):
            target = target.callable
        if isinstance(target, Global):
            self._misused.add(target)
        self._operations.append(Program(kind="pickle operation", name=what, start=at))

    def _is_allowed(self, name: Global) -> bool:
        return (
            self._kinds[name] == "pickle global"
            and name not in self._misused
            and _entry(name) is not None
        )


def call_problem(call: Call) -> str:
    """Why a call is not one that the list permits; empty where it is.

    A call of a name that is not on the list has no problem of its own: the name is the problem.
    """
    if not isinstance(call.callable, Global):
        return f"on {_described(call.callable)}, which is no name"
    entry = _entry(call.callable)
    if entry is None:
        return ""
    instantiates = call.opcode in ("NEWOBJ", "NEWOBJ_EX")
    if entry.use is Use.VALUE or (instantiates and entry.use is not Use.CLASS):
        return f"on {call.name}, which is listed as a {entry.use.value}"
    if not isinstance(call.args, Tuple):
        return f"of {call.name} with arguments that are no tuple"
    if call.kwargs is not None and not (isinstance(call.kwargs, Dict) and not call.kwargs.pairs):
        return f"of {call.name} with keyword arguments"
    if not _ARGUMENTS[entry.arguments](call.args.items):
        return f"of {call.name} with other arguments than {entry.arguments}"
    return ""


def _entry(value: Value) -> Allowed | None:
    return allowed(value.module, value.name) if isinstance(value, Global) else None


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


def _sets_dunder(state: Value) -> bool:
    """True where a state's keys would reach the object's machinery, as ``__class__`` does."""
    parts = state.items if isinstance(state, Tuple) else (state,)
    keys = [text(key) for part in parts if isinstance(part, Dict) for key, _ in part.pairs]
    return any(key is not None and key.startswith("__") for key in keys)


# --- what arguments a name on the list takes, by the words that the list uses -----------------


def _is_literal(value: Value) -> bool:
    return value is None or isinstance(value, bool | int | float | str | Span)


def _literals(args: tuple[Value, ...]) -> bool:
    return all(_is_literal(a) for a in args)


def _codec(args: tuple[Value, ...]) -> bool:
    """A codec's name is a module's name to Python, so only these."""
    codecs = ("latin1", "latin-1", "ascii", "utf-8", "utf8")
    is_text = len(args) == 2 and (text(args[0]) is not None or isinstance(args[0], str | Span))
    return is_text and text(args[1]) in codecs


def _byte_content(args: tuple[Value, ...]) -> bool:
    """Bytes or text, never a number, which would be a size to allocate."""
    if not args:
        return True
    first = args[0]
    encoded = isinstance(first, Call) and first.name == "_codecs.encode"
    return (encoded or isinstance(first, str | Span)) and _literals(args[1:])


def _array_class(args: tuple[Value, ...]) -> bool:
    return len(args) == 3 and isinstance(args[0], Global) and str(args[0]) == "numpy.ndarray"


def _plain_class(args: tuple[Value, ...]) -> bool:
    """A listed class, ``object``, and nothing to start from."""
    if len(args) != 3 or args[2] is not None:
        return False
    entry, base = _entry(args[0]), args[1]
    is_object = isinstance(base, Global) and base.name == "object"
    return entry is not None and entry.use is Use.CLASS and is_object and _entry(base) is not None


def _factory(args: tuple[Value, ...]) -> bool:
    """None or a built-in type, which a `defaultdict` calls for a missing key."""
    first = args[0] if args else None
    return first is None or (_entry(first) is not None and _module(first) in _BUILTINS)


def _rebuilt(args: tuple[Value, ...]) -> bool:
    """``func, type, args, state``: torch calls ``func(*args)``, then sets the state."""
    if len(args) != 4 or not isinstance(args[0], Global) or _entry(args[0]) is None:
        return False
    inner = Call(args[0], args[2], None, "REDUCE", args[0].at)
    nested = args[0].name == "_rebuild_from_type_v2"
    return not nested and not call_problem(inner) and not _sets_dunder(args[3])


def _stated(args: tuple[Value, ...]) -> bool:
    """``data, requires_grad, hooks, state``: torch sets the state's keys as attributes."""
    return len(args) == 4 and not _sets_dunder(args[3])


def _module(value: Value) -> str:
    return value.module if isinstance(value, Global) else ""


_BUILTINS = ("builtins", "__builtin__")
_ARGUMENTS: dict[str, Callable[[tuple[Value, ...]], bool]] = {
    "any": lambda _: True,
    "literals": _literals,
    "text and a codec": _codec,
    "bytes": _byte_content,
    "ndarray": _array_class,
    "a listed class": _plain_class,
    "a built-in type": _factory,
    "a listed rebuild": _rebuilt,
    "a plain state": _stated,
}
ARGUMENT_WORDS = frozenset(_ARGUMENTS)
