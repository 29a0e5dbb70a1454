"""Whether what a pickle does with the names on the allow-list is what they are there for.

A list of names is not enough: BUILD on a function object from an allowed module overwrites its
attributes and runs code (protectai/modelscan issue 330), and a function that calls its argument
lends its place on the list to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from credenza.artifact.model import Program
from credenza.artifact.pickles.arguments import (
    ARGUMENTS,
    CLASS_FIRST,
    is_dunder,
    is_zone,
    sets_dunder,
)
from credenza.artifact.pickles.lists import TENSORS, Allowed, Names, Use
from credenza.artifact.pickles.states import STATES
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
    text,
)

MOST_PERSISTENT: Final = 100_000
MOST_MISUSES: Final = 10_000
_LOOKED_INTO: Final = 2000
"""Values of one state: attributes, not elements."""

_CALLED_BY_LOADERS: Final = frozenset(
    ("keys", "items", "values", "get", "setdefault", "update", "pop", "append", "extend", "copy")
) | {"startswith", "endswith", "decode", "encode", "detach", "requires_grad_", "numel", "read"}
_NEVER_CALLED: Final = ("numpy.dtype", "pandas.", "collections.")

Pairs: TypeAlias = Sequence[tuple[Value, Value]]


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
        """A loader asks its storages for numbers and names, and calls methods of these."""
        parts = value.id.items if isinstance(value.id, Tuple) else (value.id,)
        if any(isinstance(part, Call) and part.states for part in parts):
            self._misuse(value.id, "a persistent id with an object in it", value.at)
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
        if not problem and sets_dunder(state):
            problem = "sets a name with two underscores"
        if not problem and isinstance(target, Call):
            problem = self._state_problem(target, state)
        if not problem and self.lends(state):
            problem = "keeps a function that is listed to be called"
        if not problem and self._poses(state):
            problem = "gives an object a method that loaders call"
        if problem:
            self._misuse(target, f"BUILD {problem}", at)

    def _state_problem(self, target: Call, state: Value) -> str:
        made = self.made_of(target)
        entry = self.of(made)
        if entry is not None and target.states:
            return f"gives {made} a state for the second time"
        if entry is None or STATES[entry.states](target, state, self):
            return ""
        return f"gives {made} another state than {entry.states}"

    def made_of(self, call: Call) -> Value:
        """The class that a call makes an instance of: ``copyreg`` and others are handed it."""
        entry = self.of(call.callable)
        if entry is not None and entry.arguments in CLASS_FIRST and call.arguments:
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

    def assigned(self, target: Value, pairs: Pairs, opcode: str, at: int) -> None:
        """SETITEM(S). Of some the keys are attributes: `scipy.optimize.OptimizeResult`."""
        if isinstance(target, Dict):
            return
        self._added_to(target, opcode, at, lambda entry: entry.pairs)
        plain = isinstance(target, Call) and target.name.startswith("collections.")
        if not plain and any(is_dunder(k) or self._is_function(v) for k, v in pairs):
            self._misuse(target, f"{opcode} sets what is no plain key", at)

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

    def _is_function(self, value: Value) -> bool:
        entry = self.of(value)
        return entry is not None and entry.use is Use.FUNCTION

    def lends(self, state: Value) -> bool:
        """True for a state that keeps a function which is listed to be called, and by nobody else.

        Whoever calls the attribute, calls it with what it likes: ``getattr``, for one.
        """
        todo: list[Value] = [state]
        for _ in range(_LOOKED_INTO):
            if not todo:
                return False
            value = todo.pop()
            if isinstance(value, Global):
                if self._is_function(value):
                    return True
            elif isinstance(value, Dict):
                todo.extend(v for _, v in value.pairs[:_LOOKED_INTO] if not isinstance(v, Dict))
            elif isinstance(value, Tuple):
                todo.extend(value.items[:_LOOKED_INTO])
        return False

    def _poses(self, state: Value) -> bool:
        """True for attributes by which an object is called as if it were a dict, text or tensor.

        A class's own ``__setstate__`` may do so: ``defaults.setdefault`` in ``torch.optim``.
        """
        parts = state.items if isinstance(state, Tuple) else (state,)
        pairs = [pair for part in parts if isinstance(part, Dict) for pair in part.pairs]
        return any(self._is_callable(v) for k, v in pairs if text(k) in _CALLED_BY_LOADERS)

    def _is_callable(self, value: Value) -> bool:
        if not isinstance(value, Call):
            return self.of(value) is not None
        made = self.made_of(value)
        entry = self.of(made)
        if entry is None or entry.use is not Use.CLASS or not (value.states or value.pairs):
            return False
        return not str(made).startswith(_NEVER_CALLED)

    def _calls_back(self, argument: Value, caller: Global) -> bool:
        """True for an object with attributes of its own, on which a function might call methods.

        What an attribute is called, whoever wrote the pickle has chosen: ``detach``, for
        ``torch.nn.Parameter``, or ``keys``, for a dict. A library hands its own objects to its own
        functions; those may hold nothing that can be called.
        """
        if isinstance(argument, Tuple):
            return any(self._calls_back(a, caller) for a in argument.items if type(a) is Call)
        if not isinstance(argument, Call) or not (argument.states or argument.pairs):
            return False
        made = self.made_of(argument)
        entry = self.of(made)
        if entry is None or entry.use is not Use.CLASS or str(made) == "numpy.dtype":
            return False
        own = isinstance(made, Global) and made.module.partition(".")[0] in (
            caller.module.partition(".")[0],
            "collections",
        )
        return not own or any(self._holds_callable(state) for state in argument.states)

    def _holds_callable(self, state: Value) -> bool:
        parts = state.items if isinstance(state, Tuple) else (state,)
        values = [v for part in parts if isinstance(part, Dict) for _, v in part.pairs]
        return any(
            self.of(v) is not None or (isinstance(v, Call) and v.name == "functools.partial")
            for v in values
        )

    def of(self, value: Value) -> Allowed | None:
        """The entry of a value that is a name on the list."""
        return self.entry(value.module, value.name) if isinstance(value, Global) else None

    def call_problem(self, call: Call) -> str:
        """Why a call is not one that the list permits; empty where it is.

        A call of a name that is not on the list has no problem of its own: the name is the problem.
        """
        if not isinstance(call.callable, Global):
            if isinstance(call.callable, Call) and is_zone(call.callable, call.args):
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
        if not ARGUMENTS[entry.arguments](call.args.items, self):
            return f"of {call.name} with other arguments than {entry.arguments}"
        if any(self._calls_back(a, call.callable) for a in call.args.items):
            return f"of {call.name} with an object whose attributes it might call"
        return ""


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
