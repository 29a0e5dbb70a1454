"""Numbers and bytes in text, each in its one spelling."""

from __future__ import annotations

import base64
import re

from credenza.errors import InputError

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_ABOVE = 2**63  # C2SP tlog-cosignature bounds times so; no log comes near it


def number(text: str, what: str) -> int:
    """A decimal number below 2**63 without leading zeros. Raises `InputError` for all else."""
    if not _NUMBER.fullmatch(text) or int(text) >= _ABOVE:
        raise InputError(f"{what}: a decimal number below 2**63 expected, {text[:40]!r} found")
    return int(text)


def to_base64(data: bytes) -> str:
    """RFC 4648 section 4, padded."""
    return base64.b64encode(data).decode()


def from_base64(text: str, what: str) -> bytes:
    """The bytes that `to_base64` writes as ``text``. Raises `InputError` where there are none."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as e:
        raise InputError(f"{what}: base64 expected, {text[:60]!r} found") from e
    if to_base64(data) != text:
        raise InputError(f"{what}: base64 in its one spelling expected, {text[-60:]!r} found")
    return data


def hash_from(text: str, what: str) -> bytes:
    """A SHA-256 hash from its base64. Raises `InputError` for anything else."""
    data = from_base64(text, what)
    if len(data) != 32:
        raise InputError(f"{what}: a hash of 32 bytes expected, {len(data)} found")
    return data
