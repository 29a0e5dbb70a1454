"""A pickle's bytes as operands: windowed, so that no operand is copied for its size."""

from __future__ import annotations

import enum
import string
from dataclasses import dataclass
from typing import Final

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles.errors import BrokenPickleError, broken
from credenza.artifact.pickles.values import KEPT, Kind, Span, unescape
from credenza.findings import Where

WINDOW = 1 << 16
_IN_LINES = (string.ascii_letters + string.digits + "_.+-").encode()
"""What numbers and names are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one pickle may cost. Each stands far above what any honest file was seen to need.

    ``opcodes`` are counted, those that cost more as several, and as ``objects`` containers, calls,
    marks and memo entries, each of which takes a hundred bytes of memory for as little as one byte
    of the file. ``memo`` is the highest entry; ``number`` and ``text`` are bytes: of one integer or
    name, and of one text that is decoded (longer text stays in the file as a `Span`).
    """

    opcodes: int = 20_000_000
    objects: int = 20_000_000
    memo: int = 20_000_000
    number: int = 5000
    text: int = 1 << 16


class Frames(enum.Enum):
    """How an operand that crosses the end of its frame (PEP 3154) is read.

    CPython has three ways, and a pickle can be made that is another to each: `pickle.Unpickler` in
    Python refuses; in C, from bytes, it reads on as if there were no frames (`THROUGH`); in C,
    from a file, it drops what is left of the frame and reads the operand behind it (`SKIP`, see
    ``_Unpickler_ReadImpl`` of ``Modules/_pickle.c`` and python/cpython issue 154848).
    """

    REFUSE = "refuse"
    THROUGH = "through"
    SKIP = "skip"


LONG: Final = 16
"""Constants of at least this many bytes are noted: a shorter one hides no payload."""
MOST_LONG: Final = 100_000


@dataclass(frozen=True, slots=True)
class Constant:
    """A long constant: where its bytes stand in the file, and how they are to be read."""

    kind: Kind
    start: int
    length: int


class Stream:
    """Reads operands from ``file`` from ``start`` on. ``at`` is the next byte to be read.

    Inside a frame no operand may cross its end, where ``frames`` does not say how else it is
    read. ``constants`` are the first `MOST_LONG` of the long ones.
    """

    def __init__(
        self, file: Bytes, start: int, limits: Limits, frames: Frames = Frames.REFUSE
    ) -> None:
        self.at = start
        self.frames = frames
        self.constants: list[Constant] = []
        self._frame_stop: int | None = None
        self._file = file
        self._limits = limits
        self._base = start
        self._window = b""
        self._next = WINDOW >> 4
        self._near = start
        """Up to this byte the window holds what may be taken without a further look."""

    @property
    def frame_stop(self) -> int | None:
        """Where the frame at hand ends; None where there is none."""
        return self._frame_stop

    @frame_stop.setter
    def frame_stop(self, stop: int | None) -> None:
        self._frame_stop = stop
        self._set_near()

    def _set_near(self) -> None:
        stop = self._base + len(self._window)
        self._near = stop if self._frame_stop is None else min(stop, self._frame_stop)

    def code(self) -> int:
        """The next byte."""
        at = self.at
        if at < self._near:
            self.at = at + 1
            return self._window[at - self._base]
        if at == self._frame_stop:
            self.frame_stop = None
        return self.take(1)[0]

    def byte(self) -> int:
        """The next byte, of an operand."""
        at = self.at
        if at < self._near:
            self.at = at + 1
            return self._window[at - self._base]
        return self.take(1)[0]

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes. Raises where the file or the frame ends before."""
        at = self.at
        if at + length > self._near:
            self._require(length)
            at = self.at
            if at + length > self._base + len(self._window):
                self._refill(length)
        self.at = at + length
        offset = at - self._base
        return self._window[offset : offset + length]

    def unsigned(self, length: int) -> int:
        """The next ``length`` bytes as a little-endian number."""
        return int.from_bytes(self.take(length), "little")

    def signed(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little", signed=True)

    def number(self, length: int) -> int:
        """A signed number of any length within the limit."""
        if length < 0:
            raise self.error("pickle-operand", f"an integer of {length} bytes")
        self._require(length)
        if length > self._limits.number:
            raise self.error("pickle-limit", f"an integer of {length} bytes")
        return self.signed(length)

    def span(self, kind: Kind, length: int) -> Span:
        """The next ``length`` bytes, left where they are."""
        if length < 0:
            raise self.error("pickle-operand", f"a string of {length} bytes")
        self._require(length, straight=kind in (Kind.BYTES, Kind.BYTEARRAY))
        start = self.at
        content = self.take(length) if length <= KEPT else None
        self.at = start + length
        self._note(kind, start, length)
        return Span(kind, start, length, content)

    def text(self, length: int) -> str | Span:
        """UTF-8 text; past the limit a span, whose encoding is not looked at."""
        if length > self._limits.text:
            return self.span(Kind.TEXT, length)
        piece = self.take(length)
        start = self.at - length
        if length >= LONG:
            self._note(Kind.TEXT, start, length)
        return self.decode(piece, start)

    def decode(self, piece: bytes, start: int) -> str:
        try:
            return piece.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as e:
            raise self.error("pickle-text", "text is not UTF-8", start) from e

    def line(self) -> bytes:
        """A short line without its newline: a number, a name, a memo key.

        A longer one is over the limit where a loader might take it. Else it is no operand: such
        are long lines of text, and the binary data behind a letter.
        """
        start, length = self._line()
        if length > self._limits.number:
            head = self._file.pread(start, self._limits.number).strip()
            rule = "pickle-operand" if head.translate(None, _IN_LINES) else "pickle-limit"
            raise self.error(rule, f"a line of {length} bytes", start)
        return self._file.pread(start, length)

    def string_line(self) -> Span:
        """A Python 2 string in quotes, up to the newline."""
        start, length = self._line()
        edge = min(length, KEPT)
        tail = self._file.pread(start + length - edge, edge)
        length -= len(tail) - len(tail.rstrip())
        ends = self._file.pread(start, 1) + tail.rstrip()[-1:] if length >= 2 else b""
        if ends not in (b"''", b'""'):
            raise self.error("pickle-operand", "a string without its quotes", start)
        return self._escaped(Kind.ESCAPED_STRING, start + 1, length - 2)

    def text_line(self) -> Span:
        """Text with raw Unicode escapes, up to the newline."""
        return self._escaped(Kind.ESCAPED_TEXT, *self._line())

    def error(self, rule: str, what: str, at: int | None = None) -> BrokenPickleError:
        where = Where(file=self._file.path, start=self.at if at is None else at)
        return broken(rule, f"pickle: {what}", where)

    def _escaped(self, kind: Kind, start: int, length: int) -> Span:
        self._note(kind, start, length)
        if length > KEPT:
            return Span(kind, start, length, None)
        try:
            content = unescape(kind, self._file.pread(start, length))
        except ValueError as e:
            raise self.error("pickle-operand", "a string with a bad escape", start) from e
        return Span(kind, start, length, content)

    def _note(self, kind: Kind, start: int, length: int) -> None:
        if length >= LONG and len(self.constants) < MOST_LONG:
            self.constants.append(Constant(kind, start, length))

    def _line(self) -> tuple[int, int]:
        """Start and length of the line at ``at``; moves behind its newline."""
        start = self.at
        while True:
            offset = self.at - self._base
            found = self._window.find(b"\n", offset)
            if found >= 0:
                break
            self.at = max(self.at, self._base + len(self._window))
            if self.at >= self._file.size:
                return self._last_line(start)
            self._refill(1)
        self.at = start
        length = self._base + found - start
        stop = self._frame_stop
        if stop is not None and start + length >= stop and self.frames is Frames.SKIP:
            self.at, self.frame_stop = stop, None  # C looks for it behind the frame
            return self._line()
        self._require(length + 1)
        self.at = start + length + 1
        return start, length

    def _last_line(self, start: int) -> tuple[int, int]:
        """A line that the file ends before its newline.

        C refuses it; Python, of which joblib's and dill's unpicklers are made, takes the last byte
        for the newline, looks the name up, and calls it where the opcode is INST.
        """
        in_frame = self._frame_stop is not None and start < self._frame_stop
        if start >= self._file.size or in_frame:
            raise self.error("pickle-truncated", "the file ends within a line", start)
        self.frame_stop = None
        return start, self._file.size - start - 1

    def _require(self, length: int, *, straight: bool = False) -> None:
        stop = self.at + length
        if self._frame_stop is not None and stop > self._frame_stop:
            if self.frames is Frames.REFUSE:
                raise self.error("pickle-frame", "an opcode crosses the end of its frame")
            if self.frames is Frames.SKIP and not straight:
                self.at, stop = self._frame_stop, self._frame_stop + length
            self.frame_stop = None
        if stop > self._file.size:
            left = self._file.size - self.at
            raise self.error("pickle-truncated", f"{length} bytes expected, {left} left")

    def _refill(self, length: int) -> None:
        self._base = self.at
        size = max(length, self._next)
        self._next = min(2 * self._next, WINDOW)
        self._window = self._file.pread(self.at, min(size, self._file.size - self.at))
        self._set_near()
