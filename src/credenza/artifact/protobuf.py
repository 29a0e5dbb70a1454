"""Protocol Buffers on the wire: fields and where they lie, without reading what they hold.

https://protobuf.dev/programming-guides/encoding/. Stricter than a decoder has to be, so that no two
can see two messages in one: a singular field is given once, in the type that its schema says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn, final

from credenza.artifact.interface import Bytes
from credenza.artifact.window import Window, shown
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where

LONGEST_TEXT: Final = 1 << 16
"""In bytes: how long a name may be, and up to which length another text is shown whole."""

MOST_FIELDS: Final = 20_000_000
"""Of a file, those looked at several times counted so: a graph of 500,000 nodes has fewer."""

_MOST_AT_ONCE: Final = 2_000_000
"""Of those, what takes seconds: the bound for who looks at a file of which nothing is known."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10
_LONGEST_HEAD: Final = 2 * _LONGEST_VARINT  # a tag, and a number or length
_AHEAD: Final = 1024
_KINDS: Final = {"int": _VARINT, "fixed64": _FIXED64, "bytes": _BYTES, "fixed32": _FIXED32}


class Field(NamedTuple):
    """One field: its number, its tag's byte, and the bytes from ``start`` to ``stop`` of its value.

    ``value`` is the number of a varint. ``wire`` is its wire type.
    """

    number: int
    wire: int
    at: int
    start: int
    stop: int
    value: int = 0


class _Known(NamedTuple):
    name: str
    wire: int
    repeated: bool


@final
@dataclass(frozen=True, slots=True)
class Schema:
    """A message type: its fields by number."""

    name: str
    fields: Mapping[int, _Known]

    def fits(self, fields: frozenset[tuple[int, int]]) -> bool:
        """Whether a message with those fields may be of this type; unknown fields may be in it."""
        return all(
            wire == known.wire or (known.repeated and wire == _BYTES)
            for number, wire in fields
            if (known := self.fields.get(number)) is not None
        )

    def has(self, fields: frozenset[tuple[int, int]], name: str) -> bool:
        """Whether the field of that name is among them."""
        given = {number for number, _ in fields}
        return any(known.name == name and n in given for n, known in self.fields.items())

    @classmethod
    def of(cls, message: str, **fields: tuple[int, str]) -> Schema:
        """A schema from names, numbers, and kinds: ``int``, ``bytes``, ``fixed32*`` (repeated)."""
        known = {
            number: _Known(name, _KINDS[kind.rstrip("*")], kind.endswith("*"))
            for name, (number, kind) in fields.items()
        }
        return cls(message, known)


@final
@dataclass(slots=True)
class Message:
    """A message of a file, from byte ``start`` to ``stop``: its singular fields by name.

    ``repeated`` names the repeated fields that it has, ``unknown`` the numbers of up to
    `_MOST_UNKNOWN` fields that its schema lacks.
    """

    window: Window
    schema: Schema
    start: int
    stop: int
    singular: dict[str, Field] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, window: Window, schema: Schema, start: int, stop: int) -> Message:
        """The message there. Raises `MalformedError` where it is none of that schema."""
        message = cls(window, schema, start, stop)
        for found in _scan(window, start, stop):
            message._take(found)
        return message

    def _take(self, found: Field) -> None:
        known = self.schema.fields.get(found.number)
        if known is None:
            if len(self.unknown) < _MOST_UNKNOWN:
                self.unknown.add(found.number)
            return
        packed = known.repeated and found.wire == _BYTES
        if found.wire != known.wire and not packed:
            what = f"the field {known.name} of a {self.schema.name} has another wire type"
            refuse(
                self.window, "protobuf-wire-type", found.at, what, f"{known.wire}", f"{found.wire}"
            )
        if known.repeated:
            self.repeated.add(known.name)
        elif known.name in self.singular:
            what = f"the field {known.name} of a {self.schema.name} is given twice"
            refuse(self.window, "protobuf-twice", found.at, what, "it once", "a second one")
        else:
            self.singular[known.name] = found

    def each(self, *names: str) -> Iterator[tuple[str, Field]]:
        """The repeated fields of those names, in order. They are looked for again each time."""
        if not self.repeated.intersection(names):
            return
        for found in _scan(self.window, self.start, self.stop):
            known = self.schema.fields.get(found.number)
            if known is not None and known.name in names:
                yield known.name, found

    def number(self, name: str) -> int:
        """A varint; 0 where it is not given."""
        found = self.singular.get(name)
        return found.value if found else 0

    def text(self, name: str) -> str:
        """A name; empty where it is not given."""
        found = self.singular.get(name)
        return text(self.window, found) if found else ""

    def shown(self, name: str) -> str:
        """A text for people: itself if it is short, else its size and digest."""
        found = self.singular.get(name)
        if found is None or found.stop - found.start <= LONGEST_TEXT:
            return self.text(name)
        return shown(self.window, found.start, found.stop, LONGEST_TEXT)

    def numbers(self, name: str, most: int) -> tuple[int, ...] | None:
        """The varints of a repeated field, packed or not; None where there are over ``most``."""
        found: list[int] = []
        for _, item in self.each(name):
            if item.wire == _VARINT:
                found.append(item.value)
            at = item.start
            while item.wire == _BYTES and at < item.stop and len(found) <= most:
                value, at = _varint(self.window, at, item.stop)
                found.append(value)
            if len(found) > most:
                return None
        return tuple(found)


_MOST_UNKNOWN: Final = 16


def hurried(file: Bytes) -> Window:
    """A window on a file, in which no more fields are looked at than some seconds allow."""
    window = Window(file)
    window.steps = MOST_FIELDS - _MOST_AT_ONCE
    return window


def top(window: Window) -> frozenset[tuple[int, int]]:
    """The fields of a file that is one message: their numbers and wire types, each once.

    Raises `MalformedError` where it is none.
    """
    return frozenset((f.number, f.wire) for f in _scan(window, 0, window.size))


def text(window: Window, found: Field) -> str:
    """A field's bytes as a name. Refuses what is not UTF-8, or longer than `LONGEST_TEXT`."""
    size = found.stop - found.start
    if size > LONGEST_TEXT:
        what, wanted = "a name is too long", f"up to {LONGEST_TEXT} bytes"
        refuse(window, "protobuf-text", found.at, what, wanted, f"{size}")
    try:
        return window.read(found.start, size).decode()
    except UnicodeDecodeError as e:
        what, at = "a text is not UTF-8", found.start + e.start
        held = window.read(at, e.end - e.start).hex(" ")
        refuse(window, "protobuf-text", at, what, "UTF-8", held)


def _scan(window: Window, start: int, stop: int) -> Iterator[Field]:
    """The fields of a message, one behind the other."""
    at, held, first = start, b"", start
    while at < stop:
        if at + _LONGEST_HEAD > first + len(held) < stop or at > first + len(held):
            held, first = window.read(at, min(_AHEAD, stop - at)), at
        found = _field(window, held, at - first, at, stop)
        window.steps += 1
        if window.steps > MOST_FIELDS:
            what, wanted = "the file has more fields than a model", f"up to {MOST_FIELDS}"
            refuse(window, "protobuf-count", at, what, wanted, "more")
        yield found
        at = found.stop


def _field(window: Window, held: bytes, i: int, at: int, stop: int) -> Field:
    """The field at byte ``at`` of the file, which is byte ``i`` of ``held``."""
    tag, after = _decoded(window, held, i, at)
    number, wire = tag >> 3, tag & 7
    if not 0 < number < 1 << 29:
        what = "a field has an impossible number"
        refuse(window, "protobuf-field", at, what, "1 to 2^29 - 1", f"{number}")
    begin = value = length = 0
    if wire in (_VARINT, _BYTES):
        value, begin = _decoded(window, held, after, at + after - i)
    if wire == _VARINT:
        return Field(number, wire, at, at + after - i, at + begin - i, value)
    if wire == _BYTES:
        length, after = value, begin
    elif wire in (_FIXED64, _FIXED32):
        length = 8 if wire == _FIXED64 else 4
    else:
        what = "a field has a wire type that is not in use"
        refuse(window, "protobuf-wire-type", at, what, "0, 1, 2 or 5", f"{wire}")
    begin = at + after - i
    if length > stop - begin:
        what = "a field ends after the message that it is in"
        refuse(window, "protobuf-length", at, what, f"up to {stop - begin} bytes", f"{length}")
    return Field(number, wire, at, begin, begin + length)


def _varint(window: Window, at: int, stop: int) -> tuple[int, int]:
    """A number of 64 bits, and the byte after it."""
    value, after = _decoded(window, window.read(at, min(_LONGEST_VARINT, stop - at)), 0, at)
    return value, at + after


def _decoded(  # noqa: RET503  what refuses does not return
    window: Window, held: bytes, i: int, at: int
) -> tuple[int, int]:
    """The number of 64 bits at byte ``i`` of ``held``, and the byte after it."""
    if i < len(held) and held[i] < 0x80:
        return held[i], i + 1
    value = 0
    for n, byte in enumerate(held[i : i + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * n
        if byte < 0x80 and value < 1 << 64:
            return value, i + n + 1
    what, found = "a number does not end, or has over 64 bits", window.read(at, 10).hex(" ")
    refuse(window, "protobuf-varint", at, what, "a varint", found or "nothing")


def refuse(
    window: Window, rule: str, at: int, what: str, expected: str, found: str, tensor: str = ""
) -> NoReturn:
    """Refuse a file for what is at that byte, or at the entry of that tensor."""
    raise MalformedError(
        Finding(
            rule=f"artifact.{rule}",
            severity=Severity.HIGH,
            what=what,
            where=Where(file=window.file.path, start=at, tensor=ascii(tensor)[1:-1] or None),
            expected=expected,
            found=found,
        )
    )
