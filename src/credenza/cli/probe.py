"""``credenza probe``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli.console import AsJson, Html, Model, Seed, conclude, trusted

if TYPE_CHECKING:
    from torch import nn


def probe(
    model: Model,
    data: Annotated[
        Path, typer.Option("--data", metavar="FILE", help="Trusted samples: `inputs`, `labels`.")
    ],
    trust: Annotated[
        Path, typer.Option("--trust", metavar="FILE.pub", help="The public key of who may seal.")
    ],
    module: Annotated[
        str,
        typer.Option(
            "--module",
            metavar="PACKAGE.MODULE:FUNCTION",
            help="Your own code that builds the network; it is run.",
        ),
    ],
    seed: Seed = 0,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Say whether a sealed classifier behaves as if it were poisoned."""
    from credenza.classifier import Classifier
    from credenza.dataset import Dataset
    from credenza.errors import InputError
    from credenza.probe import ConfusionCanaries, TriggerSearch, probe
    from credenza.seal import load_torch

    network = _built(module)
    try:
        network.load_state_dict(load_torch(model, trusted([trust])))
    except RuntimeError as e:  # what torch raises where names or shapes do not fit
        raise InputError(f"--module {module}: the sealed parameters do not fit: {e}") from e
    tests = (ConfusionCanaries(), TriggerSearch())
    report = probe(Classifier(network.eval()), Dataset.read(data), tests, seed=seed)
    conclude([report], as_json=as_json, html=html)


def _built(name: str) -> nn.Module:
    """The network that the caller's own code builds."""
    from torch import nn

    from credenza.errors import InputError

    where, _, function = name.partition(":")
    try:
        built = getattr(importlib.import_module(where), function)()
    except (ImportError, AttributeError, ValueError, TypeError) as e:
        raise InputError(f"--module: package.module:function expected, {name!r}: {e}") from e
    if not isinstance(built, nn.Module):
        raise InputError(f"--module: {name} gives no torch module but a {type(built).__name__}")
    return built
