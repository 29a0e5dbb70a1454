"""Zip, tar and gzip files that are the same bytes every time, honest and not."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_DATE: Final = (1980, 1, 1, 0, 0, 0)


def zipped(
    members: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    *,
    deflated: bool = False,
    comment: bytes = b"",
) -> bytes:
    """A zip as `zipfile` writes it; names may come twice in an iterable."""
    made = io.BytesIO()
    pairs = members.items() if isinstance(members, Mapping) else members
    with zipfile.ZipFile(made, "w") as archive:
        archive.comment = comment
        for name, data in pairs:
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            archive.writestr(entry, data)
    return made.getvalue()


def linked_zip(name: str, target: str, more: Mapping[str, bytes]) -> bytes:
    """A zip with a symbolic link in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo(name, _DATE)
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
        for other, data in more.items():
            archive.writestr(zipfile.ZipInfo(other, _DATE), data)
    return made.getvalue()


def tarred(members: Iterable[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar, uncompressed. With another ``kind`` the data is the target of a link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if kind == tarfile.REGTYPE:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            else:
                info.type, info.linkname = kind, data.decode()
                archive.addfile(info)
    return made.getvalue()


def gzipped(data: bytes, level: int = 9) -> bytes:
    return gzip.compress(data, level, mtime=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A zip's entry, field by field: what its two headers say, each for itself."""

    name: str
    data: bytes
    local_name: str | None = None
    flags: int = 0
    local_flags: int | None = None
    method: int = 0
    local_method: int | None = None
    crc: int | None = None
    local_crc: int | None = None
    size: int | None = None
    local_size: int | None = None
    extra: bytes = b""
    hidden: bool = False
    """Not in the central directory."""
    at: int | None = None
    """Where the directory says that it is, if not where it is."""
    attributes: int = 0


def forged(
    entries: Iterable[Entry], *, before: bytes = b"", after: bytes = b"", count: int | None = None
) -> bytes:
    """A zip of those entries, and what stands before and behind it."""
    body, directory, listed = before, b"", 0
    for e in entries:
        at = len(body) if e.at is None else e.at
        right = zlib.crc32(e.data) if e.crc is None else e.crc
        if e.at is None:
            body += _local(e, right) + e.data
        if e.hidden:
            continue
        listed += 1
        name = e.name.encode()
        size = len(e.data) if e.size is None else e.size
        directory += struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2", 0x314, 20, e.flags, e.method, 0, 33, right, len(e.data), size,
            len(name), len(e.extra), 0, 0, 0, e.attributes, at,
        ) + name + e.extra  # fmt: skip
    total = listed if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, total, total, len(directory), len(body), 0)
    return body + directory + end + after


def _local(e: Entry, crc: int) -> bytes:
    name = (e.name if e.local_name is None else e.local_name).encode()
    flags = e.flags if e.local_flags is None else e.local_flags
    method = e.method if e.local_method is None else e.local_method
    size = (len(e.data) if e.size is None else e.size) if e.local_size is None else e.local_size
    found = crc if e.local_crc is None else e.local_crc
    fields = (b"PK\3\4", 20, flags, method, 0, 33, found, len(e.data), size)
    return struct.pack("<4s5H3L2H", *fields, len(name), len(e.extra)) + name + e.extra
