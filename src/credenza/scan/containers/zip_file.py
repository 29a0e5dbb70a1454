"""ZIP archives, by every reading that some loader has of them.

Where two readers see two archives, `credenza.artifact.zips` refuses; here each difference is said
and members are looked at under both readings: PyTorch's miniz believes the central directory and
ignores CRCs, `zipfile` compares the two, and streaming readers know the local headers alone.
"""

from __future__ import annotations

import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.zip_ends import Ends, Problem, find_ends
from credenza.artifact.zip_records import LOCAL_MAGIC, Entry, Local, entries, local_header
from credenza.artifact.zips import (
    DEFLATED,
    DESCRIPTOR,
    ENCRYPTED,
    HARMLESS,
    LONGEST_DESCRIPTOR,
    STORED,
    check_agreement,
    check_name,
    check_sizes,
    descriptors,
)
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.names import sparing, through_links
from credenza.scan.containers.parts import once, part
from credenza.scan.containers.tar_records import is_tar
from credenza.scan.containers.zip_members import PICKLES, PIECE, Opener, Reading
from credenza.scan.containers.zip_walk import Walk
from credenza.scan.interface import Budget, OverBudgetError, Piece, Said, Seen

_BEGINNINGS: Final = (LOCAL_MAGIC, b"PK\x05\x06", b"PK\x07\x08PK\x03\x04")
_TORCH: Final = ("data.pkl", ".data/version")
_MOST_ZEROS: Final = 64 << 20
"""How much is read for nothing: a sparse file has zeros without end."""
_MOST_OVERLAPPED: Final = 64
"""How many members are opened where some share their bytes, which no honest writer makes them do
(Fifield, "A better zip bomb", 2019).
"""
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


@final
class _Archive:
    """An archive that is being opened, and what is to be said of it."""

    def __init__(self, piece: Piece, budget: Budget) -> None:
        self.piece = piece
        self.budget = budget
        self.opener = Opener(piece, budget)
        self.problems = self.opener.problems
        self.members: dict[tuple[str, int, int, int], Reading] = {}
        self.spans: list[tuple[int, int]] = []
        self.overlaps = False

    def seen(self) -> Iterator[Seen]:
        ends = find_ends(self.piece, self.problems.append)
        for end in ends:
            self._list(end)
        gaps = list(self._gaps(ends))
        names = [m.name for m in self.members.values()]
        self.opener.is_torch = any(n.lower().endswith(_TORCH) for n in names)
        self._compare_cases(names)
        yield from self._said(self._first(ends))
        if not ends:
            yield Unread(where=Where(), why="zip: it has no central directory")
            yield from Walk(self.opener).seen()
        for start, stop in gaps:
            gap = self.piece.member(f"(bytes at {start})", part(self.piece, start, stop - start))
            yield from once(gap, self.budget)
        links: list[str] = []
        for number, member in enumerate(sorted(self.members.values(), key=lambda m: m.size)):
            if self.overlaps and number >= _MOST_OVERLAPPED:
                raise OverBudgetError
            if member.is_link:
                links.append(member.name)
            yield from self.opener.open(member)
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
                self.overlaps = True
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
        if entry.flags & ~(HARMLESS | ENCRYPTED):
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
                severity = Severity.HIGH if name.endswith(PICKLES) else Severity.LOW
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
        member = Reading(
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

    def _keep(self, member: Reading) -> None:
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
                self.overlaps = True
            elif start > position and self._is_filled(position, start):
                what = f"{start - position} bytes belong to no member"
                self.problems.append(Problem("zip-gap", what, position))
                yield position, start
            position = max(position, stop)

    def _is_filled(self, start: int, stop: int) -> bool:
        runs = range(start, min(stop, start + _MOST_ZEROS), PIECE)
        return stop - start > _MOST_ZEROS or any(
            self.piece.pread(i, min(PIECE, stop - i)).strip(b"\0") for i in runs
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
            self.problems[:] = kept if first < Severity.HIGH else self.problems
        yield from self.opener.told()
