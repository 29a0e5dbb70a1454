"""``credenza check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli.console import AsJson, Html, Model, looking, trusted
from credenza.cli.outputs import CycloneDx, FailOn, Output, Outputs, Quiet, Sarif, Strict
from credenza.findings import Severity


def check(
    model: Model,
    trust: Annotated[
        list[Path],
        typer.Option("--trust", metavar="FILE", help="Verify its seal by this trust or key."),
    ] = [],  # noqa: B006  typer copies it
    fail_on: FailOn = Severity.HIGH,
    strict: Strict = False,
    as_json: AsJson = False,
    output: Output = "-",
    sarif: Sarif = "",
    cyclonedx: CycloneDx = "",
    html: Html = None,
    quiet: Quiet = False,
) -> None:
    """Check a model without data: its seal, a scan, its weights."""
    from credenza.check import check
    from credenza.cli.places import folder
    from credenza.report import Gate

    outputs = Outputs(
        as_json=as_json,
        output=output,
        sarif=sarif,
        cyclonedx=cyclonedx,
        html=html,
        quiet=quiet,
    )
    held = trusted(trust) if trust else None
    with looking("checking") as progress:
        reports = check(model, held, digest=outputs.digest, progress=progress)
    folders = [folder(model)] * len(reports)
    outputs.conclude(reports, Gate(fail_on=fail_on, strict=strict), folders)
