"""Reports as text, for a terminal or a log."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, final

from credenza.catalogue import rule
from credenza.findings import Finding, Report, Severity, plain
from credenza.report.words import (
    NOTHING,
    NOTHING_KNOWN,
    alike,
    in_all,
    not_seen,
    places,
    shortened,
    unread,
    verdict,
)

_MOST_FINDINGS: Final = 200
_MOST_QUIET: Final = 20
_LONGEST: Final = 2_000
"""In characters: a name in an archive may have 65,535."""

_BOLD: Final = "1"
_DIM: Final = "2"
_STYLES: Final = {
    Severity.NOTE: _DIM,
    Severity.LOW: "36",
    Severity.MEDIUM: "33",
    Severity.HIGH: "31",
    Severity.CRITICAL: "1;31",
}
"""Select Graphic Rendition parameters (ECMA-48, 8.3.117)."""


def text(reports: Sequence[Report], *, width: int = 100, colour: bool = False) -> str:
    """``reports`` as lines of at most ``width`` columns, worst finding first.

    With ``colour``, ANSI sequences for it are put in; no other control character but the line feed
    is ever in the text, whatever the names in the reports hold. Findings that differ in their place
    alone are one, with the places. Of more than 200, of many places of one, of many that were not
    seen for one reason, and of more than 20 reports those that found nothing, it says how many
    there are; `json` holds all.
    """
    page = _Page(width, colour=colour)
    shown, folded = _folded(reports)
    for i, report in enumerate(shown):
        if i:
            page.line()
        _report(page, report)
    for sentence, subjects in folded.items():
        page.line()
        first = ", ".join(subjects[:3]) + (", …" if len(subjects) > 3 else "")
        page.put("", f"{len(subjects):,} reports more, on {first}: {sentence}")
    if len(reports) > 1:
        page.line()
        page.put("in all     ", in_all(reports), _BOLD)
    return page.text()


def _folded(reports: Sequence[Report]) -> tuple[list[Report], dict[str, list[str]]]:
    """Those to show whole, and the subjects by verdict of those of many that have little to say."""
    if len(reports) <= _MOST_QUIET:
        return list(reports), {}
    shown, folded = [], dict[str, list[str]]()
    for report in reports:
        if report.findings or report.unread or report.accepted:
            shown.append(report)
        else:
            folded.setdefault(verdict(report), []).append(report.subject)
    return shown, folded


@final
class _Page:
    """Lines so far."""

    def __init__(self, width: int, *, colour: bool) -> None:
        self._width = width
        self._colour = colour
        self._lines: list[str] = []

    def line(self) -> None:
        self._lines.append("")

    def put(self, name: str, body: str, style: str = "", *, named: str = _DIM) -> None:
        """A line under its name; what wraps hangs under its own start."""
        for i, part in enumerate(self._wrapped(body, max(self._width - len(name), 20))):
            label = name if i == 0 else " " * len(name)
            self._lines.append((self._in(named, label) + self._in(style, part)).rstrip())

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def _in(self, style: str, part: str) -> str:
        return f"\x1b[{style}m{part}\x1b[0m" if self._colour and style and part.strip() else part

    @staticmethod
    def _wrapped(body: str, width: int) -> list[str]:
        said = plain(body[:_LONGEST]) + ("…" if len(body) > _LONGEST else "")
        return textwrap.wrap(said, width, break_on_hyphens=False) or [""]


def _report(page: _Page, report: Report) -> None:
    page.put("", f"{report.examination}  {report.subject}", _BOLD)
    if report.root:
        page.put("", f"root {report.root}", _DIM)
    page.put("", verdict(report), _DIM if report.worst is None else _STYLES[report.worst])
    groups = alike(report.findings)
    for group in groups[:_MOST_FINDINGS]:
        page.line()
        _findings(page, group)
    if more := sum(map(len, groups[_MOST_FINDINGS:])):
        page.line()
        page.put("", f"and {more:,} findings more")
    page.line()
    for name, lines in _listings(report):
        for line in lines:
            page.put(name, line)


def _listings(report: Report) -> Iterator[tuple[str, Iterable[str]]]:
    yield "figure     ", map(str, report.figures)
    yield "accepted   ", shortened(map(str, report.accepted))
    yield "looked at  ", report.covered or (NOTHING,)
    yield "unread     ", shortened(unread(report))
    if seen := not_seen(report):
        yield "not seen   ", shortened(seen)
    elif not report.unread:
        yield "not seen   ", (NOTHING_KNOWN,)


def _findings(page: _Page, group: Sequence[Finding]) -> None:
    """Findings that are alike, as one."""
    finding = group[0]
    page.put(f"{finding.severity.value:<8}  ", finding.what, _BOLD, named=_STYLES[finding.severity])
    lines = [
        *(("where", place) for place in places(group)),
        ("expected", finding.expected),
        ("found", finding.found),
        *(("figure", str(figure)) for figure in finding.figures),
        *(("picture", picture.title) for picture in finding.pictures),
        ("rule", f"{finding.rule}: {rule(finding.rule).title}"),
        ("remedy", finding.remedy),
    ]
    for name, line in lines:
        if line:
            page.put(f"{name:<10}", line)
