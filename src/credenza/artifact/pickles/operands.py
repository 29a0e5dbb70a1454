"""The opcodes that do no more than push what stands in the stream."""

from __future__ import annotations

import struct
from collections.abc import Callable

from credenza.artifact.pickles.stream import Stream
from credenza.artifact.pickles.values import Kind, Tuple, Value


def _integer_line(stream: Stream) -> Value:
    """INT: a decimal line, where ``00`` and ``01`` are False and True."""
    start, line = stream.at, stream.line()
    if line in (b"00", b"01"):
        return line == b"01"
    return _decimal(stream, line, start)


def _long_line(stream: Stream) -> Value:
    """LONG: a decimal line with an ``L`` behind it."""
    start, line = stream.at, stream.line()
    return _decimal(stream, line.removesuffix(b"L"), start)


def _decimal(stream: Stream, line: bytes, start: int) -> int:
    """Any integer that C or Python reads with base 0: ``12``, ``0x1f``, ``017``, `` +1``."""
    for base in (0, 8):
        try:
            return int(line.partition(b"\0")[0], base)
        except ValueError:
            continue
    raise stream.error("pickle-operand", "an integer expected", start)


def _float_line(stream: Stream) -> Value:
    start, line = stream.at, stream.line()
    try:
        return float(line)
    except ValueError as e:
        raise stream.error("pickle-operand", "a floating-point number expected", start) from e


def _binary_float(stream: Stream) -> Value:
    value: float = struct.unpack(">d", stream.take(8))[0]
    return value


_EMPTY = Tuple()
OPERANDS: dict[int, Callable[[Stream], Value]] = {
    ord(code): push
    for code, push in (
        ("N", lambda _: None),
        ("\x88", lambda _: True),
        ("\x89", lambda _: False),
        ("I", _integer_line),
        ("L", _long_line),
        ("F", _float_line),
        ("J", lambda s: s.signed(4)),
        ("K", Stream.byte),
        ("M", lambda s: s.unsigned(2)),
        ("\x8a", lambda s: s.number(s.byte())),
        ("\x8b", lambda s: s.number(s.signed(4))),
        ("G", _binary_float),
        ("S", lambda s: s.string_line()),
        ("T", lambda s: s.span(Kind.STRING, s.signed(4))),
        ("U", lambda s: s.span(Kind.STRING, s.byte())),
        ("B", lambda s: s.span(Kind.BYTES, s.unsigned(4))),
        ("C", lambda s: s.span(Kind.BYTES, s.byte())),
        ("\x8e", lambda s: s.span(Kind.BYTES, s.unsigned(8))),
        ("\x96", lambda s: s.span(Kind.BYTEARRAY, s.unsigned(8))),
        ("V", lambda s: s.text_line()),
        ("X", lambda s: s.text(s.unsigned(4))),
        ("\x8c", lambda s: s.text(s.byte())),
        ("\x8d", lambda s: s.text(s.unsigned(8))),
        (")", lambda _: _EMPTY),
    )
}
"""By opcode: what reads its operand and gives the value to push. The argument is the stream."""
