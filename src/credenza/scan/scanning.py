"""The one function that scans: every file, every file inside of one, every rule that claims it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import Artifact
from credenza.errors import InputError, MalformedError
from credenza.findings import Examined, Finding, Report, Severity, Unread, Where
from credenza.scan.containers import CONTAINERS
from credenza.scan.interface import Budget, Container, Limits, OverBudgetError, Piece, Rule, Seen
from credenza.scan.listing import Lying, listed
from credenza.scan.rules import RULES

Progress: TypeAlias = Callable[[str], None]
"""Told the path of each file when it was looked at."""

_BLOCK: Final = 1 << 20
_ANY_TEXT: Final = "text"
"""The rule that looks at text of every format, and names none of them."""


def scan(
    subject: Artifact | str | os.PathLike[str],
    *,
    rules: Sequence[Rule] = RULES,
    containers: Sequence[Container] = CONTAINERS,
    limits: Limits | None = None,
    digest: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Everything in a model, or at any path, that would run or that abuses its format.

    A file that breaks its format is scanned to the end of what can be read. The report's
    ``findings`` speak against the subject, its ``unread`` says what has no answer, its
    ``uncovered`` what nobody here looks at. No finding never means that it is safe. With
    ``digest`` each of its ``files`` has its SHA-256.

    Raises `InputError` where there is nothing to scan, or no rule to scan it with.
    """
    if not rules:
        raise InputError("scan: no rules given, so nothing would be looked at")
    if not isinstance(subject, Artifact) and not os.fspath(subject):
        raise InputError("scan: an empty path given, which may be any folder")
    root = subject.path if isinstance(subject, Artifact) else Path(subject)
    scanned, limits = _Scanned(), limits or Limits()
    lookers: tuple[Rule | Container, ...] = (*containers, *rules)
    for entry in listed(root):
        match entry:
            case Finding():
                scanned.findings.append(entry)
            case Unread():
                scanned.unread.append(entry)
            case Lying():
                look = _Look(scanned, lookers, limits, digest=digest)
                scanned.files.append(look.at(entry))
                if progress is not None:
                    progress(entry.path)
    return Report(
        examination="scan",
        subject=str(root),
        covered=tuple(scanned.covered()),
        uncovered=tuple(scanned.uncovered()),
        findings=_each_once(scanned.findings),
        files=tuple(scanned.files),
        unread=tuple(dict.fromkeys(scanned.unread)),
    )


@final
class _Scanned:
    """What a scan has found so far."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.unread: list[Unread] = []
        self.files: list[Examined] = []

    def covered(self) -> Iterator[str]:
        formats = Counter(f.format.replace(", ", " and ") for f in self.files if f.format)
        if formats:
            kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(formats.items()))
            yield f"files by content: {kinds}"
        checks = sorted({check for f in self.files for check in f.checks})
        if checks:
            yield f"checks: {', '.join(checks)}"

    def uncovered(self) -> Iterator[str]:
        yield from (str(u) for u in dict.fromkeys(self.unread))
        unread = {u.where.file for u in self.unread}
        for file in self.files:
            if not file.checks and file.path not in unread:
                yield f"{file.path}: no format that is known here"


@final
class _Look:
    """One file on disk, and all that is inside of it."""

    def __init__(
        self,
        scanned: _Scanned,
        lookers: Sequence[Rule | Container],
        limits: Limits,
        *,
        digest: bool,
    ) -> None:
        self.digest = digest
        self.scanned = scanned
        self.lookers = lookers
        self.limits = limits
        self.checks: set[str] = set()
        self.over = False
        self.todo: list[Piece] = []

    def at(self, lying: Lying) -> Examined:
        try:
            with lying.open() as opened:
                piece = Piece(path=lying.path, content=opened, file=lying.path)
                format_ = self._all(piece)
                sha256 = _sha256(opened) if self.digest else ""
        except InputError as e:
            why = str(e).removeprefix(f"{lying.path}: ")
            self.scanned.unread.append(Unread(where=Where(file=lying.path), why=why))
            return Examined(path=lying.path, size=0)
        checks = tuple(sorted(self.checks))
        return Examined(
            path=lying.path, size=opened.size, format=format_, checks=checks, sha256=sha256
        )

    def _all(self, outermost: Piece) -> str:
        """Look at every piece; what the outermost one is."""
        budget = Budget(outermost.size, self.limits)
        names = self._one(outermost, budget)
        while self.todo:
            self._one(self.todo.pop(), budget)
        return ", ".join([n for n in names if n != _ANY_TEXT] or names)

    def _one(self, piece: Piece, budget: Budget) -> list[str]:
        """Let each that claims a piece look at it; who they were."""
        piece = piece.at_hand()
        names = []
        for looker in self.lookers:
            if looker.claims(piece):
                names.append(looker.name)
                self._take_all(_looking(looker, piece, budget), piece, budget)
        self.checks.update(names)
        return names

    def _take_all(self, look: Iterator[Seen], piece: Piece, budget: Budget) -> None:
        """All that one rule or container sees, and what kept it from seeing more."""
        try:
            for seen in look:
                self._take(seen, piece, budget)
        except MalformedError as e:
            self._found(e.finding, piece)
            self._unread(e.finding.what, piece)
        except OverBudgetError:
            if not self.over:  # said once a file: what is left over budget is left for one reason
                self._found(_bomb(), piece)
                self._unread("it unpacks to more than is looked at", piece)
            self.over = True
        except InputError as e:
            self._unread(str(e), piece)
        except (MemoryError, RecursionError) as e:
            self._unread(f"too much for this machine: {e!r}", piece)

    def _take(self, seen: Seen, piece: Piece, budget: Budget) -> None:
        match seen:
            case Finding():
                self._found(seen, piece)
            case Unread():
                self._unread(seen.why, piece, seen.where)
            case Piece():
                budget.pieces -= 1
                if budget.pieces < 0 or len(seen.inside) > self.limits.depth:
                    raise OverBudgetError
                self.todo.append(seen)

    def _found(self, finding: Finding, piece: Piece) -> None:
        where = _placed(finding.where, piece)
        self.scanned.findings.append(replace(finding, where=where))

    def _unread(self, why: str, piece: Piece, where: Where | None = None) -> None:
        why = why.removeprefix(
            f"{piece.path}: "
        )  # of what could not be read, in the reader's words
        self.scanned.unread.append(Unread(where=_placed(where or Where(), piece), why=why))


def _looking(looker: Rule | Container, piece: Piece, budget: Budget) -> Iterator[Seen]:
    if isinstance(looker, Container):
        yield from looker.open(piece, budget)
    else:
        yield from looker.examine(piece)


def _sha256(content: Bytes) -> str:
    import hashlib

    digest = hashlib.sha256()
    for start in range(0, content.size, _BLOCK):
        digest.update(content.pread(start, min(_BLOCK, content.size - start)))
    return digest.hexdigest()


def _placed(where: Where, piece: Piece) -> Where:
    """A place in a piece, as one in the file on disk."""
    return replace(where, file=piece.where.file, member=piece.where.member)


def _bomb() -> Finding:
    return Finding(
        rule="scan.bomb",
        severity=Severity.HIGH,
        what="it unpacks to more, deeper or more numerous files than honest ones do",
    )


def _each_once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Worst first, then by place; what two rules say in the same words is said once."""
    return tuple(sorted(dict.fromkeys(findings), key=_worst_first))


def _worst_first(finding: Finding) -> tuple[int, str, str, str, int, str]:
    at = finding.where
    start = -1 if at.start is None else at.start
    place = (at.file or "", at.member or "", at.tensor or "", start)
    return (-finding.severity.rank, *place, finding.rule)
