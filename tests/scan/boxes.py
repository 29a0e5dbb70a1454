"""What the tests of containers have in common: a rule that remembers what it was shown."""

from __future__ import annotations

import io
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from credenza.findings import Report, Severity
from credenza.scan import Limits, Piece, scan
from credenza.scan.interface import Seen

EVIL = b"cposix\nsystem\n(S'true'\ntR."
"""A pickle that would run ``true``; nothing here loads it."""
GOOD = b"]q\x00."
"""A pickle of an empty list."""


@dataclass(frozen=True)
class Shown:
    """One piece that was looked at: the names to it, what was said of it, its bytes."""

    inside: tuple[str, ...]
    said: str
    data: bytes


@dataclass(frozen=True)
class Recorder:
    """A rule that finds nothing, and keeps what it is shown, up to ``most`` bytes of each."""

    shown: list[Shown] = field(default_factory=list)
    most: int = 1 << 20
    name: str = "recorder"

    def claims(self, piece: Piece) -> bool:
        return True

    def examine(self, piece: Piece) -> Iterator[Seen]:
        self.shown.append(Shown(piece.inside, piece.said, piece.head(self.most)))
        return iter(())


@dataclass(frozen=True)
class Looked:
    """A report, and the pieces inside of the file that was scanned."""

    report: Report
    shown: tuple[Shown, ...]

    @property
    def accused(self) -> set[str]:
        """The rules that were broken, at medium or above."""
        found = (f for f in self.report.findings if f.severity >= Severity.MEDIUM)
        return {f.rule for f in found}

    @property
    def named(self) -> set[str]:
        return {"!".join(s.inside) for s in self.shown}

    @property
    def contents(self) -> set[bytes]:
        return {s.data for s in self.shown}

    def said(self, name: str) -> str:
        (found,) = (s.said for s in self.shown if s.inside[-1] == name)
        return found


def looked(
    data: bytes | Path, name: str = "a.bin", *, limits: Limits | None = None, most: int = 1 << 20
) -> Looked:
    """Scan bytes, as a file of that name, or a path, with the containers alone."""
    recorder = Recorder(most=most)
    if isinstance(data, Path):
        report = scan(data, rules=(recorder,), limits=limits)
    else:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(data)
            report = scan(Path(folder) / name, rules=(recorder,), limits=limits)
    return Looked(report, tuple(s for s in recorder.shown if s.inside))


def zipped(
    files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b""
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in files.items():
            z.writestr(zipfile.ZipInfo(name), data, method)
        z.comment = comment
    return out.getvalue()


def entry(
    name: str, data: bytes = b"", type_: bytes = b"0", target: str = "", **more: int
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = type_, target, more.get("size", len(data))
    return info


def tarred(
    files: Mapping[str, bytes], *entries: tarfile.TarInfo, format_: int = tarfile.GNU_FORMAT
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as t:
        for name, data in files.items():
            t.addfile(entry(name, data), io.BytesIO(data))
        for info in entries:
            t.addfile(info)
    return out.getvalue()


def local(data: bytes, offset: int, value: bytes) -> bytes:
    """The first member's local header with other bytes at ``offset``."""
    return data[:offset] + value + data[offset + len(value) :]


def central(data: bytes, offset: int, value: bytes) -> bytes:
    """The last entry of the directory with other bytes at ``offset``."""
    at = data.rindex(b"PK\x01\x02") + offset
    return data[:at] + value + data[at + len(value) :]


def end(data: bytes, offset: int, value: bytes) -> bytes:
    at = data.rindex(b"PK\x05\x06") + offset
    return data[:at] + value + data[at + len(value) :]


def both(data: bytes, offset: int, value: bytes) -> bytes:
    """The same field in both headers of an archive of one member."""
    return central(local(data, offset, value), offset + 2, value)


def moved(data: bytes, gap: bytes, at: int) -> bytes:
    """An archive of one member with a gap at byte ``at``, its offsets corrected."""
    start = data.rindex(b"PK\x01\x02")
    if at == 0:
        data = central(data, 42, struct.pack("<I", len(gap)))
    data = end(data, 16, struct.pack("<I", start + len(gap)))
    return data[:at] + gap + data[at:]


Tamper = Callable[[bytes], bytes]
