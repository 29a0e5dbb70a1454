"""Pickles, opcode by opcode (Lib/pickletools.py), in their textual and their binary forms.

Each function gives the bytes that leave one value on the unpickler's stack.
"""

from __future__ import annotations

import struct
from typing import Any, Final

MARK: Final = b"("
POP: Final = b"0"
POP_MARK: Final = b"1"
DUP: Final = b"2"
REDUCE: Final = b"R"
BUILD: Final = b"b"
STOP: Final = b"."
MEMOIZE: Final = b"\x94"
STACK_GLOBAL: Final = b"\x93"
EMPTY_LIST: Final = b"]"
EMPTY_DICT: Final = b"}"
EMPTY_TUPLE: Final = b")"
NONE: Final = b"N"
APPEND: Final = b"a"
SETITEM: Final = b"s"


def proto(version: int) -> bytes:
    return b"\x80" + bytes([version])


def frame(body: bytes, length: int | None = None) -> bytes:
    """FRAME around ``body``, or with a ``length`` that is not its own."""
    return b"\x95" + struct.pack("<Q", len(body) if length is None else length) + body


def pickled(*values: bytes, protocol: int = 2, framed: bool | None = None) -> bytes:
    """A whole pickle of a protocol: what stands last is its result."""
    body = b"".join(values) + STOP
    if framed is None:
        framed = protocol >= 4
    return (proto(protocol) if protocol >= 2 else b"") + (frame(body) if framed else body)


def text(value: str) -> bytes:
    """BINUNICODE, of protocol 1."""
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def short_text(value: str) -> bytes:
    """SHORT_BINUNICODE, of protocol 4."""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data


def long_text(value: str) -> bytes:
    """BINUNICODE8, of protocol 4."""
    data = value.encode("utf-8", "surrogatepass")
    return b"\x8d" + struct.pack("<Q", len(data)) + data


def text_line(value: str) -> bytes:
    """UNICODE, of protocol 0."""
    return b"V" + value.encode("raw-unicode-escape").replace(b"\n", b"\\u000a") + b"\n"


def string_line(value: str) -> bytes:
    """STRING, of protocol 0."""
    return b"S" + repr(value).encode() + b"\n"


def short_string(value: str) -> bytes:
    """SHORT_BINSTRING, of protocol 1."""
    return b"U" + bytes([len(value)]) + value.encode()


def raw(value: bytes) -> bytes:
    """BINBYTES, of protocol 3."""
    return b"B" + struct.pack("<I", len(value)) + value


def number(value: int) -> bytes:
    """BININT."""
    return b"J" + struct.pack("<i", value)


def tuple_(*items: bytes) -> bytes:
    return MARK + b"".join(items) + b"t"


def list_(*items: bytes) -> bytes:
    return EMPTY_LIST + MARK + b"".join(items) + b"e"


def dict_(*pairs: tuple[bytes, bytes]) -> bytes:
    return EMPTY_DICT + MARK + b"".join(key + value for key, value in pairs) + b"u"


def value(item: Any) -> bytes:
    """A plain value of Python in binary opcodes."""
    match item:
        case None:
            return NONE
        case bool():
            return b"\x88" if item else b"\x89"
        case int():
            return number(item)
        case float():
            return b"G" + struct.pack(">d", item)
        case str():
            return text(item)
        case bytes():
            return raw(item)
        case tuple():
            return tuple_(*map(value, item))
        case list():
            return list_(*map(value, item))
        case dict():
            return dict_(*((value(k), value(v)) for k, v in item.items()))
        case _:
            raise TypeError(f"no plain value: {item!r}")


def global_(name: str) -> bytes:
    """GLOBAL of ``module:name``, two lines of text."""
    module, _, attribute = name.partition(":")
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def stack_global(name: str) -> bytes:
    """STACK_GLOBAL of ``module:name``, two strings from the stack."""
    module, _, attribute = name.partition(":")
    return short_text(module) + short_text(attribute) + STACK_GLOBAL


def call(function: bytes | str, *arguments: bytes) -> bytes:
    """REDUCE of a function, or of the GLOBAL of one."""
    found = global_(function) if isinstance(function, str) else function
    return found + tuple_(*arguments) + REDUCE


def inst(name: str, *arguments: bytes) -> bytes:
    module, _, attribute = name.partition(":")
    lines = module.encode() + b"\n" + attribute.encode() + b"\n"
    return MARK + b"".join(arguments) + b"i" + lines


def obj(function: bytes, *arguments: bytes) -> bytes:
    return MARK + function + b"".join(arguments) + b"o"


def newobj(class_: bytes, *arguments: bytes) -> bytes:
    return class_ + tuple_(*arguments) + b"\x81"


def newobj_ex(class_: bytes, arguments: bytes, keywords: bytes = EMPTY_DICT) -> bytes:
    return class_ + arguments + keywords + b"\x92"


def build(instance: bytes, state: bytes) -> bytes:
    return instance + state + BUILD


def put(index: int) -> bytes:
    return b"p" + str(index).encode() + b"\n"


def get(index: int) -> bytes:
    return b"g" + str(index).encode() + b"\n"


def binput(index: int) -> bytes:
    return b"q" + bytes([index])


def binget(index: int) -> bytes:
    return b"h" + bytes([index])


def long_binput(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def long_binget(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)
