"""The records of a ZIP archive as they stand in the file (APPNOTE.TXT 6.3.10, section 4.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.findings import Where

_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR: Final = struct.Struct("<4sIQI")
_ENTRY: Final = struct.Struct("<4s6H3I5H2I")
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_FULL32: Final = 0xFFFFFFFF
_FULL16: Final = 0xFFFF
MOST_DIRECTORY: Final = 256 << 20
"""The largest central directory that is read: some two million members."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the central directory is, and how many entries it has."""

    directory_start: int
    directory_stop: int
    count: int


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
    extras: tuple[int, ...]


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
    extras: tuple[int, ...]


def find_end(file: Bytes) -> Ends:
    """The end records, which must be the file's last bytes, with no comment behind them."""
    at = file.size - _END.size
    if at < 0:
        raise refused(file, "zip-end", "too short for an end record", 0)
    magic, disk, first, here, count, size, start, comment = _END.unpack(file.pread(at, _END.size))
    if magic != b"PK\x05\x06" or comment:
        raise refused(file, "zip-end", "the file does not end with a bare end record", at)
    if (disk, first) != (0, 0) or here != count:
        raise refused(file, "zip-end", "the archive says that it is one of several disks", at)
    stop = at
    wide = _end64(file, at)
    if wide is not None:
        stop, wide_count, wide_size, wide_start = wide
        _agree(file, at, (count, wide_count, _FULL16), (size, wide_size, _FULL32))
        _agree(file, at, (start, wide_start, _FULL32))
        count, size, start = wide_count, wide_size, wide_start
    if start + size != stop:
        raise refused(file, "zip-gap", "the directory does not end where its end record begins", at)
    if size > MOST_DIRECTORY:
        raise refused(file, "zip-bomb", f"a directory of {size} bytes", start)
    return Ends(start, stop, count)


def _end64(file: Bytes, end: int) -> tuple[int, int, int, int] | None:
    """Start, entries, size and start of directory by the zip64 records; None without them."""
    at = end - _LOCATOR.size
    if at < 0:
        return None
    magic, disk, start, disks = _LOCATOR.unpack(file.pread(at, _LOCATOR.size))
    if magic != b"PK\x06\x07":
        return None
    if disk != 0 or disks > 1 or start + _END64.size != at:
        raise refused(file, "zip-end", "the zip64 end record is not before its locator", at)
    fields = _END64.unpack(file.pread(start, _END64.size))
    magic, length, _, _, disk, first, here, count, size, directory = fields
    if magic != b"PK\x06\x06" or length != _END64.size - 12:
        raise refused(file, "zip-end", "the zip64 end record is not one", start)
    if (disk, first) != (0, 0) or here != count:
        raise refused(file, "zip-end", "the archive says that it is one of several disks", start)
    return start, count, size, directory


def _agree(file: Bytes, at: int, *triples: tuple[int, int, int]) -> None:
    for narrow, wide, full in triples:
        if narrow not in (wide, full):
            raise refused(file, "zip-disagreement", "the two end records differ", at)


def entries(file: Bytes, ends: Ends) -> Iterator[Entry]:
    """Every entry of the central directory, which they must fill."""
    directory = file.pread(ends.directory_start, ends.directory_stop - ends.directory_start)
    at = 0
    for _ in range(ends.count):
        entry, at = _entry(file, directory, at, ends.directory_start)
        yield entry
    if at != len(directory):
        what = "the directory holds more than the entries that are counted"
        raise refused(file, "zip-gap", what, ends.directory_start + at)


def _entry(file: Bytes, directory: bytes, at: int, base: int) -> tuple[Entry, int]:
    """The entry at ``at`` of the directory, and where the next one begins."""
    here = base + at
    if at + _ENTRY.size > len(directory):
        raise refused(file, "zip-directory", "the directory ends within an entry", here)
    fields = _ENTRY.unpack_from(directory, at)
    magic, _, _, flags, method, _, _, crc, packed, size = fields[:10]
    name_length, extra_length, comment_length, disk, _, attributes, header = fields[10:]
    start = at + _ENTRY.size
    stop = start + name_length + extra_length
    if magic != b"PK\x01\x02" or comment_length or disk or stop > len(directory):
        what = "not an entry of one disk without a comment"
        raise refused(file, "zip-directory", what, here)
    raw_name = directory[start : start + name_length]
    extras = _extras(file, directory[start + name_length : stop], here)
    size, packed, header = _widened(file, extras, here, size, packed, header)
    entry = Entry(
        at=here,
        raw_name=raw_name,
        name=_text(file, raw_name, here),
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        header=header,
        mode=attributes >> 16,
        extras=tuple(extras),
    )
    return entry, stop


def local_header(file: Bytes, at: int, stop: int) -> Local:
    """The local header at byte ``at``, which must end by ``stop``."""
    if at + _LOCAL.size > stop:
        raise refused(file, "zip-overlap", "a member begins within another", at)
    fields = _LOCAL.unpack(file.pread(at, _LOCAL.size))
    magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = fields
    name_start = at + _LOCAL.size
    data_start = name_start + name_length + extra_length
    if magic != b"PK\x03\x04" or data_start > stop:
        raise refused(file, "zip-overlap", "no member's header where the directory says", at)
    tail = file.pread(name_start, name_length + extra_length)
    extras = _extras(file, tail[name_length:], at)
    size, packed = _widened(file, extras, at, size, packed)
    return Local(
        raw_name=tail[:name_length],
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        data_start=data_start,
        extras=tuple(extras),
    )


def _extras(file: Bytes, data: bytes, at: int) -> Mapping[int, bytes]:
    """The extra fields by id. They must fill the space and name no id twice."""
    fields: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        if position + 4 > len(data):
            raise refused(file, "zip-extra", "extra fields end within one", at)
        kind, length = struct.unpack_from("<HH", data, position)
        position += 4 + length
        if position > len(data) or kind in fields:
            raise refused(file, "zip-extra", "an extra field is too long, or there twice", at)
        fields[kind] = data[position - length : position]
    return fields


def _widened(file: Bytes, extras: Mapping[int, bytes], at: int, *narrow: int) -> tuple[int, ...]:
    """Sizes with those that are all ones taken from the zip64 extra field, in its order."""
    wide = extras.get(1, b"")
    if len(wide) % 8 not in (0, 4):
        raise refused(file, "zip-extra", "a zip64 field of a wrong length", at)
    rest = list(struct.unpack(f"<{len(wide) // 8}Q", wide[: len(wide) // 8 * 8]))
    values = []
    for value in narrow:
        if value == _FULL32 and not rest:
            raise refused(file, "zip-extra", "a size is left to a zip64 field that lacks it", at)
        values.append(rest.pop(0) if value == _FULL32 else value)
    return tuple(values)


def _text(file: Bytes, raw: bytes, at: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise refused(file, "zip-name", f"a name that is not UTF-8: {raw!r}", at) from e


def refused(file: Bytes, rule: str, what: str, at: int) -> BrokenPickleError:
    """The refusal of an archive by one of the rules ``artifact.zip-*``."""
    return broken(rule, f"zip: {what}", Where(file=file.path, start=at))
