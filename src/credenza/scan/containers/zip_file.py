"""ZIP archives, by every reading that some loader has of them.

Where two readers see two archives, `credenza.artifact.zips` refuses; here each difference is said
and members are looked at under both readings: PyTorch's miniz believes the central directory and
ignores CRCs, `zipfile` compares the two, and streaming readers know the local headers alone.
"""

from __future__ import annotations

import re
import stat
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.streams import BZIP2, DEFLATE, ZSTD, Method, Stream, zip_lzma
from credenza.artifact.zip_ends import Ends, Problem, find_ends
from credenza.artifact.zip_records import LOCAL_MAGIC, Entry, Local, entries, local_header
from credenza.artifact.zips import (
    DEFLATED,
    DESCRIPTOR,
    HARMLESS,
    LONGEST_DESCRIPTOR,
    STORED,
    Slice,
    check_agreement,
    check_name,
    check_sizes,
    descriptors,
)
from credenza.errors import MalformedError, MissingExtraError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.names import link, sparing, through_links
from credenza.scan.containers.spooled import Spool
from credenza.scan.containers.tar_records import is_tar
from credenza.scan.interface import Budget, OverBudgetError, Piece, Said, Seen

_BEGINNINGS: Final = (LOCAL_MAGIC, b"PK\x05\x06", b"PK\x07\x08PK\x03\x04")
_ENCRYPTED: Final = 0x1
_BZ2: Final = 12
_LZMA: Final = 14
_ZSTD: Final = (20, 93)
_LZMA_HEAD: Final = 9
_PICKLES: Final = (".pkl", ".pickle", ".debug_pkl")
_SOURCES: Final = (*_PICKLES, ".py", ".json")
_STORAGE: Final = re.compile(
    r"(?:^|/)(?:(?:data|constants|xl)/\d+|\.data/\d+\.storage"
    r"|data/weights/weight_\d+|data/constants/tensor_\d+)$"
)
"""Of checkpoints and TorchScript, of torch.package, of torch.export."""
_TORCH: Final = ("data.pkl", ".data/version")
_READ_WHOLE: Final = 8 << 20
_PIECE: Final = 1 << 20
_MOST_ZEROS: Final = 64 << 20
"""How much is read for nothing: a sparse file has zeros without end."""
_MOST_SEARCHED: Final = 64 << 20
"""How far members are searched for that no directory names."""
_FIRST_STEP: Final = 64
_NO_LIMIT: Final = 1 << 62
"""The budget is what limits."""
_SHOWN: Final = 120
_SHEBANG: Final = re.compile(rb"#![^\n]{0,250}\n")
_UNICODE_NAME: Final = 0x7075
_ESCAPES: Final = re.compile(r"#U[0-9a-fA-F]{4}|#L[0-9a-fA-F]{6}|[^\x21-\x7e]|[?_]")


@final
@dataclass(frozen=True, slots=True)
class Zip:
    """Opens whatever begins as an archive, or ends as one with anything before it."""

    name: str = "zip"

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA or piece.size < 4:  # what no loader opens as a file
            return False
        if piece.head(8).startswith(_BEGINNINGS):
            return True
        if is_tar(piece):  # whose last member may be an archive, and is looked at as that
            return False
        return bool(find_ends(piece, lambda _: None))

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        yield from sparing(_Archive(piece, budget).seen())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One way to read a member: its name, and where and how its bytes are to be read."""

    name: str
    start: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int
    is_link: bool


@final
class _Archive:
    """An archive that is being opened, and what is to be said of it."""

    def __init__(self, piece: Piece, budget: Budget) -> None:
        self.piece = piece
        self.budget = budget
        self.spool = Spool(piece.content.path, budget)
        self.problems: list[Problem] = []
        self.members: dict[tuple[str, int, int, int], _Member] = {}
        self.spans: list[tuple[int, int]] = []
        self.is_torch = False
        self.stored = piece.size
        self.searched = 0

    def seen(self) -> Iterator[Seen]:
        ends = find_ends(self.piece, self.problems.append)
        for end in ends:
            self._list(end)
        gaps = list(self._gaps(ends))
        names = [m.name for m in self.members.values()]
        self.is_torch = any(n.lower().endswith(_TORCH) for n in names)
        self._compare_cases(names)
        yield from self._said(self._first(ends))
        if not ends:
            yield Unread(where=Where(), why="zip: it has no central directory")
            yield from self._walked()
        for start, stop in gaps:
            yield self.piece.member(f"(bytes at {start})", Slice(self.piece, start, stop - start))
        links: list[str] = []
        for member in sorted(self.members.values(), key=lambda m: m.size):
            if member.is_link:
                links.append(member.name)
            yield from self._member(member)
        yield from through_links(names, links)

    # --- listing ------------------------------------------------------------------

    def _list(self, ends: Ends) -> None:
        """Every member by one directory, and by its own header where that differs."""
        seen: dict[str, Entry] = {}
        headers: set[int] = set()
        for number, entry in enumerate(entries(self.piece, ends, self.problems.append)):
            if number > self.budget.pieces:
                raise OverBudgetError
            self._check(entry, seen.get(entry.name))
            seen[entry.name] = entry
            at = entry.header + ends.base
            if at in headers:
                self.problems.append(Problem("zip-overlap", "two members are one", at))
            headers.add(at)
            local = local_header(self.piece, at, self.piece.size, self.problems.append)
            if local is None:
                continue
            check_agreement(entry, local, self.problems.append)
            self._add(entry, local, at)

    def _check(self, entry: Entry, twin: Entry | None) -> None:
        say = self.problems.append
        check_name(entry, say)
        check_sizes(entry, say)
        if entry.flags & ~(HARMLESS | _ENCRYPTED):
            what = f"{entry.name}: flags 0x{entry.flags:04x} say patched or use reserved bits"
            say(Problem("zip-flags", what, entry.at))
        if twin is not None:
            same = (twin.crc, twin.size) == (entry.crc, entry.size)
            severity = Severity.LOW if same else Severity.HIGH
            say(Problem("zip-name", f"a name twice: {entry.raw_name!r}", entry.at, severity))
        second = dict(entry.extras).get(_UNICODE_NAME, b"")[5:].decode("utf-8", "replace")
        if second and _ESCAPES.sub("", second) != _ESCAPES.sub("", entry.name):
            what = f"an extra field calls it {second[:60]!r}: {entry.raw_name!r}"
            say(Problem("zip-name", what, entry.at))
        if entry.method == DEFLATED and entry.size > 1032 * entry.packed + 64:
            what = f"{entry.name} claims a size that deflate cannot reach"
            say(Problem("zip-bomb", what, entry.at))

    def _compare_cases(self, names: list[str]) -> None:
        """Miniz finds a member whatever the case of its letters."""
        for name, count in Counter(n.lower() for n in set(names)).items():
            if count > 1:
                severity = Severity.HIGH if name.endswith(_PICKLES) else Severity.LOW
                what = f"names that differ in the case of letters alone: {name!r}"
                self.problems.append(Problem("zip-name", what, 0, severity))

    def _add(self, entry: Entry, local: Local, at: int) -> None:
        stop = local.data_start + entry.packed
        if stop > self.piece.size:
            what = f"{entry.name}: its data goes beyond the archive"
            self.problems.append(Problem("zip-overlap", what, at))
        behind = self.piece.pread(stop, max(0, min(LONGEST_DESCRIPTOR, self.piece.size - stop)))
        follows = (d for d in sorted(descriptors(entry), key=len, reverse=True))
        stop += next((len(d) for d in follows if behind.startswith(d)), 0)
        self.spans.append((at, stop))
        member = _Member(
            name=entry.name,
            start=local.data_start,
            packed=max(entry.packed, entry.size if entry.method == STORED else 0),
            size=entry.size,
            crc=entry.crc,
            method=entry.method,
            flags=entry.flags,
            is_link=stat.S_ISLNK(entry.mode),
        )
        self._keep(member)
        name = local.raw_name.decode("utf-8", "backslashreplace")
        if name != entry.name and local.raw_name != entry.raw_name:
            self._keep(replace(member, name=name))
        differ = (local.method, local.packed) != (entry.method, entry.packed)
        if differ and not (local.flags & DESCRIPTOR and not local.packed):
            self._keep(
                replace(
                    member, name=name, method=local.method, packed=local.packed, size=local.size
                )
            )

    def _keep(self, member: _Member) -> None:
        key = (member.name, member.start, member.packed, member.method)
        self.members.setdefault(key, member)

    # --- the bytes between --------------------------------------------------------

    def _gaps(self, ends: tuple[Ends, ...]) -> Iterator[tuple[int, int]]:
        """The runs between members that belong to nothing and are not zero.

        What lies before the first member is `_first`'s.
        """
        directories = [(e.directory_start, e.directory_stop) for e in ends]
        position = None
        for start, stop in sorted({*self.spans, *directories}):
            if position is None and (start == 0 or not self._begins()):
                position = start
            position = position or 0
            if start < position:
                self.problems.append(Problem("zip-overlap", "members overlap", start))
            elif start > position and self._is_filled(position, start):
                what = f"{start - position} bytes belong to no member"
                self.problems.append(Problem("zip-gap", what, position))
                yield position, start
            position = max(position, stop)

    def _is_filled(self, start: int, stop: int) -> bool:
        runs = range(start, min(stop, start + _MOST_ZEROS), _PIECE)
        return stop - start > _MOST_ZEROS or any(
            self.piece.pread(i, min(_PIECE, stop - i)).strip(b"\0") for i in runs
        )

    def _begins(self) -> bool:
        return self.piece.head(8).startswith(_BEGINNINGS)

    def _first(self, ends: tuple[Ends, ...]) -> Severity | None:
        """How much it weighs that something lies before the archive; None where nothing does."""
        if self._begins() or not ends:
            return None
        first = min([s for s, _ in self.spans] or [ends[0].directory_start])
        head = self.piece.head(min(first, 256))
        if self.piece.head(8)[4:] == b"TFL3":  # TensorFlow Lite's metadata: files behind a model
            return Severity.NOTE
        shebang = _SHEBANG.match(head)
        if shebang and shebang.end() == first:  # Python's zipapp
            return Severity.LOW
        embedded = any(
            p.rule == "zip-end" and "behind the archive" in p.what for p in self.problems
        )
        return Severity.LOW if embedded else Severity.HIGH

    # --- what is said -------------------------------------------------------------

    def _said(self, first: Severity | None) -> Iterator[Finding]:
        """Every problem, and that something stands before the archive."""
        if first is not None:
            if first > Severity.NOTE:
                yield Finding(
                    rule="scan.polyglot",
                    severity=first,
                    what="it is something else, and a ZIP archive stands within it or behind it",
                    where=Where(start=min([s for s, _ in self.spans], default=None)),
                    found="zip",
                )
            kept = [p for p in self.problems if p.rule not in ("zip-end", "zip-gap")]
            self.problems = kept if first < Severity.HIGH else self.problems
        yield from self._told()

    def _told(self) -> Iterator[Finding]:
        """The problems since the last time."""
        for problem in dict.fromkeys(self.problems):
            if problem.severity > Severity.NOTE:
                yield Finding(
                    rule=f"artifact.{problem.rule}",
                    severity=problem.severity,
                    what=f"zip: {problem.what[: 2 * _SHOWN]}",
                    where=Where(start=problem.at),
                    found=problem.what[:_SHOWN],
                )
        self.problems = []

    # --- members ------------------------------------------------------------------

    def _member(self, member: _Member) -> Iterator[Seen]:
        if member.name.endswith("/") and not member.size:
            return
        start = min(member.start, self.piece.size)
        packed = Slice(self.piece, start, max(0, min(member.packed, self.piece.size - start)))
        if member.flags & _ENCRYPTED and self._is_encrypted(member, packed):
            yield self._unread(member, "it is encrypted")
            yield self.piece.member(member.name, packed)
            return
        if member.method == STORED:
            yield from self._whole(member, packed)
            return
        method = _method(member, packed)
        if method is None:
            yield self._unread(member, f"compression method {member.method} is not read")
            yield self.piece.member(member.name, packed)
            return
        reachable = member.method != DEFLATED or member.size <= 1032 * member.packed + 64
        if member.size > self.budget.left and reachable:
            raise OverBudgetError
        yield from self._unpacked(member, packed, method)
        yield from self._told()

    def _is_encrypted(self, member: _Member, packed: Bytes) -> bool:
        """Whether it is, or a flag says so that a loader ignores (CVE-2025-1945)."""
        lies = member.packed == member.size  # encryption adds 12 bytes (APPNOTE.TXT 6.1.3)
        if member.method == DEFLATED:
            lies = _inflates(packed)
        what = f"{member.name}: a flag says that it is encrypted, and it is not"
        if lies:
            self.problems.append(Problem("zip-flags", what, member.start))
        return not lies

    def _whole(self, member: _Member, packed: Bytes) -> Iterator[Seen]:
        """A stored member; its CRC is checked where it will be read whole anyway."""
        self._share(packed.size)
        said = self._says(member.name)
        whole = packed.size <= _READ_WHOLE or member.name.lower().endswith(_SOURCES)
        if said != Said.DATA and whole:
            crc = 0
            for at in range(0, packed.size, _PIECE):
                crc = zlib.crc32(packed.pread(at, min(_PIECE, packed.size - at)), crc)
            self._compare(member, crc)
        yield from self._told()
        yield from self._links(member, packed)
        yield self.piece.member(member.name, packed, said=said)

    def _share(self, size: int) -> None:
        """Take from the budget what members share: looked at twice, it grows with each level."""
        self.stored -= size
        if self.stored < 0:
            self.budget.take(size)
        if self.stored < -self.piece.size - _PIECE:
            raise OverBudgetError

    def _unpacked(self, member: _Member, packed: Bytes, method: Method) -> Iterator[Seen]:
        """A compressed member: what of it could be decompressed, and why not more."""
        start = _LZMA_HEAD if member.method == _LZMA else 0
        stream = Stream(packed, method, start, limit=_NO_LIMIT)
        crc, why = 0, ""
        try:
            for data in stream.pieces():
                crc = zlib.crc32(data, crc)
                self.spool.write(data)
        except MissingExtraError as e:
            yield self._unread(member, f"{e} ({e.hint})")
            return
        except OverBudgetError:
            yield self.piece.member(member.name, self.spool.end(), said=self._says(member.name))
            raise
        except MalformedError as e:
            why = e.finding.what
        content = self.spool.end()
        if why:
            yield self._unread(member, why)
        else:
            self._compare_size(member, content.size, packed.size - stream.stop)
            self._compare(member, crc)
        yield from self._links(member, content)
        yield self.piece.member(member.name, content, said=self._says(member.name))

    def _links(self, member: _Member, content: Bytes) -> Iterator[Finding]:
        if member.is_link:
            target = content.pread(0, min(content.size, 4096)).decode("utf-8", "backslashreplace")
            yield from link(member.name, target, member.start)

    def _compare_size(self, member: _Member, size: int, left: int) -> None:
        if size != member.size or left:
            what = f"{member.name} does not inflate to the size that is claimed for it"
            self.problems.append(Problem("zip-deflate", what, member.start))

    def _compare(self, member: _Member, crc: int) -> None:
        """PyTorch ignores the CRC, Python does not (CVE-2025-10156)."""
        if crc != member.crc:
            what = f"{member.name} differs from its CRC"
            self.problems.append(Problem("zip-crc", what, member.start))

    def _says(self, name: str) -> str:
        lower = name.lower()
        if lower.endswith(_PICKLES):
            return Said.PICKLE
        return Said.DATA if self.is_torch and _STORAGE.search(lower) else ""

    def _unread(self, member: _Member, why: str) -> Unread:
        return Unread(where=Where(start=member.start), why=f"zip: {member.name[:_SHOWN]}: {why}")

    # --- without a directory ------------------------------------------------------

    def _walked(self) -> Iterator[Seen]:
        """The members as a streaming reader finds them, by their local headers alone."""
        at = self._next_header(0)
        while at is not None:
            local = local_header(self.piece, at, self.piece.size, lambda _: None)
            if local is None:
                at = self._next_header(at + 4)
                continue
            member = _by_header(local, self.piece.size - local.data_start)
            if local.packed or not local.flags & DESCRIPTOR:
                yield from self._member(member)
                stop = local.data_start + local.packed
                at = self._next_header(stop if stop <= self.piece.size else local.data_start)
                continue
            if local.method == STORED:
                stop = self._next_header(local.data_start) or self.piece.size
                yield from self._open_ended(replace(member, packed=stop - local.data_start))
                at = stop if stop < self.piece.size else None
                continue
            yield from self._open_ended(member)
            at = self._next_header(local.data_start)
        if self.searched >= _MOST_SEARCHED:
            yield Unread(where=Where(), why="zip: members were searched for, and not to its end")
        self.problems = []

    def _open_ended(self, member: _Member) -> Iterator[Seen]:
        """A member whose size nothing says: what comes out of it, without a word about sizes."""
        before = len(self.problems)
        for seen in self._member(member):
            if isinstance(seen, Piece):
                yield seen
        del self.problems[before:]

    def _next_header(self, at: int) -> int | None:
        """Where the next local header begins, from ``at`` on."""
        step = _FIRST_STEP
        while at < self.piece.size and self.searched < _MOST_SEARCHED:
            data = self.piece.pread(at, min(step + 3, self.piece.size - at))
            found = data.find(LOCAL_MAGIC)
            if found >= 0:
                return at + found
            at += step
            self.searched += step
            step = min(16 * step, _PIECE)
        return None


def _by_header(local: Local, left: int) -> _Member:
    open_ended = local.flags & DESCRIPTOR and not local.packed
    return _Member(
        name=local.raw_name.decode("utf-8", "backslashreplace"),
        start=local.data_start,
        packed=left if open_ended else local.packed,
        size=local.size,
        crc=local.crc,
        method=local.method,
        flags=local.flags,
        is_link=False,
    )


def _method(member: _Member, packed: Bytes) -> Method | None:
    if member.method == DEFLATED:
        return DEFLATE
    if member.method == _BZ2:
        return BZIP2
    if member.method in _ZSTD:
        return ZSTD
    if member.method == _LZMA and packed.size >= _LZMA_HEAD:
        return zip_lzma(packed.pread(0, _LZMA_HEAD), member.size)
    return None


def _inflates(packed: Bytes) -> bool:
    """Whether the first bytes are deflate, which encrypted ones are by no chance worth naming."""
    fed = packed.pread(0, min(packed.size, 1 << 16))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return len(inflater.decompress(fed, 1 << 16)) >= min(64, packed.size // 2)
    except zlib.error:
        return False
