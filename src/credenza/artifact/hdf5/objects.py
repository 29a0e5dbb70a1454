"""Object headers: the messages that make an object a group or a dataset (section IV.A)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from credenza.artifact.hdf5.source import Cursor, Source

_ALIGNMENT: Final = 8
_TIMES: Final = 0x20
_PHASES: Final = 0x10
_ORDERED: Final = 0x04
_KNOWN_FLAGS: Final = 0x3F
_SHARED: Final = 0x02


class Kind(enum.IntEnum):
    """Message types (section IV.A.2)."""

    NIL = 0x00
    DATASPACE = 0x01
    LINK_INFO = 0x02
    DATATYPE = 0x03
    OLD_FILL_VALUE = 0x04
    FILL_VALUE = 0x05
    LINK = 0x06
    EXTERNAL_FILES = 0x07
    LAYOUT = 0x08
    GROUP_INFO = 0x0A
    FILTERS = 0x0B
    ATTRIBUTE = 0x0C
    COMMENT = 0x0D
    OLD_TIME = 0x0E
    SHARED_TABLE = 0x0F
    CONTINUATION = 0x10
    SYMBOL_TABLE = 0x11
    TIME = 0x12
    BTREE_K = 0x13
    DRIVER = 0x14
    ATTRIBUTE_INFO = 0x15
    REFERENCE_COUNT = 0x16
    FILE_SPACE = 0x17
    CACHE_IMAGE = 0x18


_ONCE: Final = frozenset(
    {
        Kind.DATASPACE,
        Kind.LINK_INFO,
        Kind.DATATYPE,
        Kind.EXTERNAL_FILES,
        Kind.LAYOUT,
        Kind.FILTERS,
        Kind.SYMBOL_TABLE,
        Kind.ATTRIBUTE_INFO,
    }
)
"""Of which a second one would be another dataset to another reader."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind, its bytes, and whether they only say where the message itself is."""

    kind: Kind
    body: Cursor
    shared: bool


@dataclass(frozen=True, slots=True)
class Header:
    """An object's messages, in the order of the file."""

    address: int
    messages: tuple[Message, ...]

    def get(self, kind: Kind) -> Message | None:
        """The message of a kind that is there at most once."""
        return next(self.all(kind), None)

    def all(self, kind: Kind) -> Iterator[Message]:
        return (m for m in self.messages if m.kind is kind)


def read_header(source: Source, address: int) -> Header:
    """The object header at ``address``, its continuations included.

    Raises `BrokenPickleError` for a version, flag or message that is not known, and for a message
    twice that an object has once.
    """
    start = source.peek(address, 4, "an object header")
    modern = start.data == b"OHDR"
    found: list[Message] = []
    blocks = [_first2(source, address) if modern else _first1(source, address)]
    while blocks:
        block, ordered = blocks.pop(0)
        for message in _messages2(block, ordered) if modern else _messages1(block):
            if message.kind is Kind.CONTINUATION:
                blocks.append((_continuation(source, message, modern), ordered))
            elif message.kind is not Kind.NIL:
                found.append(message)
    _check_once(source, found)
    return Header(address, tuple(found))


def _first1(source: Source, address: int) -> tuple[Cursor, bool]:
    """The messages of a header of version 1."""
    prefix = source.block(address, 16, "an object header")
    prefix.expect(b"\x01\0", "object header of version 1 or 2", "hdf5-header")
    prefix.take(6)
    length = prefix.unsigned(4)
    return source.block(address + 16, length, "an object header"), False


def _first2(source: Source, address: int) -> tuple[Cursor, bool]:
    """The messages of a header of version 2, whose checksum is held against it."""
    prefix = source.peek(address, min(64, source.file.size - address), "an object header")
    prefix.expect(b"OHDR\x02", "object header of version 2", "hdf5-header")
    flags = prefix.unsigned(1)
    if flags & ~_KNOWN_FLAGS:
        prefix.refuse("hdf5-header", "an object header with unknown flags", "", f"0x{flags:02x}")
    prefix.take((16 if flags & _TIMES else 0) + (4 if flags & _PHASES else 0))
    length = prefix.unsigned(1 << (flags & 3))
    skipped = prefix.position
    block = source.block(address, skipped + length + 4, "an object header")
    source.check_sum(block)
    block.take(skipped)
    return block.part(length), bool(flags & _ORDERED)


def _continuation(source: Source, message: Message, modern: bool) -> Cursor:
    address, length = message.body.address(), message.body.unsigned(8)
    block = source.block(address, length, "an object header's continuation")
    if not modern:
        return block
    if length < 8:
        block.refuse("hdf5-truncated", "a continuation ends within a field", 8, length)
    source.check_sum(block)
    block.expect(b"OCHK", "continuation of an object header", "hdf5-header")
    return block.part(length - 8)


def _messages1(block: Cursor) -> Iterator[Message]:
    while block.left:
        at = block.at
        kind, length, flags = block.unsigned(2), block.unsigned(2), block.unsigned(1)
        block.take(3)
        if length % _ALIGNMENT:
            block.refuse("hdf5-header", "a message of a length that is not aligned", "", length)
        yield _message(block, at, kind, length, flags)


def _messages2(block: Cursor, ordered: bool) -> Iterator[Message]:
    prefix = 6 if ordered else 4
    while block.left >= prefix:  # what is shorter than a message is a gap
        at = block.at
        kind, length, flags = block.unsigned(1), block.unsigned(2), block.unsigned(1)
        block.take(prefix - 4)
        yield _message(block, at, kind, length, flags)
    if block.take(block.left).strip(b"\0"):
        block.refuse("hdf5-header", "a gap that is not empty")


def _message(block: Cursor, at: int, kind: int, length: int, flags: int) -> Message:
    if kind not in Kind.__members__.values():
        block.source.refuse("hdf5-header", "a message of an unknown type", at, "", f"0x{kind:04x}")
    return Message(Kind(kind), block.part(length), bool(flags & _SHARED))


def _check_once(source: Source, messages: list[Message]) -> None:
    seen: set[Kind] = set()
    for message in messages:
        if message.kind in seen & _ONCE:
            what = f"an object has two {message.kind.name.lower()} messages"
            source.refuse("hdf5-header", what, message.body.start)
        seen.add(message.kind)
