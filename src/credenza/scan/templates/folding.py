"""What pure operations on literals come to, as Jinja computes them.

An escape hides the name that it needs by building it: ``'__cl' ~ 'ass__'``, ``'ssalc'|reverse``,
``'%c%c' % (95, 95)``. Only what is listed here is computed, on short constants; nothing of it
looks anything up.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from credenza.scan.templates.names import LARGEST
from credenza.scan.templates.values import LONGEST, OPAQUE, Constant, Value, constant

_MOST_WAYS: Final = 64
_FORMAT: Final = re.compile(r"%(?:\((?P<key>[^)]*)\))?[-+ #0]*(?P<width>\d*|\*)(?:\.(?:\d*|\*))?.")
_NESTED: Final = re.compile(r"\{[^{}]*\{")


class HugeError(Exception):
    """An operation that would make something too large: ``'a' * 10**9``."""


def folded(operation: Callable[..., Any], *values: Value) -> Value:
    """The value of ``operation`` on all that the values can be.

    Opaque where one of them is not known, or there are too many ways. Raises `HugeError`.
    """
    if not all(v.is_foldable for v in values):
        return OPAQUE
    if math.prod(len(v.constants) for v in values) > _MOST_WAYS:
        return OPAQUE
    results = []
    for ways in itertools.product(*(v.constants for v in values)):
        try:
            results.append(_constant(operation(*ways)))
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
            continue  # rendering would fail on these, and may not on others
    return constant(*results) if results else OPAQUE


def _constant(found: Any) -> Constant:
    if isinstance(found, list | tuple):
        if len(found) > LONGEST:
            raise ValueError("too long")
        return tuple(_constant(f) for f in found)
    if found is None or isinstance(found, str | int | float | bool):
        return found
    raise TypeError(type(found).__name__)


def _text(found: Any) -> str:
    """A constant as ``~`` and ``|join`` write it; numbers may not be endless.

    A list is refused: what it looks like as text depends on whether it is a list, a tuple or a
    dictionary, which a constant does not tell.
    """
    if isinstance(found, tuple):
        raise TypeError("a list as text")
    if isinstance(found, int) and found.bit_length() > LONGEST:
        raise ValueError("too long")
    return str(found)


def _times(left: Any, right: Any) -> Any:
    for text, count in ((left, right), (right, left)):
        if isinstance(text, str | tuple) and isinstance(count, int):
            if len(text) * count > LARGEST:
                raise HugeError(f"{count} times")
            return text * count
    return left * right


def _power(base: Any, exponent: Any) -> Any:
    bits = base.bit_length() if isinstance(base, int) else 1
    if isinstance(exponent, int) and bits * exponent > LARGEST * 8:
        raise HugeError(f"{base} ** {exponent}")
    return base**exponent


def percent(text: Any, arguments: Any) -> Any:
    """``text % arguments`` of strings; a remainder of numbers."""
    if not isinstance(text, str):
        return text % arguments
    if isinstance(arguments, tuple) and any(isinstance(a, tuple) for a in arguments):
        raise TypeError("a list as text")
    for match in _FORMAT.finditer(text):
        if match["width"] == "*" or len(match["width"]) > 5:
            raise HugeError(f"a width of {match['width']}")
    return text % arguments


def formatted(text: Any, *arguments: Any) -> str:
    """``text.format(...)`` where its fields only say which argument, in which way."""
    if any(isinstance(a, tuple) for a in arguments):
        raise TypeError("a list as text")
    if _NESTED.search(text) or re.search(r"[.\[]", "".join(re.findall(r"\{[^{}:]*", text))):
        raise ValueError("a field that looks something up")
    for width in re.findall(r":[^{}]*?(\d+)", text):
        if len(width) > 5:
            raise HugeError(f"a width of {width}")
    return str(text.format(*arguments))


def concatenated(*parts: Any) -> str:
    """``a ~ b``."""
    return "".join(map(_text, parts))


OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": _times,
    "Div": lambda a, b: a / b,
    "FloorDiv": lambda a, b: a // b,
    "Mod": percent,
    "Pow": _power,
}


def item(found: Any, key: Any) -> Any:
    """``found[key]`` of a string or list."""
    if isinstance(found, str | tuple) and isinstance(key, int):
        return found[key]
    raise TypeError("no item")


def sliced(found: Any, start: Any, stop: Any, step: Any) -> Any:
    """``found[start:stop:step]``."""
    return found[slice(start, stop, step)]


def _method(name: str) -> Callable[..., Any]:
    def call(text: Any, *arguments: Any) -> Any:
        if not isinstance(text, str):
            raise TypeError("no string")
        if name in ("center", "ljust", "rjust", "zfill") and arguments[0] > LARGEST:
            raise HugeError(f"a width of {arguments[0]}")
        if name == "join":
            return text.join(map(_text, arguments[0]))
        return getattr(text, name)(*arguments)  # of a str, and a name from the list below

    return call


_PURE: Final = (
    *("strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "partition", "rpartition"),
    *("removeprefix", "removesuffix", "upper", "lower", "title", "capitalize", "casefold"),
    *("swapcase", "find", "rfind", "index", "count", "center", "ljust", "rjust", "zfill", "join"),
    *("startswith", "endswith", "isdigit", "isalpha", "isspace"),
)


def _replaced(text: Any, old: Any, new: Any, *count: Any) -> str:
    if text.count(old) * max(1, len(new)) > LARGEST:
        raise HugeError("a replacement")
    return str(text.replace(old, new, *count))


METHODS: Final[Mapping[str, Callable[..., Any]]] = {
    **{name: _method(name) for name in _PURE},
    "replace": _replaced,
    "format": formatted,
}


def _reversed(found: Any) -> Any:
    return found[::-1]


def _joined_filter(found: Any, between: Any = "") -> str:
    return _text(between).join(map(_text, found))


def _first(found: Any) -> Any:
    return found[0]


def _last(found: Any) -> Any:
    return found[-1]


def _list(found: Any) -> Any:
    return tuple(found)


def _centered(text: Any, width: Any = 80) -> str:
    if width > LARGEST:
        raise HugeError(f"a width of {width}")
    return str(text.center(width))


def _format_filter(text: Any, *arguments: Any) -> Any:
    return percent(text, arguments)


def _batched(found: Any, size: Any) -> Any:
    return tuple(tuple(found[i : i + size]) for i in range(0, len(found), size))


def _same(found: Any, *_: Any) -> Any:
    return found


def _sorted_filter(found: Sequence[Any], *_: Any) -> Any:
    return tuple(sorted(found))


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "reverse": _reversed,
    "join": _joined_filter,
    "first": _first,
    "last": _last,
    "list": _list,
    "length": len,
    "count": len,
    "center": _centered,
    "format": _format_filter,
    "batch": _batched,
    "replace": _replaced,
    "string": _text,
    "safe": _same,
    "indent": _same,
    "sort": _sorted_filter,
    "int": int,
    "abs": abs,
    "unique": lambda found: tuple(dict.fromkeys(found)),
    "trim": lambda text, *chars: text.strip(*chars),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "title": lambda text: text.title(),
    "capitalize": lambda text: text.capitalize(),
}
