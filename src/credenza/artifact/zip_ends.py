"""The end records of a ZIP archive, and every archive that one of them leads a reader to."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.findings import Severity, Where

_MAGIC: Final = b"PK\x05\x06"
_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR: Final = struct.Struct("<4sIQI")
FULL32: Final = 0xFFFFFFFF
_FULL16: Final = 0xFFFF
_FARTHEST: Final = _END.size + 0xFFFF
"""How far before the file's end readers look for the end record."""
_MOST_VIEWS: Final = 4
MOST_DIRECTORY: Final = 256 << 20
"""The largest central directory that is read: some two million members."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What two readers of an archive could take in two ways, by a rule ``artifact.<rule>``.

    `members` refuses an archive for every one. ``severity`` is for who tells more from less.
    """

    rule: str
    what: str
    at: int
    severity: Severity = Severity.HIGH


Say: TypeAlias = Callable[[Problem], None]
"""Told each problem. It raises, or the archive is read on as far as it can be."""


def refused(file: Bytes, rule: str, what: str, at: int) -> BrokenPickleError:
    """The refusal of an archive by one of the rules ``artifact.zip-*``."""
    return broken(rule, f"zip: {what}", Where(file=file.path, start=at))


def refusing(file: Bytes) -> Say:
    """Raises `BrokenPickleError` for the first problem."""

    def say(problem: Problem) -> None:
        raise refused(file, problem.rule, problem.what, problem.at)

    return say


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the central directory is, and how many entries it has.

    ``base`` is what its offsets count from: 0, but for readers that find the directory by its
    size and take what lies before the archive for granted, as `zipfile` does.
    """

    directory_start: int
    directory_stop: int
    count: int
    base: int = 0


@dataclass(frozen=True, slots=True)
class _Record:
    """An end record at byte ``at``; ``comment`` is how long it says that its comment is."""

    at: int
    one_disk: bool
    count: int
    size: int
    start: int
    comment: int


def find_end(file: Bytes) -> Ends:
    """The end records, which must be the file's last bytes, with no comment behind them."""
    at = file.size - _END.size
    if at < 0:
        raise refused(file, "zip-end", "too short for an end record", 0)
    record = _record(file, at)
    if record is None or record.comment:
        raise refused(file, "zip-end", "the file does not end with a bare end record", at)
    for ends in _Views(file, refusing(file)).of(record):
        return ends
    raise refused(file, "zip-directory", "no directory where the end record says", at)


def find_ends(file: Bytes, say: Say) -> tuple[Ends, ...]:
    """Every directory that some reader would take for the archive's; none where there is none.

    `zipfile` and miniz take the last end record that they find; others the one whose comment ends
    with the file. With two sizes for a thing, there is a reader for each.
    """
    records = _records(file, say)
    views = _Views(file, say)
    found = dict.fromkeys(ends for record in records for ends in views.of(record))
    if len({(e.directory_start, e.count) for e in found}) > 1:
        say(Problem("zip-end", "readers find different directories in it", records[0].at))
    return tuple(found)[:_MOST_VIEWS]


def _records(file: Bytes, say: Say) -> list[_Record]:
    """The end records that readers choose between, the usual choice first."""
    base = max(0, file.size - _FARTHEST)
    tail = file.pread(base, file.size - base)
    last = tail.rfind(_MAGIC, 0, max(0, len(tail) - _END.size + len(_MAGIC)))
    found = [r for r in [_record(file, base + last)] if r] if last >= 0 else []
    if not found:
        return []
    if tail.find(_MAGIC, last + 1) >= 0:
        say(Problem("zip-end", "half an end record behind the end record", base + last))
    _check_behind(found[0], tail[last + _END.size :], say)
    at = tail.find(_MAGIC)
    while 0 <= at < last:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        if at + _END.size + comment == len(tail):
            say(Problem("zip-end", "an end record within the comment of another", base + at))
            found += [r for r in [_record(file, base + at)] if r]
            break
        at = tail.find(_MAGIC, at + 1)
    return found


def _check_behind(record: _Record, behind: bytes, say: Say) -> None:
    """The comment of the end record, and what comes behind it."""
    comment, rest = behind[: record.comment], behind[record.comment :]
    at = record.at + _END.size
    if len(comment) < record.comment:
        say(Problem("zip-end", "the archive's comment is cut off", at))
    if b"PK\x03\x04" in comment or b"PK\x01\x02" in comment:
        say(Problem("zip-end", "the archive's comment holds another archive", at))
    elif not _is_text(comment):
        say(Problem("zip-end", "the archive's comment is no text", at, Severity.MEDIUM))
    elif comment:
        say(Problem("zip-end", "the archive has a comment", at, Severity.NOTE))
    if rest:
        severity = Severity.HIGH if rest.strip(b"\0") else Severity.LOW
        what = f"{len(rest)} bytes stand behind the archive"
        say(Problem("zip-end", what, at + len(comment), severity))


def _is_text(data: bytes) -> bool:
    text = data.decode("utf-8", "replace")
    return all(c.isprintable() or c in "\r\n\t\x1a" for c in text) and "\ufffd" not in text


def _record(file: Bytes, at: int) -> _Record | None:
    if at < 0 or at + _END.size > file.size:
        return None
    magic, disk, first, here, count, size, start, comment = _END.unpack(file.pread(at, _END.size))
    one_disk = (disk, first) == (0, 0) and here == count
    return _Record(at, one_disk, count, size, start, comment) if magic == _MAGIC else None


@dataclass(frozen=True, slots=True)
class _Views:
    """The directories that readers find by one end record."""

    file: Bytes
    say: Say

    def of(self, record: _Record) -> Iterator[Ends]:
        if not record.one_disk:
            what = "the archive says that it is one of several disks"
            self.say(Problem("zip-end", what, record.at))
        wides = list(self._wides(record))
        for wide in wides or [record]:
            yield from self._found(wide, record.at)
        for wide in wides:
            if not _agree(record, wide):
                self.say(Problem("zip-disagreement", "the two end records differ", record.at))
                yield from self._found(record, record.at)

    def _found(self, record: _Record, at: int) -> Iterator[Ends]:
        """The directory at the place that is named, and the one before the end record."""
        start, size, stop = record.start, record.size, record.at
        if size > MOST_DIRECTORY:
            self.say(Problem("zip-bomb", f"a directory of {size} bytes", start))
            return
        if start + size != stop:
            what = "the directory does not end where its end record begins"
            self.say(Problem("zip-gap", what, at))
        if self._is_directory(start, size):
            yield Ends(start, start + size, record.count)
        if start + size != stop and self._is_directory(stop - size, size):
            yield Ends(stop - size, stop, record.count, stop - size - start)

    def _is_directory(self, start: int, size: int) -> bool:
        if not 0 <= start <= start + size <= self.file.size:
            return False
        return not size or self.file.pread(start, min(size, 4)) == b"PK\x01\x02"

    def _wides(self, record: _Record) -> Iterator[_Record]:
        """What the zip64 records say, by the place in their locator and by the one before it."""
        at = record.at - _LOCATOR.size
        if at < 0:
            return
        magic, disk, start, disks = _LOCATOR.unpack(self.file.pread(at, _LOCATOR.size))
        if magic != b"PK\x06\x07":
            return
        if disk != 0 or disks > 1 or start + _END64.size != at:
            what = "the zip64 end record is not before its locator"
            self.say(Problem("zip-end", what, at))
        places = dict.fromkeys((start, at - _END64.size))
        found = [wide for place in places for wide in self._wide(place)]
        if not found:
            self.say(Problem("zip-end", "the zip64 end record is not one", at))
        yield from found

    def _wide(self, at: int) -> Iterator[_Record]:
        if not 0 <= at <= at + _END64.size <= self.file.size:
            return
        fields = _END64.unpack(self.file.pread(at, _END64.size))
        magic, length, _, _, disk, first, here, count, size, start = fields
        if magic != b"PK\x06\x06":
            return
        if length != _END64.size - 12:
            self.say(Problem("zip-end", "the zip64 end record is not one", at))
        if (disk, first) != (0, 0) or here != count:
            what = "the archive says that it is one of several disks"
            self.say(Problem("zip-end", what, at))
        yield _Record(at, one_disk=True, count=count, size=size, start=start, comment=0)


def _agree(narrow: _Record, wide: _Record) -> bool:
    """Each field is the same in both, or left to the wide one."""
    return (
        narrow.count in (wide.count, _FULL16)
        and narrow.size in (wide.size, FULL32)
        and narrow.start in (wide.start, FULL32)
    )
