"""Reports as text, for a terminal or a log."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from credenza.catalogue import rule
from credenza.findings import Finding, Report, Severity, plain
from credenza.report.words import NOTHING, NOTHING_KNOWN, verdict

_STYLES = {
    Severity.NOTE: "dim",
    Severity.LOW: "cyan",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold red",
}


def text(reports: Sequence[Report], *, width: int = 100, colour: bool = False) -> str:
    """``reports`` as lines of at most ``width`` columns, worst finding first.

    With ``colour``, ANSI sequences for it are put in; no other control character but the line feed
    is ever in the text, whatever the names in the reports hold.
    """
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    for i, report in enumerate(reports):
        if i:
            console.print()
        _print_report(console, report)
    return out.getvalue()


def _print_report(console: Console, report: Report) -> None:
    style = "dim" if report.worst is None else _STYLES[report.worst]
    title = Text(f"{plain(report.examination)}  {plain(report.subject)}", style="bold")
    console.print(title)
    if report.root:
        console.print(Text(f"root {plain(report.root)}", style="dim"))
    console.print(Text(verdict(report), style=style))
    for finding in sorted(report.findings, key=lambda f: -f.severity.rank):
        console.print()
        _print_finding(console, finding)
    console.print()
    _print_lines(console, "figure     ", [str(f) for f in report.figures])
    _print_lines(console, "looked at  ", report.covered or (NOTHING,))
    _print_lines(console, "not seen   ", report.uncovered or (NOTHING_KNOWN,))


def _print_finding(console: Console, finding: Finding) -> None:
    head = Text(f"{finding.severity.value:<8}  ", style=_STYLES[finding.severity])
    head.append(plain(finding.what), style="bold")
    console.print(head)
    lines = [
        ("where", str(finding.where)),
        ("expected", finding.expected),
        ("found", finding.found),
        *(("figure", str(figure)) for figure in finding.figures),
        *(("picture", picture.title) for picture in finding.pictures),
        ("rule", f"{finding.rule}: {rule(finding.rule).title}"),
        ("remedy", finding.remedy),
    ]
    for name, line in lines:
        if line:
            _print_lines(console, f"{name:<10}", (line,))


def _print_lines(console: Console, name: str, lines: Sequence[str]) -> None:
    """Each line under its name; what wraps hangs under its own start."""
    for line in lines:
        body = Text(plain(line))
        wrapped = body.wrap(console, max(console.width - len(name), 20))
        for i, part in enumerate(wrapped):
            part.rstrip()
            label = Text(name if i == 0 else " " * len(name), style="dim")
            console.print(label.append_text(part), soft_wrap=True)
