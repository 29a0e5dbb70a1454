"""ZIP archives, read so that no two readers can see two different archives in them.

APPNOTE.TXT 6.3.10 says most things twice: in the central directory and in each member's local
header. Python's `zipfile` believes the one, PyTorch's miniz the other, and a scanner that
believes either can be shown what the loader will not load (CVE-2025-1944, CVE-2025-1945). Here
both must agree, and headers, data and directory must tile the file without a gap.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from credenza.artifact.interface import Bytes, Held
from credenza.artifact.model import Region
from credenza.artifact.pickles import broken
from credenza.artifact.slices import Slice
from credenza.artifact.zip_ends import Problem, Say, find_end, refused, refusing
from credenza.artifact.zip_records import UTF8, Entry, Local, entries, local_header
from credenza.findings import Severity, Where

STORED: Final = 0
DEFLATED: Final = 8
DESCRIPTOR: Final = 0x0008
LEVEL: Final = 0x0006
HARMLESS: Final = DESCRIPTOR | UTF8 | LEVEL
"""The flags that change nothing about how a member is read."""
LONGEST_DESCRIPTOR: Final = 24
ENCRYPTED: Final = 0x0001
_ENCRYPTION: Final = 12
"""By how many bytes encryption makes a member longer (APPNOTE.TXT 6.1.3)."""
_REDEFINING: Final = {0x7075: "a second name", 0x9901: "AES encryption", 0x0017: "encryption"}
MOST_INFLATED: Final = 256 << 20
"""The most bytes of one deflated member that are ever held in memory."""
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of an archive. Its bytes on disk are ``start`` to ``stop`` of the outer file.

    ``size`` is its size once decoded, ``crc`` the CRC-32 that the archive claims for that.
    """

    name: str
    start: int
    stop: int
    size: int
    crc: int
    deflated: bool

    @property
    def region(self) -> Region:
        encoding = "deflate" if self.deflated else "raw"
        return Region(start=self.start, stop=self.stop, nbytes=self.size, encoding=encoding)


@dataclass(frozen=True, slots=True)
class _Opening:
    """The beginning of a file of ``size`` bytes."""

    path: str
    size: int
    data: bytes

    def pread(self, start: int, length: int) -> bytes:
        return Held(self.path, self.data).pread(start, length)


def is_zip(file: Bytes) -> bool:
    """True for a file that begins as an archive does, or is an empty one."""
    return file.size >= 4 and file.pread(0, 4) in (b"PK\x03\x04", b"PK\x05\x06")


def members(file: Bytes) -> tuple[Member, ...]:
    """The files of an archive, in the order of their bytes. Directories are left out.

    Only headers are read; `check` compares a member with its CRC.

    Raises `BrokenPickleError`, a `MalformedError`, for whatever could be read in two ways.
    """
    ends = find_end(file)
    listed = sorted(entries(file, ends), key=lambda e: e.header)
    _check_names(file, listed)
    stops = [*(e.header for e in listed[1:]), ends.directory_start][: len(listed)]
    if (listed[0].header if listed else ends.directory_start) != 0:
        raise refused(file, "zip-gap", "bytes stand before the first member", 0)
    found = [_member(file, e, stop) for e, stop in zip(listed, stops, strict=True)]
    _check_bomb(file, found)
    return tuple(m for m in found if not m.name.endswith("/"))


def content(file: Bytes, member: Member, limit: int = MOST_INFLATED) -> Bytes:
    """A member's decoded bytes as a file: a part of the archive, or inflated into memory.

    Raises `BrokenPickleError` where they do not inflate to the size that the archive claims, or
    to more than ``limit`` bytes.
    """
    if not member.deflated:
        return Slice(file, member.start, member.size)
    if member.size > limit:
        what = f"{member.name} would inflate to {member.size} bytes, and {limit} are held"
        raise refused(file, "zip-bomb", what, member.start)
    return Held(file.path, b"".join(_pieces(file, member)))


def opening(file: Bytes, member: Member, length: int) -> Bytes:
    """A member as a file of its full size, of which only the first ``length`` bytes can be read.

    For headers: nothing behind them is read from disk or inflated.
    Raises `BrokenPickleError` where not even those inflate.
    """
    if not member.deflated:
        return Slice(file, member.start, member.size)
    wanted = min(length, member.size)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    fed = file.pread(member.start, min(member.stop - member.start, 2 * length + 1024))
    try:
        data = inflater.decompress(fed, max(wanted, 1))
    except zlib.error as e:
        raise refused(file, "zip-deflate", f"{member.name}: {e}", member.start) from e
    if len(data) < wanted:
        what = f"{member.name} does not inflate to the size that is claimed for it"
        raise refused(file, "zip-deflate", what, member.start)
    return _Opening(file.path, member.size, data)


def check(file: Bytes, member: Member) -> None:
    """Read a member whole and compare it with its CRC.

    Raises `BrokenPickleError`. PyTorch ignores the CRC, Python does not (CVE-2025-10156).
    """
    crc = 0
    for piece in _pieces(file, member):
        crc = zlib.crc32(piece, crc)
    if crc != member.crc:
        where = Where(file=file.path, start=member.start, stop=member.stop)
        expected, found = f"{member.crc:08x}", f"{crc:08x}"
        raise broken(
            "zip-crc", f"{member.name} differs from its CRC", where, expected=expected, found=found
        )


def _pieces(file: Bytes, member: Member) -> Iterator[bytes]:
    """The decoded bytes in pieces of at most 1 MiB; their sum is checked at the end."""
    if not member.deflated:
        for at in range(member.start, member.stop, _PIECE):
            yield file.pread(at, min(_PIECE, member.stop - at))
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    at, total = member.start, 0
    while not inflater.eof:
        fed = inflater.unconsumed_tail
        if not fed:
            fed = file.pread(at, min(_PIECE, member.stop - at))
            at += len(fed)
        try:
            piece = inflater.decompress(fed, _PIECE)
        except zlib.error as e:
            raise refused(file, "zip-deflate", f"{member.name}: {e}", member.start) from e
        total += len(piece)
        if total > member.size or (not fed and not piece):
            break
        yield piece
    unused = len(inflater.unused_data) + member.stop - at
    if total != member.size or not inflater.eof or unused:
        what = f"{member.name} does not inflate to the size that is claimed for it"
        raise refused(file, "zip-deflate", what, member.start)


def _member(file: Bytes, entry: Entry, stop: int) -> Member:
    """The member of a directory entry, whose record must fill the bytes up to ``stop``."""
    say = refusing(file)
    _check_entry(file, entry)
    local = local_header(file, entry.header, stop)
    if local is None:  # never: without somebody to tell, it raises
        raise refused(file, "zip-overlap", "no header", entry.header)
    check_agreement(entry, local, say)
    data_stop = local.data_start + entry.packed
    if data_stop > stop:
        what = f"{entry.name}: its data goes into what comes next"
        raise refused(file, "zip-overlap", what, entry.header)
    gap = file.pread(data_stop, min(stop - data_stop, LONGEST_DESCRIPTOR + 1))
    if gap not in descriptors(entry):
        what = f"{entry.name}: {stop - data_stop} bytes behind its data belong to nothing"
        raise refused(file, "zip-gap", what, data_stop)
    return Member(
        name=entry.name,
        start=local.data_start,
        stop=data_stop,
        size=entry.size,
        crc=entry.crc,
        deflated=entry.method == DEFLATED,
    )


def descriptors(entry: Entry) -> tuple[bytes, ...]:
    """What may stand behind a member's data: its data descriptor, if one is announced."""
    if not entry.flags & DESCRIPTOR:
        return (b"",)
    bodies = [struct.pack("<IQQ", entry.crc, entry.packed, entry.size)]
    if max(entry.packed, entry.size) < 1 << 32:
        bodies.append(struct.pack("<III", entry.crc, entry.packed, entry.size))
    return tuple(signature + body for body in bodies for signature in (b"PK\x07\x08", b""))


def _check_entry(file: Bytes, entry: Entry) -> None:
    if entry.flags & ~HARMLESS:
        what = f"{entry.name}: flags 0x{entry.flags:04x} say encrypted, patched or reserved"
        raise refused(file, "zip-flags", what, entry.at)
    if entry.method not in (STORED, DEFLATED):
        what = f"{entry.name}: compression method {entry.method}; stored and deflate are read"
        raise refused(file, "zip-method", what, entry.at)
    check_sizes(entry, refusing(file))
    if stat.S_ISLNK(entry.mode):
        raise refused(file, "zip-name", f"{entry.name} is a symbolic link", entry.at)


def check_sizes(entry: Entry, say: Say) -> None:
    """Say where the sizes of an entry cannot be those of one thing."""
    longer = _ENCRYPTION if entry.flags & ENCRYPTED else 0
    if entry.method == STORED and entry.packed not in (entry.size, entry.size + longer):
        what = f"{entry.name} is stored, and has two sizes: {entry.packed} and {entry.size}"
        say(Problem("zip-sizes", what, entry.at))
    if entry.name.endswith("/") and entry.size:
        say(Problem("zip-name", f"the directory {entry.name} holds bytes", entry.at))


def check_agreement(entry: Entry, local: Local, say: Say) -> None:
    """Say where a member's own header differs, beyond leaving sizes to the descriptor."""
    if local.raw_name != entry.raw_name:
        what = f"{entry.name} is called {local.raw_name!r} in its own header"
        say(Problem("zip-disagreement", what, entry.header))
    if (local.flags, local.method) != (entry.flags, entry.method):
        same = local.method == entry.method and not (local.flags ^ entry.flags) & ~LEVEL
        severity = Severity.NOTE if same else Severity.HIGH
        what = f"{entry.name}: its own header has another method or other flags"
        say(Problem("zip-disagreement", what, entry.header, severity))
    claimed = (entry.crc, entry.packed, entry.size)
    own = (local.crc, local.packed, local.size)
    left_open = 0 if entry.flags & DESCRIPTOR else None  # Info-ZIP leaves open what it must
    if any(mine not in (other, left_open) for mine, other in zip(own, claimed, strict=True)):
        what = f"{entry.name}: its own header has another CRC or size"
        say(Problem("zip-disagreement", what, entry.header))
    for kind, _ in (*entry.extras, *local.extras):
        if kind in _REDEFINING:
            what = f"{entry.name}: an extra field gives it {_REDEFINING[kind]}"
            say(Problem("zip-disagreement", what, entry.header))


def _check_names(file: Bytes, listed: list[Entry]) -> None:
    say = refusing(file)
    seen: set[str] = set()
    for entry in listed:
        check_name(entry, say)
        if entry.name in seen:
            say(Problem("zip-name", f"a name twice: {entry.raw_name!r}", entry.at))
        seen.add(entry.name)


def check_name(entry: Entry, say: Say) -> None:
    """Say what makes a name unsafe or ambiguous; nothing for a plain relative path."""

    def problem(what: str, severity: Severity) -> None:
        say(Problem("zip-name", f"{what}: {entry.raw_name!r}", entry.at, severity))

    if not entry.raw_name.isascii() and not entry.flags & UTF8:
        problem("a name that is not ASCII, without the UTF-8 flag", Severity.NOTE)
    if "\0" in entry.name:
        problem("a name with NUL", Severity.HIGH)
    parts = entry.name.replace("\\", "/").removesuffix("/").split("/")
    if "\\" in entry.name:
        severity = Severity.HIGH if ".." in parts or not parts[0] else Severity.MEDIUM
        problem("a name with a backslash", severity)
    if entry.name.startswith("/") or entry.name[1:2] == ":":
        problem("an absolute name", Severity.HIGH)
    elif any(part in ("", ".", "..") for part in parts):
        problem("a name that is no plain path", Severity.HIGH if ".." in parts else Severity.LOW)


def _check_bomb(file: Bytes, found: list[Member]) -> None:
    """Deflate gives at most 1,032 bytes for one (zlib, "Maximum Compression Factor")."""
    for member in found:
        if member.deflated and member.size > 1032 * (member.stop - member.start) + 64:
            what = f"{member.name} claims a size that deflate cannot reach"
            raise refused(file, "zip-bomb", what, member.start)
    total = sum(m.size for m in found)
    if total > max(4 << 30, 100 * file.size):
        raise refused(file, "zip-bomb", f"its members would inflate to {total} bytes", 0)
