"""The key-value metadata of a GGUF file, each value as text that changes whenever it does.

Numbers come with their type (``uint32 32``), strings as they are. An array is shown whole if it is
short, else by its length and the SHA-256 of its elements as the file has them; a string likewise.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn, final

from credenza.artifact.interface import Bytes
from credenza.artifact.window import WIDTH, Window, shown
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where

LONGEST_SHOWN: Final = 1 << 16
"""In bytes: a string up to here is shown whole. Chat templates are."""

LONGEST_NAME: Final = 65535
"""In bytes: what the specification allows a key, and here a tensor too."""

MOST_NESTED: Final = 4
"""How many arrays may lie in one another."""

MOST_STRINGS: Final = 20_000_000
"""In the arrays of one file, arrays in arrays counted with them. Tokenizers have a million."""

_MOST_ELEMENTS_SHOWN: Final = 16
_STRING, _ARRAY, _BOOL, _UINT32 = 8, 9, 7, 4


class _Number(NamedTuple):
    name: str
    code: str
    text: Callable[[Any], str] = str


def _single(value: float) -> str:
    return f"{value:.9g}"  # as many digits as tell every float32 from the next


def _truth(value: int) -> str:
    return "true" if value else "false"


_NUMBERS: Final[dict[int, _Number]] = {
    0: _Number("uint8", "B"),
    1: _Number("int8", "b"),
    2: _Number("uint16", "H"),
    3: _Number("int16", "h"),
    4: _Number("uint32", "I"),
    5: _Number("int32", "i"),
    6: _Number("float32", "f", _single),
    7: _Number("bool", "B", _truth),
    10: _Number("uint64", "Q"),
    11: _Number("int64", "q"),
    12: _Number("float64", "d", repr),
}
_NAMES: Final = {t: n.name for t, n in _NUMBERS.items()} | {_STRING: "string", _ARRAY: "array"}
_SMALLEST: Final = {t: struct.calcsize(n.code) for t, n in _NUMBERS.items()} | {
    _STRING: 8,
    _ARRAY: 12,
}


@final
@dataclass(slots=True)
class Cursor:
    """A place in a GGUF header that moves on as it is read. ``order`` is ``<`` or ``>``."""

    window: Window
    order: str
    at: int = 0

    @classmethod
    def of(cls, file: Bytes, order: str, at: int) -> Cursor:
        """One at that byte of the file."""
        return cls(Window(file), order, at)

    def number(self, code: str) -> Any:
        """The next number, of that `struct` code."""
        width = struct.calcsize(code)
        self.need(width)
        piece = self.window.read(self.at, width)
        self.at += width
        return struct.unpack(self.order + code, piece)[0]

    def need(self, length: int) -> None:
        """Refuse a file that ends before ``length`` more bytes."""
        left = self.window.size - self.at
        if length > left:
            what = "the file ends inside its header"
            self.refuse("gguf-truncated", self.at, what, f"{length} more bytes", f"{left}")

    def string(self) -> tuple[int, int]:
        """The next string: where its bytes begin and end."""
        length = self.number("Q")
        self.need(length)
        self.at += length
        return self.at - length, self.at

    def name(self, taken: set[str], rule: str, what: str) -> str:
        """The next string as a name that no other has."""
        at = self.at
        start, stop = self.string()
        if stop - start > LONGEST_NAME:
            wanted = f"up to {LONGEST_NAME} bytes"
            self.refuse("gguf-name", at, "a name is too long", wanted, f"{stop - start}")
        name = self.text(start, stop)
        if name in taken:
            self.refuse(rule, at, what, "each name once", ascii(name)[:120])
        taken.add(name)
        return name

    def text(self, start: int, stop: int) -> str:
        """A string of the header as metadata: `shown`."""
        try:
            return shown(self.window, start, stop, LONGEST_SHOWN)
        except UnicodeDecodeError as e:
            found = self.window.read(start + e.start, e.end - e.start).hex(" ")
            self.refuse("gguf-utf8", start + e.start, "a string is not UTF-8", "UTF-8", found)

    def refuse(self, rule: str, at: int, what: str, expected: str, found: str) -> NoReturn:
        """Refuse the file for what is at that byte."""
        raise malformed(self.window.file.path, rule, at, what, expected, found)


def value(cursor: Cursor) -> tuple[str, int | None]:
    """The next value, with its type before it, as text; and itself if it is a uint32."""
    kind = _kind(cursor)
    if kind == _STRING:
        return cursor.text(*cursor.string()), None
    if kind == _ARRAY:
        return _array(cursor), None
    number = _number(cursor, kind)
    text = f"{_NUMBERS[kind].name} {_NUMBERS[kind].text(number)}"
    return text, number if kind == _UINT32 else None


def string_or_value(cursor: Cursor) -> tuple[int, int] | None:
    """Where the next value begins and ends, if it is a string; else None, and it is passed over."""
    at = cursor.at
    if _kind(cursor) == _STRING:
        return cursor.string()
    cursor.at = at
    value(cursor)
    return None


def _kind(cursor: Cursor) -> int:
    at = cursor.at
    kind: int = cursor.number("I")
    if kind not in _NAMES:
        cursor.refuse("gguf-value-type", at, "a value has no known type", "0 to 12", f"{kind}")
    return kind


def _number(cursor: Cursor, kind: int) -> Any:
    at = cursor.at
    number = cursor.number(_NUMBERS[kind].code)
    if kind == _BOOL and number > 1:
        cursor.refuse("gguf-boolean", at, "a boolean is neither 0 nor 1", "0 or 1", f"{number}")
    return number


def _array(cursor: Cursor) -> str:
    kind, count, start = _skip_array(cursor, 1)
    stop = cursor.at
    text = f"array of {count} {_NAMES[kind]}"
    if kind in _NUMBERS and count <= _MOST_ELEMENTS_SHOWN:
        cursor.at = start
        numbers = [_number(cursor, kind) for _ in range(count)]
        return f"{text}: {', '.join(map(_NUMBERS[kind].text, numbers))}"
    return f"{text}, sha256 {cursor.window.sha256(start, stop)}"


def _skip_array(cursor: Cursor, depth: int) -> tuple[int, int, int]:
    """Go over an array: its elements' type, how many they are, and where they begin."""
    at = cursor.at
    if depth > MOST_NESTED:
        wanted = f"up to {MOST_NESTED} in one another"
        cursor.refuse("gguf-nested", at, "arrays are nested too deep", wanted, f"{depth}")
    kind = _kind(cursor)
    count: int = cursor.number("Q")
    start = cursor.at
    left = (cursor.window.size - start) // _SMALLEST[kind]
    if count > left:
        what = "an array is longer than the file"
        cursor.refuse("gguf-count", at, what, f"up to {left} elements", f"{count}")
    if kind in _NUMBERS:
        cursor.at += count * _SMALLEST[kind]
        if kind == _BOOL:
            _check_booleans(cursor, start)
        return kind, count, start
    cursor.window.steps += count
    if cursor.window.steps > MOST_STRINGS:
        what, wanted = "arrays hold more strings than a model", f"up to {MOST_STRINGS}"
        cursor.refuse("gguf-count", at, what, wanted, f"{cursor.window.steps}")
    if kind == _STRING:
        _skip_strings(cursor, count)
    else:
        for _ in range(count):
            _skip_array(cursor, depth + 1)
    return kind, count, start


def _skip_strings(cursor: Cursor, count: int) -> None:
    """Go over so many strings, many at a time: a tokenizer has a million."""
    length_at = struct.Struct(f"{cursor.order}Q").unpack_from
    while count:
        piece = cursor.window.read(cursor.at, WIDTH)
        at, last = 0, len(piece) - 8
        while count and at <= last:
            stop = at + 8 + length_at(piece, at)[0]
            if cursor.at + stop > cursor.window.size:
                break
            at = stop
            count -= 1
        cursor.at += at
        if not at:
            cursor.string()  # it ends behind the file, and says so


def _check_booleans(cursor: Cursor, start: int) -> None:
    for at, piece in cursor.window.pieces(start, cursor.at):
        if rest := piece.lstrip(b"\0\1"):
            what, place = "a boolean is neither 0 nor 1", at + len(piece) - len(rest)
            cursor.refuse("gguf-boolean", place, what, "0 or 1", f"{rest[0]}")


def malformed(
    path: str, rule: str, at: int, what: str, expected: str, found: str, tensor: str | None = None
) -> MalformedError:
    """A refusal of a GGUF file for what is at that byte, or at that tensor's entry."""
    return MalformedError(
        Finding(
            rule=f"artifact.{rule}",
            severity=Severity.HIGH,
            what=what,
            where=Where(file=path, start=at, tensor=tensor and ascii(tensor)[1:-1]),
            expected=expected,
            found=found,
        )
    )
