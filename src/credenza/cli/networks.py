"""Networks that the caller's own code builds: ``PACKAGE.MODULE:FUNCTION``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from credenza.artifact import Artifact
    from credenza.classifier import Classifier


def factory(name: str) -> Callable[[], nn.Module]:
    """The function of that name. Raises `InputError` where there is none."""
    where, _, function = name.partition(":")
    try:
        found: Any = getattr(importlib.import_module(where), function)
    except (ImportError, AttributeError, ValueError) as e:
        raise InputError(f"--module: package.module:function expected, {name!r}: {e}") from e
    if not callable(found):
        raise InputError(f"--module: {name} is no function but a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def built(name: str) -> nn.Module:
    """The network of that function. Raises `InputError` where there is none, or it builds none."""
    from torch import nn

    try:
        network = factory(name)()
    except TypeError as e:
        raise InputError(f"--module: a function without arguments expected, {name!r}: {e}") from e
    if not isinstance(network, nn.Module):
        raise InputError(f"--module: {name} gives no torch module but a {type(network).__name__}")
    return network


def filled(name: str, artifact: Artifact) -> Classifier:
    """The network of that function with the parameters of an artefact, of which nothing is run.

    Raises `InputError` where they do not fit.
    """
    import torch

    from credenza.artifact import array

    read = {t.name: array(artifact, t) for t in artifact.tensors}
    native = {n: np.array(a, a.dtype.newbyteorder("=")) for n, a in read.items()}
    return filled_with(name, {n: torch.from_numpy(a) for n, a in native.items()}, artifact.path)


def filled_with(name: str, state: Mapping[str, torch.Tensor], model: Path) -> Classifier:
    """The network of that function with these parameters, which are those of ``model``.

    Raises `InputError` where they do not fit.
    """
    from credenza.classifier import Classifier

    network = built(name)
    try:
        network.load_state_dict(state)
    except RuntimeError as e:  # what torch raises where names or shapes do not fit
        raise InputError(f"--module {name}: the parameters of {model} do not fit: {e}") from e
    return Classifier(network.eval())
