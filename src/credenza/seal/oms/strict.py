"""JSON and base64 in one reading: what two parsers could take for two things is refused."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, NoReturn, TypeVar

import msgspec

from credenza.errors import InputError

T = TypeVar("T")

_MOST_PARTS = 100_000
"""How many values an unsigned document may hold: each costs far more memory than it has bytes."""


def loads(data: bytes, what: str, *, most: int | None = _MOST_PARTS) -> Any:
    """The value of a JSON document in UTF-8 (RFC 8259).

    Raises `InputError` for anything else, a member that occurs twice, a number that is none
    (``NaN``), half a surrogate pair, and more than ``most`` values.
    """
    if most is not None and sum(map(data.count, (b",", b"{", b"[", b":"))) > most:
        raise InputError(f"{what}: at most {most} values expected, more found")
    try:
        text = data.decode()
        value = json.loads(
            text, object_pairs_hook=_members, parse_constant=_no_number, parse_float=_finite
        )
        if "\\u" in text:  # the only way for half a surrogate pair to come in
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as e:
        raise InputError(f"{what}: not well-formed JSON: {_reason(e)}") from e
    return value


def convert(value: Any, kind: type[T], what: str) -> T:
    """``value`` as a typed one. Raises `InputError` where it does not fit."""
    try:
        return msgspec.convert(value, type=kind)
    except (ValueError, RecursionError) as e:
        raise InputError(f"{what}: not well-formed: {e}") from e


def unbase64(text: str, what: str) -> bytes:
    """Standard base64 with its padding (RFC 4648, section 4).

    Raises `InputError` for any other spelling of the same bytes.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise InputError(f"{what}: base64 expected: {e}") from e
    if base64.b64encode(data).decode() != text:
        raise InputError(f"{what}: base64 in its one spelling expected")
    return data


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _reason(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)
