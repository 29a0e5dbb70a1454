"""``credenza scan``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli.console import AsJson, Html, note
from credenza.cli.outputs import CycloneDx, FailOn, Output, Outputs, Quiet, Sarif, Strict
from credenza.errors import InputError
from credenza.findings import Severity

if TYPE_CHECKING:
    import datetime as dt

    from credenza.findings import Report
    from credenza.scan.allowing import Allowances


def scan(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, folders, patterns, hf:// or s3:// URLs."),
    ],
    fail_on: FailOn = Severity.HIGH,
    strict: Strict = False,
    as_json: AsJson = False,
    output: Output = "-",
    sarif: Sarif = "",
    cyclonedx: CycloneDx = "",
    html: Html = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="What this --json found does not count."),
    ] = None,
    allow: Annotated[
        Path | None,
        typer.Option("--allow", metavar="FILE", help="What somebody answers for does not count."),
    ] = None,
    suggest_allow: Annotated[
        bool, typer.Option("--suggest-allow", help="Print an allow file to review and complete.")
    ] = False,
    digest: Annotated[
        bool, typer.Option("--digest", help="Also tell the SHA-256 of each file.")
    ] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="Also say whether its weights look like honest ones.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="MODEL", help="Also say what changed since a trusted one."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Say what in a file would run, hides, or abuses its format."""
    import datetime as dt

    from credenza.cli.questions import Questions, answers
    from credenza.report import Gate

    outputs = Outputs(
        as_json=as_json,
        output=output,
        sarif=sarif,
        cyclonedx=cyclonedx,
        html=html,
        quiet=quiet,
    )
    if suggest_allow and as_json:
        raise InputError("--suggest-allow prints an allow file, so there is no --json beside it")
    today = dt.datetime.now(dt.UTC).date()
    allowances, known = _allowances(allow), _known(baseline)
    digest |= outputs.digest or suggest_allow or any(entry.sha256 for entry in allowances)
    questions = Questions(digest=digest, weights=weights, against=against)
    reports, folders = answers(paths, questions)
    if allow is not None:
        reports = _allowed(reports, allowances, today, folders)
    if baseline is not None:
        from credenza.scan.allowing import without_known

        reports = without_known(reports, known)
    instead = _suggestion(reports, today, folders) if suggest_allow else ""
    outputs.conclude(reports, Gate(fail_on=fail_on, strict=strict), folders, instead)


def _allowances(file: Path | None) -> Allowances:
    if file is None:
        return ()
    from credenza.files import read_whole
    from credenza.scan.allowing import LARGEST_ALLOW, parse

    return parse(read_whole(file, limit=LARGEST_ALLOW))


def _known(file: Path | None) -> dict[str, int]:
    if file is None:
        return {}
    from credenza.files import read_whole
    from credenza.scan.allowing import LARGEST_BASELINE, fingerprints

    return fingerprints(read_whole(file, limit=LARGEST_BASELINE))


def _allowed(
    reports: Sequence[Report], allowances: Allowances, today: dt.date, folders: Sequence[str]
) -> tuple[Report, ...]:
    from credenza.scan.allowing import apply

    applied = apply(reports, allowances, today, folders)
    for said in applied.notes:
        note(said)
    return applied.reports


def _suggestion(reports: Sequence[Report], today: dt.date, folders: Sequence[str]) -> str:
    from credenza.scan.allowing import suggest

    if not any(report.findings for report in reports):
        note("no finding counts, so there is nothing to allow")
    return suggest(reports, today, folders)
