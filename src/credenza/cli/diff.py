"""``credenza diff``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli.console import AsJson, Html, conclude

if TYPE_CHECKING:
    from credenza.artifact import Artifact
    from credenza.findings import Report


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The model that is trusted.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The model to compare with it.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Labelled samples: `inputs`, `labels`."),
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(
            "--module",
            metavar="PACKAGE.MODULE:FUNCTION",
            help="Your own code that builds the network; it is run. Goes with --data.",
        ),
    ] = None,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Say what changed between two models, and how.

    With samples and the network, also which class became which.
    """
    from credenza import artifact
    from credenza.diff import diff
    from credenza.errors import InputError

    if (data is None) != (module is None):
        raise InputError("diff: --data and --module go together, only one given")
    was, now = artifact.open(old), artifact.open(new)
    reports = [diff(was, now)]
    if data is not None and module is not None:
        reports.append(_flows(was, now, data, module))
    conclude(reports, as_json=as_json, html=html)


def _flows(was: Artifact, now: Artifact, data: Path, module: str) -> Report:
    """Both versions on the samples. Tensors alone are read of either; nothing of them is run."""
    from credenza.cli.networks import filled
    from credenza.dataset import Dataset
    from credenza.diff.behaviour import behaviour

    return behaviour(filled(module, was), filled(module, now), Dataset.read(data))
