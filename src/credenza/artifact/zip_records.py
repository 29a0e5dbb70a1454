"""The records of a ZIP archive as they stand in the file (APPNOTE.TXT 6.3.10, section 4.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from credenza.artifact.interface import Bytes
from credenza.artifact.zip_ends import FULL32, Ends, Problem, Say, refusing
from credenza.findings import Severity

_ENTRY: Final = struct.Struct("<4s6H3I5H2I")
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_ENTRY_MAGIC: Final = b"PK\x01\x02"
LOCAL_MAGIC: Final = b"PK\x03\x04"
UTF8: Final = 0x0800


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the central directory, at byte ``at``; ``header`` is its local header's.

    ``packed`` is the size on disk, ``size`` the size once decoded.
    """

    at: int
    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header: int
    mode: int
    extras: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """One local header. Sizes and CRC are 0 where a data descriptor follows the data."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    data_start: int
    extras: tuple[tuple[int, bytes], ...]


def entries(file: Bytes, ends: Ends, say: Say | None = None) -> Iterator[Entry]:
    """Every entry of the central directory, which they must fill.

    Without ``say``, raises `BrokenPickleError` for the first problem.
    """
    say = say or refusing(file)
    directory = file.pread(ends.directory_start, ends.directory_stop - ends.directory_start)
    at = number = 0
    while at < len(directory) or number < ends.count:
        if number == ends.count:  # miniz counts entries, `zipfile` their bytes
            what = "the directory holds more than the entries that are counted"
            say(Problem("zip-gap", what, ends.directory_start + at))
        found = _entry(directory, at, ends.directory_start, say)
        if found is None:
            return
        entry, at = found
        number += 1
        yield entry


def _entry(directory: bytes, at: int, base: int, say: Say) -> tuple[Entry, int] | None:
    """The entry at ``at`` of the directory, and where the next one begins; None without one."""
    here = base + at
    if at + _ENTRY.size > len(directory):
        say(Problem("zip-directory", "the directory ends within an entry", here))
        return None
    fields = _ENTRY.unpack_from(directory, at)
    magic, _, _, flags, method, _, _, crc, packed, size = fields[:10]
    name_length, extra_length, comment_length, disk, _, attributes, header = fields[10:]
    start = at + _ENTRY.size
    stop = start + name_length + extra_length
    if magic != _ENTRY_MAGIC or stop + comment_length > len(directory):
        say(Problem("zip-directory", "no entry where one must be", here))
        return None
    if comment_length or disk:
        severity = Severity.HIGH if disk else Severity.NOTE
        what = "not an entry of one disk without a comment"
        say(Problem("zip-directory", what, here, severity))
    raw_name = directory[start : start + name_length]
    extras = _extras(directory[start + name_length : stop], here, say)
    size, packed, header = _widened(extras, here, say, size, packed, header)
    entry = Entry(
        at=here,
        raw_name=raw_name,
        name=_text(raw_name, flags, here, say),
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        header=header,
        mode=attributes >> 16,
        extras=tuple(extras.items()),
    )
    return entry, stop + comment_length


def local_header(file: Bytes, at: int, stop: int, say: Say | None = None) -> Local | None:
    """The local header at byte ``at``, which must end by ``stop``; None without one."""
    say = say or refusing(file)
    if not 0 <= at <= at + _LOCAL.size <= stop:
        say(Problem("zip-overlap", "a member begins within another", at))
        return None
    fields = _LOCAL.unpack(file.pread(at, _LOCAL.size))
    magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = fields
    name_start = at + _LOCAL.size
    data_start = name_start + name_length + extra_length
    if magic != LOCAL_MAGIC or data_start > stop:
        say(Problem("zip-overlap", "no member's header where the directory says", at))
        return None
    tail = file.pread(name_start, name_length + extra_length)
    extras = _extras(tail[name_length:], at, say)
    size, packed = _widened(extras, at, say, size, packed)
    return Local(
        raw_name=tail[:name_length],
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        data_start=data_start,
        extras=tuple(extras.items()),
    )


def _extras(data: bytes, at: int, say: Say) -> Mapping[int, bytes]:
    """The extra fields by id. They must fill the space and name no id twice."""
    fields: dict[int, bytes] = {}
    position, zeros = 0, len(data.rstrip(b"\0"))
    while position < len(data):
        if position >= zeros:  # as some tools align what follows
            say(Problem("zip-extra", "extra fields end with zeros", at, Severity.NOTE))
            break
        if position + 4 > len(data):
            say(Problem("zip-extra", "extra fields end within one", at))
            break
        kind, length = struct.unpack_from("<HH", data, position)
        position += 4 + length
        if position > len(data) or kind in fields:
            say(Problem("zip-extra", "an extra field is too long, or there twice", at))
        fields.setdefault(kind, data[position - length : position])
    return fields


def _widened(extras: Mapping[int, bytes], at: int, say: Say, *narrow: int) -> tuple[int, ...]:
    """Sizes with those that are all ones taken from the zip64 extra field, in its order."""
    wide = extras.get(1, b"")
    if len(wide) % 8 not in (0, 4):
        say(Problem("zip-extra", "a zip64 field of a wrong length", at))
    rest = list(struct.unpack(f"<{len(wide) // 8}Q", wide[: len(wide) // 8 * 8]))
    values = []
    for value in narrow:
        if value == FULL32 and not rest:
            say(Problem("zip-extra", "a size is left to a zip64 field that lacks it", at))
        values.append(rest.pop(0) if value == FULL32 and rest else value)
    return tuple(values)


def _text(raw: bytes, flags: int, at: int, say: Say) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        severity = Severity.HIGH if flags & UTF8 else Severity.NOTE
        say(Problem("zip-name", f"a name that is not UTF-8: {raw!r}", at, severity))
        return raw.decode("cp437")
