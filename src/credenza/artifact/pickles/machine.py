"""The machine: 68 opcodes over abstract values.

Semantics follow CPython's `Modules/_pickle.c`, whose stack cannot be popped below a mark. Where
C and Python differ, or torch's own unpickler does, the bytes are refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from credenza.artifact.interface import Bytes
from credenza.artifact.model import Program
from credenza.artifact.pickles import interleaved
from credenza.artifact.pickles.errors import BrokenPickleError, broken
from credenza.artifact.pickles.operands import OPERANDS
from credenza.artifact.pickles.stream import Frames, Limits, Stream
from credenza.artifact.pickles.usage import Uses
from credenza.artifact.pickles.values import (
    Call,
    Dict,
    Global,
    Kind,
    List,
    OutOfBand,
    Persistent,
    Set,
    Span,
    Tuple,
    Value,
    text,
)
from credenza.findings import Where

HIGHEST_PROTOCOL = 5
_FEW = 4
_NAME = 16
"""What some opcodes cost, counted in those that push a number."""
_NAMES = {op.code.encode("latin-1")[0]: op.name for op in pickletools.opcodes}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pickle:
    """One pickle, interpreted. ``stop`` is the first byte behind its STOP.

    ``value`` is the root of the graph, ``programs`` every name that loading would look up and
    every operation that allowed names do not need, by offset; ``calls`` counts the calls. Bytes
    behind ``stop`` are the caller's to judge. ``protocol`` is the highest that the stream
    declared, 0 for none; ``arrays`` counts those that joblib has put between its opcodes.
    """

    value: Value
    programs: tuple[Program, ...]
    calls: int
    start: int
    stop: int
    protocol: int
    arrays: int = 0


def interpret(
    file: Bytes,
    start: int = 0,
    limits: Limits | None = None,
    *,
    joblib: bool = False,
    uses: Uses | None = None,
    frames: Frames = Frames.REFUSE,
) -> Pickle:
    """What the pickle at byte ``start`` would build. Nothing of it is run.

    With ``joblib`` it may have arrays between its opcodes, as `interleaved` says. ``uses`` holds
    the list of names that it is judged by, and has seen all that was read, whatever is raised;
    what comes back has no programs then, which are there.
    ``frames`` says how an operand is read that crosses the end of its frame.

    Raises `BrokenPickleError`, which holds the programs found up to there, for a stream that
    ends early, a memo or stack entry that was never put, an unknown opcode, a protocol above 5,
    an opcode across a frame's end, text that is not UTF-8, or a limit passed.
    """
    stream = Stream(file, start, limits or Limits(), frames)
    machine = _Machine(file, stream, limits or Limits(), uses or Uses(), joblib=joblib)
    if uses is not None:
        return machine.run()
    try:
        found = machine.run()
    except BrokenPickleError as e:
        raise BrokenPickleError(e.finding, machine.uses.programs(), machine.uses.calls) from e
    return replace(found, programs=machine.uses.programs())


class _Machine:
    """The state of one stream. Each stream has a memo of its own, as each unpickler does."""

    def __init__(
        self, file: Bytes, stream: Stream, limits: Limits, uses: Uses, *, joblib: bool
    ) -> None:
        self.stream = stream
        self.file = file
        self.start = stream.at
        self.limits = limits
        self.joblib = joblib
        self.at = stream.at
        self.code = 0
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo: dict[int, Value] = {}
        self.uses = uses
        self.short_frame = False
        self.protocol = 0
        self.arrays = 0
        self.opcodes = 0
        self.objects = 0

    def run(self) -> Pickle:
        try:
            self._steps()
            value = self.pop()
            if self.short_frame:
                self.refuse("pickle-frame", "a frame goes past the file's end, and STOP does not")
            strict = self.stream.frames is Frames.REFUSE
            if strict and self.stream.frame_stop not in (None, self.stream.at):
                self.refuse("pickle-frame", "the frame goes on behind STOP")
        finally:
            self.uses.read_through(self.opcodes, self.stream.constants)
        return Pickle(
            value=value,
            programs=(),
            calls=self.uses.calls,
            start=self.start,
            stop=self.stream.at,
            protocol=self.protocol,
            arrays=self.arrays,
        )

    def _steps(self) -> None:
        """Every opcode up to STOP."""
        stream, most = self.stream, self.limits.opcodes
        next_code, operands, acts = stream.code, OPERANDS.get, _ACTS.get
        while True:
            self.at = stream.at
            self.opcodes += 1
            if self.opcodes > most:
                self.refuse("pickle-limit", f"more than {most} opcodes")
            self.code = code = next_code()
            operand = operands(code)
            if operand is not None:
                self.stack.append(operand(stream))
                continue
            act = acts(code)
            if act is not None:
                act(self)
            elif code == _STOP:
                return
            else:
                self.refuse("pickle-opcode", f"unknown opcode 0x{code:02x}")

    def refuse(self, rule: str, what: str) -> NoReturn:
        raise broken(rule, f"pickle: {what}", Where(file=self.file.path, start=self.at))

    @property
    def opcode(self) -> str:
        """The name of the opcode at hand, for findings."""
        return _NAMES[self.code]

    def push(self, value: Value) -> None:
        self.stack.append(value)

    def count(self) -> None:
        """One more object that a byte or two of the file have made."""
        self.objects += 1
        if self.objects > self.limits.objects:
            self.refuse("pickle-limit", f"more than {self.limits.objects} objects")

    def weigh(self, weight: int) -> None:
        """An opcode that costs as much as so many others, in time and in memory."""
        self.opcodes += weight
        self.objects += weight
        self.count()

    def make(self, value: Value) -> None:
        """A container or an instance."""
        self.count()
        self.stack.append(value)

    def pop(self) -> Value:
        if not self.stack:
            self.refuse("pickle-stack", "the stack is empty where a value is needed")
        return self.stack.pop()

    def top(self) -> Value:
        if not self.stack:
            self.refuse("pickle-stack", "the stack is empty where a value is needed")
        return self.stack[-1]

    def pop_mark(self) -> list[Value]:
        """Everything above the last mark."""
        if not self.marks:
            self.refuse("pickle-stack", "there is no mark where one is needed")
        items = self.stack
        self.stack = self.marks.pop()
        return items

    # --- the stream itself -----------------------------------------------------

    def proto(self) -> None:
        protocol = self.stream.unsigned(1)
        if protocol > HIGHEST_PROTOCOL:
            self.refuse("pickle-protocol", f"protocol {protocol}, and {HIGHEST_PROTOCOL} is known")
        self.protocol = max(protocol, self.protocol)

    def frame(self) -> None:
        """A frame past the file's end is read on by Python's unpickler, and refused by C's."""
        self.opcodes += _FEW
        stream = self.stream
        length = stream.unsigned(8)
        if stream.at == stream.frame_stop:
            stream.frame_stop = None
        stop = stream.at + length
        if stream.frames is Frames.REFUSE and stream.frame_stop is not None:
            self.refuse("pickle-frame", "a frame begins inside another")
        if stop > self.file.size:
            if stream.frames is not Frames.REFUSE:
                self.refuse("pickle-truncated", f"a frame of {length} bytes past the file's end")
            self.short_frame = True
        elif stream.frames is Frames.SKIP:
            self.frame_on(length)
        elif stream.frames is Frames.REFUSE:
            stream.frame_stop = stop if length else None

    def frame_on(self, length: int) -> None:
        """As C reads a file: a frame inside another is a part of it, or begins behind it."""
        stream = self.stream
        outer = stream.frame_stop
        if outer is None:
            stream.frame_stop = stream.at + length
        elif stream.at + length > outer:
            stream.at, stream.frame_stop = outer, outer + length

    # --- stack and memo --------------------------------------------------------

    def mark(self) -> None:
        self.count()
        self.marks.append(self.stack)
        self.stack = []

    def pop_one(self) -> None:
        """POP drops the mark itself where nothing stands above it."""
        if self.stack or not self.marks:
            self.pop()
        else:
            self.pop_mark()

    def pop_marked(self) -> None:
        self.pop_mark()

    def dup(self) -> None:
        self.push(self.top())

    def put(self, key: int) -> None:
        if not 0 <= key < self.limits.memo:
            self.refuse("pickle-memo", f"memo entry {key} is out of bounds")
        if key not in self.memo:
            self.count()
        self.memo[key] = self.top()

    def memoize(self) -> None:
        """MEMOIZE, in pickles of today every fourth opcode."""
        key = len(self.memo)
        if self.stack and key not in self.memo and key < self.limits.memo:
            self.count()
            self.memo[key] = self.stack[-1]
        else:
            self.put(key)

    def get(self, key: int) -> None:
        if key not in self.memo:
            self.refuse("pickle-memo", f"memo entry {key} was never put")
        self.push(self.memo[key])

    def line_key(self) -> int:
        """The memo key of GET and PUT: a decimal line, in all the spellings that Python takes."""
        line = self.stream.line().partition(b"\0")[0]  # C ends it there
        try:
            return int(line)
        except ValueError:
            self.refuse("pickle-memo", "a memo key that is no number")

    # --- containers ------------------------------------------------------------

    def tuple_of(self, length: int) -> None:
        items = [self.pop() for _ in range(length)]
        self.make(Tuple(tuple(reversed(items))))

    def dict_of(self, items: list[Value]) -> list[tuple[Value, Value]]:
        if len(items) % 2:
            self.refuse("pickle-stack", "a key without its value")
        return list(zip(items[::2], items[1::2], strict=True))

    def extend(self, items: list[Value]) -> None:
        """APPEND and APPENDS, onto a list or an instance that takes items."""
        target = self.top()
        self.uses.filled(target, self.opcode, self.at)
        match target:
            case List() | Call():
                target.items.extend(items)

    def add(self, items: list[Value]) -> None:
        """ADDITEMS, onto a set or an instance that takes items."""
        target = self.top()
        self.uses.added(target, self.opcode, self.at)
        match target:
            case Set() | Call():
                target.items.extend(items)

    def assign(self, items: list[Value]) -> None:
        """SETITEM and SETITEMS, onto a dict or an instance that takes keys."""
        pairs = self.dict_of(items)
        target = self.top()
        self.uses.assigned(target, pairs, self.opcode, self.at)
        match target:
            case Dict() | Call():
                target.pairs.extend(pairs)

    def setitem(self) -> None:
        value, key = self.pop(), self.pop()
        self.assign([key, value])

    # --- names and calls -------------------------------------------------------

    def named(self, module: str, name: str) -> Global:
        """A name that the loader would look up."""
        self.weigh(_NAME)
        found = Global(module, name, self.at)
        self.uses.look_up(found)
        return found

    def global_(self) -> None:
        self.push(self.named_by_lines())

    def named_by_lines(self) -> Global:
        module = self.stream.decode(self.stream.line(), self.at)
        name = self.stream.decode(self.stream.line(), self.at)
        return self.named(module, name)

    def stack_global(self) -> None:
        """A name that is no text constant was made by a call: any name at all."""
        name, module = self.word(self.pop()), self.word(self.pop())
        self.push(self.named(module, name))

    def word(self, value: Value) -> str:
        """A part of a name; every loader refuses what is no text and never becomes one."""
        known = text(value)
        if known is not None:
            return known
        is_bytes = isinstance(value, Span) and value.kind in (Kind.BYTES, Kind.BYTEARRAY)
        if is_bytes or not isinstance(value, Span | Call | Global | Persistent):
            self.refuse("pickle-operand", "a name that is no text")
        return "(computed)"

    def extension(self, length: int) -> None:
        """EXT1/2/4 look a name up in a registry of the loading process (PEP 307)."""
        code = self.stream.signed(length) if length == 4 else self.stream.unsigned(length)
        if code <= 0:
            self.refuse("pickle-operand", f"extension code {code}")
        self.weigh(_NAME)
        found = Global("copyreg", f"extension({code})", self.at)
        self.uses.look_up(found, kind="pickle extension")
        self.push(found)

    def call(self, callable_: Value, args: Value, kwargs: Value = None) -> None:
        self.opcodes += _FEW
        made = Call(callable_, args, kwargs, self.opcode, self.at)
        self.uses.called(made)
        self.make(made)

    def reduce(self) -> None:
        args, callable_ = self.pop(), self.pop()
        self.call(callable_, args)

    def newobj_ex(self) -> None:
        kwargs, args, class_ = self.pop(), self.pop(), self.pop()
        self.call(class_, args, kwargs)

    def inst(self) -> None:
        class_ = self.named_by_lines()
        self.call(class_, Tuple(tuple(self.pop_mark())))

    def obj(self) -> None:
        items = self.pop_mark()
        if not items:
            self.refuse("pickle-stack", "OBJ without a class")
        self.call(items[0], Tuple(tuple(items[1:])))

    def build(self) -> None:
        self.opcodes += 2 * _FEW
        state, target = self.pop(), self.top()
        self.uses.built(target, state, self.at)
        if isinstance(target, Call):
            target.states.append(state)
            if self.joblib and interleaved.is_wrapper(target):
                self.interleaved(target)

    def interleaved(self, wrapper: Call) -> None:
        """Here joblib reads an array from the file, and puts it in the place of its wrapper."""
        stream = self.stream
        if stream.frame_stop not in (None, stream.at):
            self.refuse("pickle-frame", "an array of joblib inside a frame")
        stream.frame_stop = None
        self.arrays += 1
        placed = interleaved.place(self.file, wrapper, stream.at)
        self.uses.interleaved(wrapper, ambiguous=placed.ambiguous)
        self.pop()
        if placed.stop is not None:
            stream.at = placed.stop
            self.push(placed.array(placed.stop))
            return
        nested = interpret(self.file, placed.start, self.limits, uses=self.uses)
        stream.at = nested.stop
        self.push(nested.value)

    def persid(self) -> None:
        line = self.stream.line()
        if not line.isascii():
            self.refuse("pickle-text", "a persistent id that is not ASCII")
        self.persist(line.decode("ascii"))

    def persist(self, id_: Value) -> None:
        self.weigh(_FEW)
        found = Persistent(id_, self.at)
        self.uses.persisted(found)
        self.push(found)

    def readonly(self) -> None:
        self.top()


def _acts() -> dict[int, Callable[[_Machine], None]]:
    """What each opcode does that is more than pushing its operand."""
    by_code: dict[bytes, Callable[[_Machine], None]] = {
        b"\x80": _Machine.proto,
        b"\x95": _Machine.frame,
        b"(": _Machine.mark,
        b"0": _Machine.pop_one,
        b"1": _Machine.pop_marked,
        b"2": _Machine.dup,
        b"g": lambda m: m.get(m.line_key()),
        b"h": lambda m: m.get(m.stream.byte()),
        b"j": lambda m: m.get(m.stream.unsigned(4)),
        b"p": lambda m: m.put(m.line_key()),
        b"q": lambda m: m.put(m.stream.byte()),
        b"r": lambda m: m.put(m.stream.unsigned(4)),
        b"\x94": _Machine.memoize,
        b"]": lambda m: m.make(List()),
        b"}": lambda m: m.make(Dict()),
        b"\x8f": lambda m: m.make(Set()),
        b"t": lambda m: m.make(Tuple(tuple(m.pop_mark()))),
        b"\x85": lambda m: m.tuple_of(1),
        b"\x86": lambda m: m.tuple_of(2),
        b"\x87": lambda m: m.tuple_of(3),
        b"l": lambda m: m.make(List(m.pop_mark())),
        b"d": lambda m: m.make(Dict(m.dict_of(m.pop_mark()))),
        b"\x91": lambda m: m.make(Set(m.pop_mark(), frozen=True)),
        b"a": lambda m: m.extend([m.pop()]),
        b"e": lambda m: m.extend(m.pop_mark()),
        b"s": _Machine.setitem,
        b"u": lambda m: m.assign(m.pop_mark()),
        b"\x90": lambda m: m.add(m.pop_mark()),
        b"c": _Machine.global_,
        b"\x93": _Machine.stack_global,
        b"i": _Machine.inst,
        b"o": _Machine.obj,
        b"R": _Machine.reduce,
        b"\x81": _Machine.reduce,
        b"\x92": _Machine.newobj_ex,
        b"b": _Machine.build,
        b"\x82": lambda m: m.extension(1),
        b"\x83": lambda m: m.extension(2),
        b"\x84": lambda m: m.extension(4),
        b"P": _Machine.persid,
        b"Q": lambda m: m.persist(m.pop()),
        b"\x97": lambda m: m.push(OutOfBand(m.at)),
        b"\x98": _Machine.readonly,
    }
    return {code[0]: act for code, act in by_code.items()}


_STOP = ord(".")
_ACTS = _acts()


def is_opcode(byte: int) -> bool:
    """True for the first byte of a pickle, of which there are 68."""
    return byte in OPERANDS or byte in _ACTS or byte == _STOP
