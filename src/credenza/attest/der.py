"""The little of DER (X.690) that key files need: written, and read in its one spelling."""

from __future__ import annotations

from typing import final

SEQUENCE = 0x30
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
NULL = 0x05


def tlv(tag: int, *parts: bytes) -> bytes:
    """A value with its tag and its length in front. ``parts`` are joined."""
    value = b"".join(parts)
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def integer(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER, from its dotted form."""
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | (arc & 0x7F))
        out += bytes(reversed(digits))
    return tlv(OBJECT_IDENTIFIER, bytes(out))


def algorithm(dotted: str, *parameters: bytes) -> bytes:
    """An AlgorithmIdentifier (RFC 5280, 4.1.1.2)."""
    return tlv(SEQUENCE, oid(dotted), *parameters)


@final
class Reader:
    """Takes one value after the other from DER bytes.

    Every method raises `ValueError` for what is not DER, or not what was asked for.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def whole(self, tag: int) -> bytes:
        """The next value with its tag and length."""
        start = self._at
        self.take(tag)
        return self._data[start : self._at]

    def take(self, tag: int) -> bytes:
        """The next value, which must have this tag."""
        head = self._data[self._at : self._at + 2]
        if len(head) < 2 or head[0] != tag:
            raise ValueError(f"byte {self._at}: tag {tag:#04x} expected")
        start, size = self._at + 2, head[1]
        if size >= 0x80:
            count = size & 0x7F
            length = self._data[start : start + count]
            size = int.from_bytes(length, "big")
            if not 1 <= count <= 4 or len(length) < count or length[0] == 0 or size < 0x80:
                raise ValueError(f"byte {self._at}: no length in its shortest form")
            start += count
        if start + size > len(self._data):
            raise ValueError(f"byte {self._at}: longer than what holds it")
        self._at = start + size
        return self._data[start : self._at]

    def sequence(self) -> Reader:
        """A reader of the next value, which must be a SEQUENCE."""
        return Reader(self.take(SEQUENCE))

    def integer(self) -> int:
        """The next value, an INTEGER that is not negative."""
        at, value = self._at, self.take(INTEGER)
        if not value or value[0] & 0x80 or (len(value) > 1 and value[0] == 0 and value[1] < 0x80):
            raise ValueError(f"byte {at}: no integer of 0 or more in its shortest form")
        return int.from_bytes(value, "big")

    def bits(self) -> bytes:
        """The next value, a BIT STRING of whole bytes."""
        at, value = self._at, self.take(BIT_STRING)
        if not value or value[0] != 0:
            raise ValueError(f"byte {at}: a bit string of whole bytes expected")
        return value[1:]

    def next_is(self, tag: int) -> bool:
        """Whether another value follows, with this tag."""
        return self._data[self._at : self._at + 1] == bytes([tag])

    def end(self) -> None:
        """Nothing may be left."""
        if self._at < len(self._data):
            raise ValueError(f"byte {self._at}: nothing more expected")
