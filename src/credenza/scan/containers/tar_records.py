"""The headers of a tar archive (POSIX.1-2017 pax, section "ustar Interchange Format"; GNU tar).

A reader of our own: `tarfile` reads a pax header of any size into memory, stops without a word at
a header that is broken, which GNU tar steps over, and says of no member where two sizes differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from credenza.artifact.interface import Bytes

BLOCK: Final = 512
_MOST_PAX: Final = 1 << 20
_SUM: Final = slice(148, 156)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """One header block, at byte ``at``. ``size`` is None where its field is no number."""

    at: int
    name: str
    type_: bytes
    size: int | None
    target: str
    is_extended: bool = False

    @property
    def data_start(self) -> int:
        return self.at + BLOCK


@dataclass(frozen=True, slots=True)
class Pax:
    """What extended headers say of the member behind them; ``broken`` says what is wrong there."""

    records: Mapping[str, str] = field(default_factory=dict)
    broken: str = ""


def is_tar(file: Bytes) -> bool:
    """True for what begins with a header whose checksum is right."""
    if file.size < BLOCK:
        return False
    block = file.pread(0, BLOCK)
    return header(block, 0) is not None


def header(block: bytes, at: int) -> Header | None:
    """The header in a block of 512 bytes; None where its checksum is not that of its bytes."""
    if len(block) < BLOCK or (not block[0] and block[257:262] != b"ustar"):
        return None
    expected = number(block[_SUM])
    if expected is None:
        return None
    rest = block[:148] + b" " * 8 + block[156:]
    if expected != sum(rest) and expected != _signed_sum(rest):
        return None
    name = _text(block[0:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return Header(
        at=at,
        name=f"{prefix}/{name}" if prefix else name,
        type_=block[156:157],
        size=number(block[124:136]),
        target=_text(block[157:257]),
        is_extended=block[482] == 1,
    )


def _signed_sum(data: bytes) -> int:
    """The sum as some old writers add it up, whose characters have a sign."""
    return sum(data) - 256 * sum(byte > 127 for byte in data)


def number(digits: bytes) -> int | None:
    """A field as octal digits or as GNU's binary number; None for anything else, or below 0.

    `tarfile` took negative sizes and read one member for ever (CVE-2025-8194).
    """
    if digits[0] in (0x80, 0xFF):
        value = int.from_bytes(digits[1:], "big")
        return value if digits[0] == 0x80 else None
    text = digits.split(b"\0")[0].strip(b" ")
    if not text:
        return 0
    return int(text, 8) if all(48 <= digit <= 55 for digit in text) else None


def pax(file: Bytes, start: int, size: int) -> Pax:
    """The records of an extended header: each its own length, a space, a key, ``=``, a value."""
    if size > _MOST_PAX or start + size > file.size:
        return Pax(broken="an extended header beyond all measure, or cut off")
    data = file.pread(start, size)
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + 12)
        digits = data[at:space] if space > 0 else b""
        length = int(digits) if digits.isdigit() else 0
        line = data[space + 1 : at + length]
        key, equals, value = line.partition(b"=")
        if not equals or not line.endswith(b"\n"):
            return Pax(records, "a record of an extended header is broken")
        name = key.decode("utf-8", "backslashreplace")
        if name in records:
            return Pax(records, f"an extended header says {name[:60]!r} twice")
        records[name] = value[:-1].decode("utf-8", "backslashreplace")
        at += length
    return Pax(records)


def _text(field_: bytes) -> str:
    return field_.split(b"\0")[0].decode("utf-8", "backslashreplace")
