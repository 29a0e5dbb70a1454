"""Tar archives: members, links and devices, and what two readers would take differently."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers import torch_tar
from credenza.scan.containers.names import is_outside, link, plain_path, sparing, through_links
from credenza.scan.containers.parts import part
from credenza.scan.containers.tar_records import BLOCK, Header, Pax, header, is_tar, pax
from credenza.scan.interface import Budget, OverBudgetError, Piece, Said, Seen

_FILES: Final = (b"0", b"\0", b"7")
_LINKS: Final = (b"1", b"2")
_FOLDER: Final = b"5"
_DEVICES: Final = {b"3": "a character device", b"4": "a block device", b"6": "a pipe"}
_PAX: Final = b"x"
_GLOBAL: Final = b"g"
_LONG_NAME: Final = b"L"
_LONG_LINK: Final = b"K"
_SPARSE: Final = b"S"
_LABELS: Final = (b"V", b"D")
_LONGEST_NAME: Final = 1 << 16
_MOST_SKIPPED: Final = 4096
_STEP: Final = 1 << 20
_MOST_ZEROS: Final = 64 << 20
"""How much is read for nothing: a sparse file has zeros without end."""
_TORCH: Final = frozenset({"sys_info", "pickle", "storages", "tensors"})
_HARMLESS_GLOBALS: Final = frozenset({"comment"})
_PICKLES: Final = (".pkl", ".pickle")
_Steps: TypeAlias = Generator[Seen, None, int]
"""What is seen, and then where the next header is, or how long something is."""


@final
@dataclass(frozen=True, slots=True)
class Tar:
    """Opens what begins with a header of tar, whatever its name."""

    name: str = "tar"

    def claims(self, piece: Piece) -> bool:
        return piece.said != Said.DATA and is_tar(piece)

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        yield from sparing(_Archive(piece, budget).seen())


@final
class _Archive:
    """An archive that is being read from front to back."""

    def __init__(self, piece: Piece, budget: Budget) -> None:
        self.piece = piece
        self.budget = budget
        self.files: dict[str, int] = {}
        self.links: list[str] = []
        self.names: list[str] = []
        self.is_torch = False
        self.is_read = False
        self._forget()

    def _forget(self) -> None:
        """What extended headers say is said of the one member behind them."""
        self.pax = Pax()
        self.long_name = self.long_link = ""

    def seen(self) -> Iterator[Seen]:
        at = 0
        while not self.is_read and at + BLOCK <= self.piece.size:
            found = header(self.piece.pread(at, BLOCK), at)
            if found is not None:
                at = yield from self._one(found)
            elif self._is_zero(at):
                yield from self._end(at)
            else:
                at = yield from self._resume(at)
        if not self.is_read and at < self.piece.size:
            yield Unread(where=Where(start=at), why="tar: it ends within a block")
        yield from through_links(self.names, self.links)

    # --- one header ---------------------------------------------------------------

    def _one(self, found: Header) -> _Steps:
        """What one header brings; returns where the next one is."""
        if found.size is None:
            yield self._says("a size that is no number", found.at)
            return found.at + BLOCK
        stop = _rounded(found.data_start + found.size)
        if found.data_start + found.size > self.piece.size:
            yield Unread(where=Where(start=found.at), why="tar: it ends within a member")
        if found.type_ in (_PAX, _GLOBAL):
            yield from self._extended(found, found.size)
            return stop
        if found.type_ in (_LONG_NAME, _LONG_LINK):
            self._long(found, found.size)
            return stop
        return (yield from self._member(found, found.size))

    def _extended(self, found: Header, size: int) -> Iterator[Seen]:
        said = pax(self.piece, found.data_start, size)
        if said.broken:
            yield self._says(said.broken, found.at)
        if found.type_ == _PAX:
            self.pax = said
        elif said.records.keys() - _HARMLESS_GLOBALS:
            what = "a global header changes the members behind it, for some readers"
            yield self._says(what, found.at, ", ".join(sorted(said.records))[:120])

    def _long(self, found: Header, size: int) -> None:
        left = max(0, min(size, _LONGEST_NAME, self.piece.size - found.data_start))
        text = self.piece.pread(found.data_start, left).split(b"\0")[0]
        if found.type_ == _LONG_NAME:
            self.long_name = text.decode("utf-8", "backslashreplace")
        else:
            self.long_link = text.decode("utf-8", "backslashreplace")

    def _member(self, found: Header, narrow: int) -> _Steps:
        """A file, a link, a folder or a device; returns where the next header is."""
        size = yield from self._size(found, narrow)
        records = self.pax.records
        name = records.get("GNU.sparse.name") or records.get("path") or self.long_name or found.name
        target = records.get("linkpath") or self.long_link or found.target
        is_sparse = found.type_ == _SPARSE or any(k.startswith("GNU.sparse.") for k in records)
        self._forget()
        yield from self._named(name, found)
        if found.type_ in _LINKS:
            yield from self._link(name, target, found)
        elif found.type_ in _DEVICES:
            yield _finding("archive-device", f"{name} is {_DEVICES[found.type_]}", found.at, name)
        is_file = found.type_ in _FILES and not name.endswith("/")
        if is_file or found.type_ not in (*_FILES, *_LINKS, *_DEVICES, _FOLDER, *_LABELS):
            start = self._after_sparse(found)
            yield from self._file(name, start, size, is_sparse)
            return _rounded(start + size)
        if size:  # `tarfile` takes the next block for a header, and others skip the size
            yield self._says("what has no content has a size", found.at, name)
            yield from self._file(name, found.data_start, size, is_sparse=False)
        return found.data_start

    def _size(self, found: Header, narrow: int) -> _Steps:
        """The member's size; said where a reader that ignores pax takes another."""
        text = self.pax.records.get("size", "")
        if not text:
            return narrow
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            yield self._says("an extended header gives a size that is no number", found.at)
            return narrow
        size = int(text)
        if size != narrow and (narrow or size < 1 << 33):  # CVE-2025-62518
            what = "a member has two sizes, and readers differ in which they take"
            yield self._says(what, found.at, f"{narrow} and {size}")
            start = _rounded(found.data_start + narrow)
            if start < self.piece.size:
                left = min(self.piece.size, _rounded(found.data_start + size)) - start
                if left > 0:
                    self.budget.take(left)  # these bytes are looked at twice
                    yield self._part(f"(bytes at {start})", start, left)
        return size

    def _after_sparse(self, found: Header) -> int:
        """Where the data begins: behind the blocks that continue an old GNU sparse header."""
        start = found.data_start
        more = found.type_ == _SPARSE and found.is_extended
        while more and start + BLOCK <= self.piece.size:
            more = self.piece.pread(start + 504, 1) == b"\x01"
            start += BLOCK
        return start

    def _file(self, name: str, start: int, size: int, is_sparse: bool) -> Iterator[Seen]:
        if len(self.names) == 1:
            self.is_torch = name in _TORCH
        if is_sparse:
            yield Unread(
                where=Where(start=start), why=f"tar: {name[:120]}: holes in it are not filled"
            )
        if self.is_torch and name in torch_tar.MIXED:
            yield from self._pickles(name, self._part(name, start, size))
        else:
            yield self._part(name, start, size)

    def _pickles(self, name: str, whole: Piece) -> Iterator[Piece]:
        """The pickles of a member as PyTorch reads it, and the elements of arrays between them."""
        for start, stop, said in torch_tar.parts(name, whole):
            content = part(whole, start, stop - start)
            yield self.piece.member(f"{name} (from {start})", content, said=said)

    def _part(self, name: str, start: int, size: int) -> Piece:
        start = min(start, self.piece.size)
        said = ""
        if name.lower().endswith(_PICKLES) or (self.is_torch and name == "pickle"):
            said = Said.PICKLE
        content = part(self.piece, start, max(0, min(size, self.piece.size - start)))
        return self.piece.member(name, content, said=said)

    # --- names and links ----------------------------------------------------------

    def _named(self, name: str, found: Header) -> Iterator[Seen]:
        if len(self.names) > self.budget.pieces:
            raise OverBudgetError
        self.names.append(name)
        if is_outside(name):
            yield self._name("a name that leads out of the archive", found, name)
        elif "\\" in name or "\0" in name:
            yield self._name("a name that is no plain path", found, name, Severity.MEDIUM)
        path = plain_path(name)
        if found.type_ in _FILES and not name.endswith("/"):
            if path in self.files:
                yield self._name("a name twice", found, name)
            self.files[path] = found.at

    def _name(
        self, what: str, found: Header, name: str, severity: Severity = Severity.HIGH
    ) -> Seen:
        return _finding("archive-name", what, found.at, name, severity)

    def _link(self, name: str, target: str, found: Header) -> Iterator[Seen]:
        if found.type_ == b"2":
            self.links.append(name)
            yield from link(name, target, found.at)
        elif plain_path(target) not in self.files:  # a hard link to what is not in the archive
            what = f"{name} is a link to something outside of the archive"
            yield _finding("archive-link", what, found.at, f"{name[:60]} -> {target[:60]}")

    # --- the end ------------------------------------------------------------------

    def _is_zero(self, at: int) -> bool:
        return not self.piece.pread(at, BLOCK).strip(b"\0")

    def _end(self, at: int) -> Iterator[Seen]:
        """What stands behind the first block of zeros, where readers stop."""
        self.is_read = True
        stop = min(self.piece.size, at + _MOST_ZEROS)
        for start in range(at, stop, _STEP):
            data = self.piece.pread(start, min(_STEP, self.piece.size - start))
            if rest := data.lstrip(b"\0"):
                begin = (start + len(data) - len(rest)) // BLOCK * BLOCK
                yield self._says("bytes stand behind the end of the archive", begin)
                yield self._part(f"(bytes at {begin})", begin, self.piece.size - begin)
                return
        if stop < self.piece.size:
            yield Unread(where=Where(start=stop), why="tar: zeros without end stand behind it")

    def _resume(self, at: int) -> _Steps:
        """Go on behind a broken header as GNU tar does, where there is something."""
        stop = min(self.piece.size, at + _MOST_SKIPPED * BLOCK)
        for place in range(at + BLOCK, stop - BLOCK + 1, BLOCK):
            if header(self.piece.pread(place, BLOCK), place) is not None:
                what = "a broken header, behind which some readers go on and others stop"
                yield self._says(what, at)
                return place
        self.is_read = True
        yield Unread(where=Where(start=at), why="tar: a header is broken")
        yield self._part(f"(bytes at {at})", at, self.piece.size - at)
        return stop

    def _says(self, what: str, at: int, found: str = "") -> Seen:
        return _finding("tar", what, at, found or what)


def _finding(
    rule: str, what: str, at: int, found: str, severity: Severity = Severity.HIGH
) -> Finding:
    return Finding(
        rule=f"scan.{rule}",
        severity=severity,
        what=f"tar: {what[:240]}",
        where=Where(start=at),
        found=found[:120],
    )


def _rounded(at: int) -> int:
    return -(-at // BLOCK) * BLOCK
