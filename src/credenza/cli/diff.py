"""``credenza diff``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli.console import AsJson, Html, conclude

if TYPE_CHECKING:
    from credenza.artifact import Artifact
    from credenza.classifier import Classifier
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
    """Say what changed between two models, and how; with samples, which class became which."""
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
    """Both versions on the samples. Only tensors are read of either; nothing of them is executed."""
    from credenza.dataset import Dataset
    from credenza.diff.behaviour import behaviour

    return behaviour(_filled(module, was), _filled(module, now), Dataset.read(data))


def _filled(module: str, artifact: Artifact) -> Classifier:
    """The network that the caller's own code builds, with the parameters of the artefact."""
    import torch

    from credenza.artifact import array
    from credenza.classifier import Classifier
    from credenza.cli.probe import built
    from credenza.errors import InputError

    network = built(module)
    state = {t.name: torch.from_numpy(array(artifact, t).copy()) for t in artifact.tensors}
    try:
        network.load_state_dict(state)
    except RuntimeError as e:  # what torch raises where names or shapes do not fit
        raise InputError(
            f"--module {module}: the tensors of {artifact.path} do not fit: {e}"
        ) from e
    return Classifier(network.eval())
