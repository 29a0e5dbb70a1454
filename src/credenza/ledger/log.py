"""The ledger: one file, one line an entry, each line with the root of the tree up to it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from credenza.errors import AlteredError, InputError, MalformedError
from credenza.files import write_whole
from credenza.findings import Finding, Report, Severity, Where
from credenza.ledger.entry import Entry
from credenza.ledger.tree import (
    Frontier,
    Head,
    check_inclusion,
    head_of,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
)

_HEADER = b"credenza ledger v1\n"
_ROOT_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry stood at ``index`` when ``head`` was the head of the ledger."""

    index: int
    head: Head
    proof: tuple[bytes, ...]

    def check(self, entry: Entry) -> None:
        """Check, without the ledger, that the receipt is for ``entry``.

        Raises `UntrustedError` where it is not. Whether the head was the ledger's is for
        `Ledger.verify` to say, or for who kept it.
        """
        check_inclusion(self.head, self.index, leaf_hash(bytes(entry)), self.proof)


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a ledger has been read and checked; ``last`` is the line that ends there."""

    offset: int
    last: bytes
    frontier: Frontier


_START = _Place(len(_HEADER), _HEADER, Frontier())


class Ledger:
    """An append-only record in one file. Several processes and threads may share the file.

    * An entry whose receipt was handed out survives a crash of the process or the machine.
    * No entry is yielded before it is checked against the root that was recorded with it.
    * Nothing but `append` ever writes.

    Every method raises `InputError` where the file cannot be read or written, `MalformedError`
    where a line is not an entry or the last one is torn, and `AlteredError` where an entry is not
    the one that was recorded; both name the entry and its first byte.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = _START
        self._mutex = threading.Lock()

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """The ledger in that file, which is made if it is missing."""
        path = Path(path)
        if not path.exists():
            try:
                write_whole(path, _HEADER, replace=False)
            except InputError:
                if not path.exists():  # else another process was faster, which is as good
                    raise
        return cls(path)

    def append(self, entry: Entry) -> Receipt:
        """Add an entry, and return its receipt once it is durable.

        A torn last line, which no receipt exists for, is cut off first, and an entry
        ``recovered`` says so. If writing fails the file is left without the entry.
        """
        with self._mutex, self._opened(os.O_RDWR, fcntl.LOCK_EX) as handle:
            data, whole = self._unread(handle)
            for _, place in self._replay(data[:whole], self._place):
                self._place = place
            lines = [entry] if whole == len(data) else [_recovered(entry, data[whole:]), entry]
            before = self._place
            for each in lines:
                before, self._place = self._place, self._write(handle, each)
            return Receipt(
                before.frontier.size,
                self._place.frontier.head,
                before.frontier.proof_of_next,
            )

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, oldest first, as of now."""
        return (entry for entry, _ in self._read())

    def head(self) -> Head:
        """How many entries there are, and the root over them."""
        return self.verify()

    def verify(self, *receipts: Receipt) -> Head:
        """Check every entry, and that the ledger still holds what ``receipts`` acknowledge.

        Without a receipt, whole entries cut off the end, or a history that was written anew, do
        not show. Raises `AlteredError` with rule ``ledger.rolled-back`` where a receipt's head is
        not a beginning of this ledger.
        """
        wanted = {receipt.head.size for receipt in receipts}
        last = Frontier()
        heads = {0: last.head}
        for _, place in self._read():
            last = place.frontier
            if last.size in wanted:
                heads[last.size] = last.head
        for acknowledged in (receipt.head for receipt in receipts):
            found = heads.get(acknowledged.size)
            if found is None:
                raise self._rolled_back(acknowledged, f"{last.size} entries")
            if found != acknowledged:
                raise self._rolled_back(acknowledged, f"root {found.root.hex()}")
        return last.head

    def prove(self, index: int) -> Receipt:
        """A receipt for the entry at ``index`` under the present head.

        Raises `InputError` where there is no such entry.
        """
        leaves = self._leaves()
        if not 0 <= index < len(leaves):
            raise InputError(f"ledger: entry 0 to {len(leaves) - 1} expected, {index} given")
        return Receipt(index, head_of(leaves), prove_inclusion(leaves, index))

    def prove_consistency(self, size: int) -> tuple[Head, tuple[bytes, ...]]:
        """The present head, and the proof that the ledger of ``size`` entries is its beginning.

        For `credenza.ledger.check_consistency`. Raises `InputError` where there are fewer entries.
        """
        leaves = self._leaves()
        if not 0 <= size <= len(leaves):
            raise InputError(f"ledger: size 0 to {len(leaves)} expected, {size} given")
        return head_of(leaves), prove_consistency(leaves, size)

    def _leaves(self) -> list[bytes]:
        return [leaf_hash(bytes(entry)) for entry in self]

    def _read(self) -> Iterator[tuple[Entry, _Place]]:
        with self._opened(os.O_RDONLY, fcntl.LOCK_SH) as handle:
            data = _pread(handle, 0)
        if not data.startswith(_HEADER):
            raise self._malformed(0, "the header", _HEADER.decode().strip(), _shown(data))
        yield from self._replay(data[len(_HEADER) :], _START)

    def _unread(self, handle: int) -> tuple[bytes, int]:
        """What follows the place that was read last, and how much of it is whole lines."""
        place = self._place
        start = place.offset - len(place.last)
        data = _pread(handle, start)
        if not data.startswith(place.last):
            if place is _START:
                raise self._malformed(0, "the header", _HEADER.decode().strip(), _shown(data))
            raise self._altered(place.frontier.size - 1, start, place.last, data)
        data = data[len(place.last) :]
        return data, data.rfind(b"\n") + 1

    def _replay(self, data: bytes, place: _Place) -> Iterator[tuple[Entry, _Place]]:
        for line in io.BytesIO(data):
            index = place.frontier.size
            if not line.endswith(b"\n"):
                raise self._torn(index, place.offset, len(line))
            text = line[_ROOT_DIGITS + 1 : -1]
            try:
                entry = Entry.parse(text)
            except InputError as e:
                raise self._malformed(place.offset, f"entry {index}", str(e), _shown(line)) from e
            after = _after(place, entry)
            if after.last != line:
                raise self._altered(index, place.offset, line, after.last)
            yield entry, after
            place = after

    def _write(self, handle: int, entry: Entry) -> _Place:
        """Write one line where the known lines end, and sync it."""
        after = _after(self._place, entry)
        try:
            os.ftruncate(handle, self._place.offset)
            written = 0
            while written < len(after.last):
                at = self._place.offset + written
                written += os.pwrite(handle, after.last[written:], at)
            os.fsync(handle)
        except OSError as e:
            with contextlib.suppress(OSError):  # what stays is torn, and is cut at the next append
                os.ftruncate(handle, self._place.offset)
            raise InputError(f"{self._path} cannot be written: {e.strerror}") from e
        return after

    @contextlib.contextmanager
    def _opened(self, flags: int, lock: int) -> Iterator[int]:
        try:
            handle = os.open(self._path, flags | os.O_CLOEXEC)
        except OSError as e:
            raise InputError(f"{self._path} cannot be opened: {e.strerror}") from e
        try:
            fcntl.flock(handle, lock)
            yield handle
        finally:
            os.close(handle)  # which gives up the lock

    def _where(self, start: int, stop: int | None = None) -> Where:
        return Where(file=self._path.name, start=start, stop=stop)

    def _malformed(self, start: int, what: str, expected: str, found: str) -> MalformedError:
        return MalformedError(
            Finding(
                rule="ledger.malformed",
                severity=Severity.CRITICAL,
                what=f"{what} is not in the ledger's format",
                where=self._where(start),
                expected=expected,
                found=found,
            )
        )

    def _torn(self, index: int, start: int, size: int) -> MalformedError:
        return MalformedError(
            Finding(
                rule="ledger.torn",
                severity=Severity.MEDIUM,
                what=f"entry {index}, the last, was not written to its end",
                where=self._where(start, start + size),
            )
        )

    def _altered(self, index: int, start: int, expected: bytes, found: bytes) -> AlteredError:
        return self._refused(
            Finding(
                rule="ledger.entry-altered",
                severity=Severity.CRITICAL,
                what=f"entry {index} is not the one that was recorded",
                where=self._where(start),
                expected=f"root {_shown(expected[:_ROOT_DIGITS])}",
                found=f"root {_shown(found[:_ROOT_DIGITS])}",
            )
        )

    def _rolled_back(self, head: Head, found: str) -> AlteredError:
        return self._refused(
            Finding(
                rule="ledger.rolled-back",
                severity=Severity.CRITICAL,
                what=f"the {head.size} entries that were acknowledged are no longer its beginning",
                where=Where(file=self._path.name),
                expected=f"{head.size} entries with root {head.root.hex()}",
                found=found,
            )
        )

    def _refused(self, finding: Finding) -> AlteredError:
        return AlteredError(
            Report(
                examination="ledger",
                subject=str(self._path),
                covered=("every entry up to the one that is named",),
                findings=(finding,),
            )
        )


def _after(place: _Place, entry: Entry) -> _Place:
    """The place after ``entry`` is appended at ``place``."""
    text = bytes(entry)
    frontier = place.frontier.append(leaf_hash(text))
    line = frontier.head.root.hex().encode() + b" " + text + b"\n"
    return _Place(place.offset + len(line), line, frontier)


def _recovered(entry: Entry, torn: bytes) -> Entry:
    """The entry that says what was cut off, at the time of the entry that comes next."""
    digest = hashlib.sha256(torn).hexdigest()
    detail = (("bytes", str(len(torn))), ("sha256", digest))
    return Entry(time=entry.time, action="recovered", root="", actor="credenza", detail=detail)


def _pread(handle: int, start: int) -> bytes:
    """All of a file from ``start``."""
    parts = []
    while part := os.pread(handle, 1 << 20, start):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _shown(data: bytes) -> str:
    """The beginning of some bytes, for an error message."""
    return data[:32].decode("ascii", "backslashreplace") + ("…" if len(data) > 32 else "")
