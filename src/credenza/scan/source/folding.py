"""What an expression of constants comes to, without running it: text, bytes, numbers, lists.

This is how names and programs are spelled in order not to be found: ``'sys' + 'tem'``, letters
joined, Base64 of zlib. Everything is bounded; what is not known here comes to nothing.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import lzma
import re
import urllib.parse
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

Value: TypeAlias = str | bytes | int | list[Any]
MOST: Final = 1 << 20
"""Longer texts, and more of anything, are not followed."""


def _inflated(wbits: int) -> Callable[[bytes], bytes]:
    return lambda data: zlib.decompressobj(wbits).decompress(data, MOST)


def _undone(codec: str, data: Any) -> Value | None:
    match codec.lower().replace("-", "").replace("_", ""):
        case "rot13" if isinstance(data, str):
            return codecs.decode(data, "rot13")
        case "hex" | "hexcodec":
            return binascii.unhexlify(data)
        case "base64" | "base64codec":
            return base64.b64decode(data)
        case "zlib" | "zlibcodec" | "zip":
            return _inflated(15)(data)
        case "utf8" | "ascii" | "latin1" if isinstance(data, bytes):
            return data.decode("latin-1" if codec.startswith("lat") else "utf-8")
    return None


def _bytes(data: Any, *_: str) -> Value | None:
    if isinstance(data, str):
        return data.encode()
    return None if isinstance(data, int) else bytes(data)  # of a number, so many NULs


def _replaced(text: Any, old: Any, new: Any) -> Value | None:
    grown = len(text) + text.count(old) * len(new)
    result: Value | None = text.replace(old, new) if grown < MOST else None
    return result


def _formatted(text: Any, *values: Value) -> Value | None:
    if re.fullmatch(r"(?:[^{}]|\{\d?\})*", text) is None:
        return None  # a width, which could be any
    if text.count("{") * sum(map(_size, values)) > MOST:
        return None
    return str(text).format(*map(str, values))


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "base64.b64decode": lambda data, *_: base64.b64decode(data),
    "base64.standard_b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.decodebytes": base64.decodebytes,
    "base64.b32decode": lambda data: base64.b32decode(data),
    "base64.b16decode": lambda data: base64.b16decode(data, casefold=True),
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": lambda data: base64.a85decode(data),
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64,
    "zlib.decompress": lambda data, *_: _inflated(15)(data),
    "gzip.decompress": _inflated(31),
    "bz2.decompress": lambda data: bz2.BZ2Decompressor().decompress(data, MOST),
    "lzma.decompress": lambda data: lzma.LZMADecompressor(memlimit=16 << 20).decompress(data, MOST),
    "codecs.decode": lambda data, codec="utf-8": _undone(codec, data),
    "urllib.parse.unquote": urllib.parse.unquote,
    "builtins.chr": chr,
    "builtins.ord": ord,
    "builtins.str": lambda data, codec="utf-8", *_: (
        _undone(codec, data) if isinstance(data, bytes) else str(data)
    ),
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.bytearray.fromhex": bytes.fromhex,
    "builtins.int": lambda data, base=10: int(data[:32], base) if isinstance(data, str) else data,
    "builtins.list": list,
    "builtins.tuple": list,
    "builtins.reversed": lambda data: list(reversed(data)),
    "builtins.sorted": sorted,
    "os.path.expanduser": str,
    "os.path.join": lambda *parts: "/".join(parts),
    "pathlib.Path": lambda *parts: "/".join(parts),
}
"""By their full names."""

DECODERS: Final = (
    frozenset(
        name
        for name in FUNCTIONS
        if name.startswith(("base64", "binascii", "zlib", "gzip", "lzma"))
    )
    | {"bz2.decompress", "codecs.decode", "builtins.bytes.fromhex", "marshal.loads", "builtins.chr"}
    | {
        "builtins.bytes",
        "builtins.bytearray",
    }
)
"""Whoever executes what comes out of these does not want it to be read."""

METHODS: Final[dict[str, Callable[..., Any]]] = {
    "join": lambda by, parts: by.join(parts) if len(by) * len(parts) < MOST else None,
    "replace": lambda text, old, new: _replaced(text, old, new),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "swapcase": lambda text: text.swapcase(),
    "strip": lambda text, *what: text.strip(*what),
    "lstrip": lambda text, *what: text.lstrip(*what),
    "rstrip": lambda text, *what: text.rstrip(*what),
    "split": lambda text, *by: text.split(*by),
    "encode": lambda text, *_: text.encode("utf-8", "surrogatepass"),
    "decode": lambda data, codec="utf-8", *_: _undone(codec, data),
    "hex": lambda data: data.hex(),
    "format": lambda text, *values: _formatted(text, *values),
}
"""Of text and bytes."""


def applied(function: Callable[..., Any], arguments: Sequence[Value]) -> Value | None:
    """What a function of ours gives; None where it gives nothing, or more than `MOST`."""
    if sum(map(_size, arguments)) > MOST:
        return None
    try:
        return kept(function(*arguments))
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, EOFError):
        return None
    except (zlib.error, lzma.LZMAError, OSError, MemoryError):
        return None


def kept(value: Any) -> Value | None:
    """The value, if it is one that is followed."""
    if isinstance(value, bool) or not isinstance(value, str | bytes | int | list | tuple):
        return None
    if isinstance(value, list | tuple):
        value = list(value)
        if any(isinstance(v, list | tuple) for v in value):
            return None  # lists of lists of lists: they grow without being seen to
    if isinstance(value, int):
        return value if abs(value) < 1 << 64 else None
    return None if _longer(value) else value


def arithmetic(operator: str, left: Any, right: Any) -> Value | None:
    """``left operator right``, of numbers and texts."""
    if operator == "Mult" and not (isinstance(left, int) and isinstance(right, int)):
        text, count = (left, right) if isinstance(right, int) else (right, left)
        if not isinstance(count, int) or len(text) * count > MOST:
            return None
    if operator == "Mod" and not isinstance(left, int):
        if not isinstance(left, str) or "*" in left or any(c.isdigit() for c in left):
            return None  # a width, which could be any
        if left.count("%") * _size(right) > MOST:
            return None
        right = tuple(right) if isinstance(right, list) else right
    function = _OPERATORS.get(operator)
    return None if function is None else applied(lambda: function(left, right), ())


_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mult": lambda a, b: a * b,
    "Mod": lambda a, b: a % b,
    "FloorDiv": lambda a, b: a // b,
    "BitXor": lambda a, b: a ^ b,
    "BitAnd": lambda a, b: a & b,
    "BitOr": lambda a, b: a | b,
    "Div": lambda a, b: f"{a}/{b}" if isinstance(a, str) else None,  # of pathlib
}


def _size(value: Any) -> int:
    if isinstance(value, list):
        return sum(len(v) if isinstance(v, str | bytes) else 8 for v in value)
    return len(value) if isinstance(value, str | bytes) else 8


def _longer(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) > MOST >> 4
    return isinstance(value, str | bytes) and len(value) > MOST
