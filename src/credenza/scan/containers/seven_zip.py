"""7z archives, which attackers use because scanners look for ZIP ("nullifAI", ReversingLabs 2025).

A reader of our own: py7zr's native decoders ended the process under fuzzing, and the standard
library has decoders for nearly all that 7-Zip and py7zr write. The rest is said to be unread.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.interface import Bytes, Held
from credenza.errors import MalformedError, MissingExtraError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.names import is_outside, link, plain_path, sparing, through_links
from credenza.scan.containers.parts import part
from credenza.scan.containers.seven_zip_coders import BZIP2, LZMA, LZMA2, UnreadCoderError, unpacked
from credenza.scan.containers.seven_zip_records import (
    ENCODED,
    MAGIC,
    START,
    BrokenSevenZipError,
    Coder,
    File,
    Folder,
    Header,
    Part,
    packed_header,
    parse,
)
from credenza.scan.containers.spooled import Spool
from credenza.scan.interface import Budget, OverBudgetError, Piece, Said, Seen

_MOST_HEADER: Final = 12 << 20
"""50,000 files with names of usual length; it is held in memory, in two or three copies."""
_MOST_LEVELS: Final = 4
"""How often a header is packed. 7-Zip packs it once."""
_MOST_LOST: Final = 1000
"""Blocks of one archive. Behind as many that yield nothing, nobody looks for another."""
_MOST_ZEROS: Final = 64 << 20
_STEP: Final = 1 << 20
_PICKLES: Final = (".pkl", ".pickle")
_SHOWN: Final = 120
_GUESSES: Final = (
    (b"BZh", (BZIP2, b"")),
    (b"\0", (LZMA, b"\x5d\0\0\0\4")),
    (b"", (LZMA2, b"\x1c")),
)
"""Methods as their writers set them, by the first bytes; the dictionaries have 64 MiB."""


@final
@dataclass(frozen=True, slots=True)
class SevenZip:
    """Opens what begins as a 7z archive."""

    name: str = "7z"

    def claims(self, piece: Piece) -> bool:
        return piece.said != Said.DATA and piece.head(len(MAGIC)) == MAGIC

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        yield from sparing(_Archive(piece, budget).seen())


@final
class _Archive:
    """An archive that is being opened."""

    def __init__(self, piece: Piece, budget: Budget) -> None:
        self.piece = piece
        self.budget = budget
        self.spool = Spool(piece.content.path, budget)
        self.spans: list[tuple[int, int]] = [(0, START.size)]
        self.names: list[str] = []
        self.links: list[str] = []
        self.paths: set[str] = set()
        self.is_broken = False
        self.lost = 0

    def seen(self) -> Iterator[Seen]:
        try:
            start, size, crc = self._start()
            yield from self._checked("its start header", self.piece.head(32)[12:], crc[0])
            data = self._bytes(start, size)
            yield from self._checked("its header", data, crc[1])
            header = self._header(data)
        except (BrokenSevenZipError, UnreadCoderError, MissingExtraError, MalformedError) as e:
            yield self._unread(f"no header can be read: {_why(e)}")
            yield from self._guessed()
            return
        if header.broken:
            self.is_broken = True
            yield self._unread(header.broken)
            if not header.folders:
                yield from self._guessed()
        yield from self._files(header)
        yield from self._gaps()
        yield from through_links(self.names, self.links)

    # --- the header ---------------------------------------------------------------

    def _start(self) -> tuple[int, int, tuple[int, int]]:
        """Where the header is, how long, and the CRCs of the start header and of it."""
        if self.piece.size < START.size:
            raise BrokenSevenZipError("the start header is cut off")
        _, _, crc, offset, size, header_crc = START.unpack(self.piece.head(START.size))
        return START.size + offset, size, (crc, header_crc)

    def _bytes(self, start: int, size: int) -> bytes:
        """The header as it stands in the file."""
        if start + size > self.piece.size:
            raise BrokenSevenZipError("it lies behind the file's end")
        if size > _MOST_HEADER:
            raise BrokenSevenZipError(f"it has {size} bytes, and {_MOST_HEADER} are read")
        self.spans.append((start, start + size))
        return self.piece.pread(start, size)

    def _header(self, data: bytes) -> Header:
        """The header once it is unpacked, as often as it is packed; an empty one where none is."""
        for _ in range(_MOST_LEVELS):
            if data[:1] != bytes([ENCODED]):
                break
            data = self._unpacked_header(data)
        return parse(data, max(0, self.budget.pieces)) if data else Header((), ())

    def _unpacked_header(self, data: bytes) -> bytes:
        folder = packed_header(data)
        if folder.size > _MOST_HEADER:
            raise BrokenSevenZipError(f"{folder.size} bytes, and {_MOST_HEADER} are read")
        self.budget.take(folder.size)
        found = b"".join(unpacked(self._packed(folder), folder, self.budget))
        if folder.crc not in (None, zlib.crc32(found)):
            raise BrokenSevenZipError("it differs from its CRC")
        return found

    def _packed(self, folder: Folder) -> Bytes:
        """The bytes of a folder, as far as there are any."""
        start = min(START.size + folder.start, self.piece.size)
        stop = min(START.size + folder.stop, self.piece.size)
        self.spans.append((start, stop))
        return part(self.piece, start, stop - start)

    def _checked(self, what: str, data: bytes, crc: int) -> Iterator[Seen]:
        if zlib.crc32(data) != crc:
            self.is_broken = True
            yield self._unread(f"{what} differs from its CRC, and is read all the same")

    # --- files --------------------------------------------------------------------

    def _files(self, header: Header) -> Iterator[Seen]:
        """Each file, in the order of their bytes."""
        empty = (f for f in header.files if not f.has_stream)
        for file in empty:
            yield from self._named(file)
            if not file.is_folder:
                yield self._member(file, Held(self.piece.content.path, b""))
        filled = iter([f for f in header.files if f.has_stream])
        for number, folder in enumerate(header.folders):
            parts = folder.parts or (Part(folder.size, folder.crc),)  # which no reader takes out
            names = filled if folder.parts else iter(())
            files = [next(names, _nameless(number, i)) for i in range(len(parts))]
            for file in files:
                yield from self._named(file)
            yield from self._folder(folder, parts, files)
            if self.lost > _MOST_LOST:
                yield self._unread(f"{self.lost} blocks cannot be read, and no more are tried")
                break
        left = list(filled)
        for file in left:
            yield from self._named(file)
        if left:
            yield self._unread(f"{left[0].name[:_SHOWN]}: it was not found{_more(left)}")

    def _folder(self, folder: Folder, parts: tuple[Part, ...], files: list[File]) -> Iterator[Seen]:
        """The files of a folder: what of them could be unpacked, and why not more."""
        taking = _Taking(self.spool, parts)
        archive = self._packed(folder)
        try:
            for data in unpacked(archive, folder, self.budget):
                for number, content in taking.take(data):
                    yield from self._taken(files[number], content, parts[number], taking.crc)
        except (UnreadCoderError, MissingExtraError) as e:
            what = f"{files[0].name[:_SHOWN]}{_more(files)}: {_why(e)}"
            yield self._unread(what, START.size + folder.start)
            self.lost += 1
            return
        except (OverBudgetError, MalformedError) as e:
            file = files[min(taking.number, len(files) - 1)]
            content = taking.rest()
            if content.size:
                yield self._member(file, content)
            if isinstance(e, OverBudgetError):
                raise
            yield self._unread(f"{file.name[:_SHOWN]}: {_why(e)}", START.size + folder.start)
            self.lost += 1
            return
        for number, content in taking.empty():
            yield from self._taken(files[number], content, parts[number], taking.crc)

    def _taken(self, file: File, content: Bytes, part: Part, crc: int) -> Iterator[Seen]:
        if part.crc not in (None, crc):
            yield self._unread(f"{file.name[:_SHOWN]} differs from its CRC")
        if file.is_link:
            target = content.pread(0, min(content.size, 4096)).decode("utf-8", "backslashreplace")
            yield from link(file.name, target, 0)
            self.links.append(file.name)
        yield self._member(file, content)

    def _member(self, file: File, content: Bytes) -> Piece:
        said = Said.PICKLE if file.name.lower().endswith(_PICKLES) else ""
        return self.piece.member(file.name, content, said=said)

    def _named(self, file: File) -> Iterator[Finding]:
        self.names.append(file.name)
        if is_outside(file.name):
            yield _finding("archive-name", "a name that leads out of the archive", file.name)
        elif "\\" in file.name:
            what = "a name that is no plain path"
            yield _finding("archive-name", what, file.name, Severity.MEDIUM)
        path = plain_path(file.name)
        if not file.is_folder and path in self.paths:
            yield _finding("archive-name", "a name twice", file.name)
        self.paths.add("" if file.is_folder else path)

    # --- bytes that belong to nothing ---------------------------------------------

    def _gaps(self) -> Iterator[Seen]:
        """The runs between what the headers name, and behind the last of it, that are not zero."""
        at = 0
        for start, stop in [*sorted(self.spans), (self.piece.size, self.piece.size)]:
            if start > at and self._is_filled(at, start):
                behind = start == self.piece.size
                what = f"{start - at} bytes {'stand behind it' if behind else 'belong to nothing'}"
                severity = Severity.HIGH if behind and not self.is_broken else Severity.LOW
                yield _finding("stream", what, what, severity, at)
                content = part(self.piece, at, start - at)
                yield self.piece.member(f"(bytes at {at})", content)
            at = max(at, stop)

    def _is_filled(self, start: int, stop: int) -> bool:
        runs = range(start, min(stop, start + _MOST_ZEROS), _STEP)
        return stop - start > _MOST_ZEROS or any(
            self.piece.pread(i, min(_STEP, stop - i)).strip(b"\0") for i in runs
        )

    def _guessed(self) -> Iterator[Seen]:
        """What comes of the bytes behind the start header, where no header says what they are."""
        rest = part(self.piece, START.size, max(0, self.piece.size - START.size))
        first = rest.pread(0, min(rest.size, 3))
        if first != b"BZh":
            yield self.piece.member(f"(bytes at {START.size})", rest)
        method, properties = next(way for magic, way in _GUESSES if first.startswith(magic))
        size = self.budget.left
        folder = Folder(coders=(Coder(method, properties, size),), methods=(method,), size=size)
        over = False
        try:
            for data in unpacked(rest, folder, self.budget):
                self.spool.write(data)
        except OverBudgetError:
            over = True
        except MalformedError:
            pass  # it is unread already
        content = self.spool.end()
        if content.size:
            yield self.piece.member(f"(bytes at {START.size}, unpacked)", content)
        if over:
            raise OverBudgetError

    def _unread(self, why: str, at: int = 0) -> Unread:
        return Unread(where=Where(start=at), why=f"7z: {why[: 2 * _SHOWN]}")


@final
class _Taking:
    """Cuts what comes out of a folder into its files. ``number`` is the one that is being taken,
    ``crc`` that of the last one that was.
    """

    def __init__(self, spool: Spool, parts: tuple[Part, ...]) -> None:
        self.spool = spool
        self.parts = parts
        self.number = self.crc = 0
        self._left = parts[0].size
        self._running = 0

    def take(self, data: bytes) -> Iterator[tuple[int, Bytes]]:
        """Each file that is whole with these bytes."""
        at = 0
        while at < len(data) and self.number < len(self.parts):
            part = data[at : at + self._left]
            self.spool.write(part)
            self._running = zlib.crc32(part, self._running)
            self._left -= len(part)
            at += len(part)
            if not self._left:
                yield self._ended()

    def empty(self) -> Iterator[tuple[int, Bytes]]:
        """The files without bytes at the folder's end."""
        while self.number < len(self.parts) and not self._left:
            yield self._ended()

    def rest(self) -> Bytes:
        """What there is of the file that is being taken."""
        return self.spool.end()

    def _ended(self) -> tuple[int, Bytes]:
        number, self.number = self.number, self.number + 1
        self.crc, self._running = self._running, 0
        self._left = self.parts[self.number].size if self.number < len(self.parts) else 0
        return number, self.spool.end()


def _nameless(number: int, place: int) -> File:
    name = f"(file {place} of block {number})"
    return File(name=name, has_stream=True, is_folder=False, is_link=False)


def _more(files: list[File]) -> str:
    return f" and {len(files) - 1} more" if len(files) > 1 else ""


def _finding(
    rule: str, what: str, found: str, severity: Severity = Severity.HIGH, at: int = 0
) -> Finding:
    return Finding(
        rule=f"scan.{rule}",
        severity=severity,
        what=f"7z: {what}: {found[:_SHOWN]}" if rule == "archive-name" else f"7z: {what}",
        where=Where(start=at),
        found=found[:_SHOWN],
    )


def _why(e: Exception) -> str:
    if isinstance(e, MalformedError):
        return e.finding.what
    return f"{e} ({e.hint})" if isinstance(e, MissingExtraError) else str(e)
