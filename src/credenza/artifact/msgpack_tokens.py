"""MessagePack's values as they stand in a file, one at a time, without what they hold.

https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NoReturn

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.findings import Where

_WINDOW: Final = 1 << 16
_SHORT: Final = (
    (0x00, 0x7F, "integer"),
    (0x80, 0x8F, "map"),
    (0x90, 0x9F, "array"),
    (0xA0, 0xBF, "text"),
)
_FIXED: Final = {
    0xC0: ("nothing", 0),
    0xC2: ("boolean", 0),
    0xC3: ("boolean", 0),
    0xCA: ("float", 4),
    0xCB: ("float", 8),
    **{0xCC + i: ("unsigned", 1 << i) for i in range(4)},
    **{0xD0 + i: ("signed", 1 << i) for i in range(4)},
}
_LENGTHS: Final = {
    0xC4: ("bytes", 1),
    0xC5: ("bytes", 2),
    0xC6: ("bytes", 4),
    0xC7: ("extension", 1),
    0xC8: ("extension", 2),
    0xC9: ("extension", 4),
    0xD9: ("text", 1),
    0xDA: ("text", 2),
    0xDB: ("text", 4),
    0xDC: ("array", 2),
    0xDD: ("array", 4),
    0xDE: ("map", 2),
    0xDF: ("map", 4),
}
_EXTENSIONS: Final = {0xD4 + i: 1 << i for i in range(5)}


@dataclass(frozen=True, slots=True)
class Token:
    """One value as it stands at byte ``at``: its kind, and a number, a text or a count of it.

    Of bytes and extensions ``value`` is their length, and they begin at ``stop``; ``code`` is an
    extension's type.
    """

    kind: str
    value: Any
    at: int
    stop: int
    code: int = 0


class Tokens:
    """Reads values of a file through a window of it."""

    def __init__(self, file: Bytes) -> None:
        self.file = file
        self._start = 0
        self._window = b""

    def read(self, at: int) -> Token:
        """The value at ``at``, without what a map, array or extension holds."""
        code = self._take(at, 1)[0]
        for first, last, kind in _SHORT:
            if first <= code <= last:
                return self._sized(kind, at, at + 1, code - first)
        if code >= 0xE0:
            return Token("integer", code - 256, at, at + 1)
        if code in _FIXED:
            kind, width = _FIXED[code]
            return self._fixed(kind, at, width)
        if code in _LENGTHS:
            kind, width = _LENGTHS[code]
            length = int.from_bytes(self._take(at + 1, width), "big")
            return self._sized(kind, at, at + 1 + width, length)
        if code in _EXTENSIONS:
            return self._extension(at, at + 1, _EXTENSIONS[code])
        raise self.refusal("msgpack-type", f"no value begins with the byte 0x{code:02x}", at)

    def _fixed(self, kind: str, at: int, width: int) -> Token:
        data = self._take(at + 1, width)
        value = int.from_bytes(data, "big", signed=kind == "signed")
        name = "integer" if kind in ("signed", "unsigned") else kind
        return Token(name, value, at, at + 1 + width)

    def _sized(self, kind: str, at: int, start: int, length: int) -> Token:
        """A value of which the length is known, and what follows begins at ``start``."""
        if kind == "integer":
            return Token(kind, length, at, start)
        if kind == "text":
            return self._text(at, start, length)
        if kind == "extension":
            return self._extension(at, start, length)
        most = (self.file.size - start) // (2 if kind == "map" else 1)
        if kind in ("map", "array") and length > most:
            what = f"the file ends within a {kind}"
            self.refuse("msgpack-truncated", what, at, f"{length} values", f"room for {most}")
        return Token(kind, length, at, start)

    def _text(self, at: int, start: int, length: int) -> Token:
        """A text; one that is longer than any key stays in the file."""
        if start + length > self.file.size:
            self.refuse("msgpack-truncated", "the file ends within a text", at)
        if length > _WINDOW:
            return Token("long text", None, at, start + length)
        data = self._take(start, length)
        try:
            return Token("text", data.decode("utf-8"), at, start + length)
        except UnicodeDecodeError:
            self.refuse("msgpack-text", "a text that is not UTF-8", at, "UTF-8", data.hex()[:80])

    def _extension(self, at: int, start: int, length: int) -> Token:
        code = int.from_bytes(self._take(start, 1), "big", signed=True)
        return Token("extension", length, at, start + 1, code)

    def check_inside(self, token: Token, stop: int) -> None:
        if stop > self.file.size:
            left = f"{self.file.size - token.stop}"
            what = "the file ends within a value"
            self.refuse("msgpack-truncated", what, token.at, f"{token.value} bytes", left)

    def _take(self, at: int, length: int) -> bytes:
        """Bytes of the file, by way of a window of it."""
        if at + length > self.file.size:
            self.refuse("msgpack-truncated", "the file ends within a value", at)
        if not self._start <= at <= at + length <= self._start + len(self._window):
            self._start = at
            self._window = self.file.pread(at, min(max(length, _WINDOW), self.file.size - at))
        return self._window[at - self._start : at - self._start + length]

    def refuse(
        self, rule: str, what: str, at: int, expected: str = "", found: str = ""
    ) -> NoReturn:
        """Raise `BrokenPickleError` by that rule, at that byte."""
        raise self.refusal(rule, what, at, expected, found)

    def refusal(
        self, rule: str, what: str, at: int, expected: str = "", found: str = ""
    ) -> BrokenPickleError:
        """The refusal by that rule, at that byte."""
        where = Where(file=self.file.path, start=at)
        return broken(rule, f"msgpack: {what}", where, expected=expected, found=found)
