"""The words that every rendering shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from credenza.findings import Finding, Report, Where

NOTHING: Final = "nothing"
NOTHING_KNOWN: Final = "nothing that it knows of"

_FOLDED_FROM: Final = 5
_MOST_PLACES: Final = 5


def verdict(report: Report) -> str:
    """The sentence that sums a report up. It never says that the subject is good."""
    if report.worst is None and not report.covered:
        sentence = "Nothing was looked at"
    elif report.worst is None:
        sentence = "No finding under these tests"
    else:
        sentence = f"{_counted(len(report.findings), 'finding')}, worst: {report.worst.value}"
    return "; ".join((sentence, *_left(report)))


def in_all(reports: Sequence[Report]) -> str:
    """The sentence that sums several reports up."""
    worst = max((r.worst for r in reports if r.worst is not None), default=None)
    findings = _counted(sum(len(r.findings) for r in reports), "finding")
    files = len({(r.subject, file.path) for r in reports for file in r.files})
    shown = f", {_counted(files, 'file')}" if files else ""
    said = f"{len(reports):,} reports{shown}: {findings}"
    said += "" if worst is None else f", worst: {worst.value}"
    unread = sum(len(r.unread) for r in reports)
    return said + (f"; {unread:,} unread" if unread else "")


def alike(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Worst first, and those that differ in their place alone together."""
    groups: dict[Finding, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: -f.severity.rank):
        groups.setdefault(replace(finding, where=Where()), []).append(finding)
    return list(groups.values())


def places(group: Sequence[Finding]) -> list[str]:
    """Where findings that are alike are, of many the first few; empty where they say nothing."""
    shown = group if len(group) <= _MOST_PLACES else group[: _MOST_PLACES - 1]
    said = [place for f in shown if (place := str(f.where))]
    more = len(group) - len(shown)
    return [*said, f"and {more:,} places more"] if more else said


def not_seen(report: Report) -> tuple[str, ...]:
    """What was not looked at, but for what is ``unread``."""
    unread = {str(u) for u in report.unread}
    return tuple(line for line in report.uncovered if line not in unread)


def unread(report: Report) -> list[str]:
    """What was not read to its end, with the reason unless a finding of that place says it."""
    said = {(f.where, why) for f in report.findings for why in (f.what, f"{f.what} ({f.found})")}
    return [
        f"{u.where}: as found above" if (u.where, u.why) in said else str(u) for u in report.unread
    ]


def shortened(lines: Iterable[str], most: int = 20) -> list[str]:
    """At most about ``most`` lines; of many with one reason, the number and the first three.

    A line's reason is what stands behind its last colon.
    """
    whole = list(lines)
    if len(whole) <= most:
        return whole
    by_reason: dict[str, list[str]] = {}
    for line in whole:
        by_reason.setdefault(line.rpartition(": ")[2], []).append(line)
    short: list[str] = []
    for reason, group in by_reason.items():
        if len(group) < _FOLDED_FROM:
            short += group
        else:
            first = ", ".join(line.rpartition(": ")[0] for line in group[:3])
            short.append(f"{len(group):,} places, {first}, …: {reason}")
    more = len(short) - most
    return [*short[:most], f"and {more:,} more"] if more > 0 else short


def _left(report: Report) -> Iterable[str]:
    if report.unread:
        yield f"{len(report.unread):,} unread"
    if seen := not_seen(report):
        yield f"{len(seen):,} not looked at"
    if report.accepted:
        yield f"{len(report.accepted):,} accepted"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
