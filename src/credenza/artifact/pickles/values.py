"""What a pickle's stack holds while nothing is run: abstract values.

Nodes compare and hash by identity and their ``repr`` stops at the first level: a graph may be as
deep as the file is long, may hold itself, and may refer to one node 2⁴⁰ times over.
None, bool, int, float and str stand for themselves.
"""

from __future__ import annotations

import codecs
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from credenza.artifact.interface import Bytes

KEPT = 512
"""A span of at most this many bytes carries its content along: names, dtypes, short texts."""


class Kind(enum.Enum):
    """How the bytes of a span are to be read."""

    BYTES = "bytes"
    BYTEARRAY = "bytearray"
    TEXT = "UTF-8 text"
    STRING = "Python 2 string"
    ESCAPED_STRING = "Python 2 string with escapes"
    ESCAPED_TEXT = "text with escapes"


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Bytes or text that stay in the file: ``length`` bytes of it from ``start``.

    ``content`` is the value's own bytes (escapes undone) where they are at most `KEPT`.
    """

    kind: Kind
    start: int
    length: int
    content: bytes | None

    @property
    def raw(self) -> bool:
        """True where the bytes in the file are the value's bytes, one for one."""
        return self.kind in (Kind.BYTES, Kind.BYTEARRAY, Kind.STRING)

    def read(self, file: Bytes) -> bytes:
        """The value's bytes; of text, its UTF-8 encoding. ``file`` is what was interpreted.

        Raises `ValueError` for escapes that Python's unpickler would not read either.
        """
        piece = file.pread(self.start, self.length)
        return unescape(self.kind, piece)


def unescape(kind: Kind, piece: bytes) -> bytes:
    """The bytes that a span of that kind stands for. Raises `ValueError` for a bad escape."""
    if kind is Kind.ESCAPED_STRING:
        return codecs.escape_decode(piece)[0]
    if kind is Kind.ESCAPED_TEXT:
        return piece.decode("raw-unicode-escape").encode("utf-8", "surrogatepass")
    return piece


@dataclass(slots=True, eq=False)
class List:
    """A list. It grows while the pickle is read, and may hold itself."""

    items: list[Value] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Tuple:
    """A tuple. Not Python's own, whose hash and comparison would descend into the items."""

    items: tuple[Value, ...] = field(default=(), repr=False)


@dataclass(slots=True, eq=False)
class Dict:
    """A dict as its pairs in the order of writing: a later pair replaces an earlier one."""

    pairs: list[tuple[Value, Value]] = field(default_factory=list, repr=False)


@dataclass(slots=True, eq=False)
class Set:
    """A set, or a frozenset."""

    items: list[Value] = field(default_factory=list, repr=False)
    frozen: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """A name that a loader would look up, at byte ``at``: ``module`` is imported for it."""

    module: str
    name: str
    at: int

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Call:
    """What a loader would get by calling ``callable``, by the opcode at byte ``at``.

    ``states`` are what BUILD was given for it, ``items`` and ``pairs`` what APPEND(S), ADDITEMS
    and SETITEM(S) added to it.
    """

    callable: Value = field(repr=False)
    args: Value = field(repr=False)
    kwargs: Value = field(repr=False)
    opcode: str
    at: int
    states: list[Value] = field(default_factory=list, repr=False)
    items: list[Value] = field(default_factory=list, repr=False)
    pairs: list[tuple[Value, Value]] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        """The dotted name of what is called; empty where that is no global."""
        return str(self.callable) if isinstance(self.callable, Global) else ""

    @property
    def arguments(self) -> tuple[Value, ...]:
        """The positional arguments; empty where they are not a plain tuple."""
        return self.args.items if isinstance(self.args, Tuple) else ()


@dataclass(frozen=True, slots=True, eq=False)
class Persistent:
    """An object that the loader is asked for by an id of its own making."""

    id: Value = field(repr=False)
    at: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class OutOfBand:
    """The next of the buffers that travel beside the pickle (protocol 5)."""

    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Interleaved:
    """An array whose bytes joblib has put between two opcodes: ``span`` of the file."""

    dtype: Value = field(repr=False)
    shape: Value = field(repr=False)
    fortran: bool
    span: Span


Value = (
    None
    | bool
    | int
    | float
    | str
    | Span
    | List
    | Tuple
    | Dict
    | Set
    | Global
    | Call
    | Persistent
    | OutOfBand
    | Interleaved
)


def text(value: Value) -> str | None:
    """The text that a value is, None where it is none.

    A short ASCII string of Python 2 is text, as it is to ``pickle.loads`` by default.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Span) and value.content is not None:
        if value.kind in (Kind.BYTES, Kind.BYTEARRAY):
            return None
        if value.kind in (Kind.STRING, Kind.ESCAPED_STRING) and not value.content.isascii():
            return None
        return value.content.decode("utf-8", "surrogatepass")
    return None


def children(value: Value) -> Iterator[Value]:
    """The values that a node refers to; none of a constant."""
    match value:
        case List(items) | Set(items):
            yield from items
        case Tuple(items):
            yield from items
        case Dict(pairs):
            for pair in pairs:
                yield from pair
        case Persistent(id_):
            yield id_
        case Call():
            yield from (value.callable, value.args, value.kwargs, *value.states, *value.items)
            for pair in value.pairs:
                yield from pair
        case _:
            return


def holds_objects(state: Sequence[Value]) -> bool:
    """True where a dtype's state has Python objects in one of its fields, at any depth."""
    todo, seen = list(state), set[int]()
    while todo:
        value = todo.pop()
        if id(value) in seen or not isinstance(value, Call | Dict | Tuple):
            continue
        seen.add(id(value))
        code = text(value.arguments[0]) if isinstance(value, Call) and value.arguments else None
        if code is not None and code.startswith("O"):
            return True
        todo.extend(children(value))
    return False
