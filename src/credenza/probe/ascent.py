"""What the detectors share that look for inputs by gradient and are given no data.

Needs the extra ``torch``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from credenza.errors import InputError, MissingExtraError
from credenza.probe.subject import Subject

try:
    import torch
    from torch import nn
except ImportError as e:
    raise MissingExtraError("searching inputs by gradient", "torch") from e


def margins(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """f_c − max_{k≠c} f_k of each row of logits (n, classes), for its own class c (n,)."""
    column = classes[:, None]
    others = logits.scatter(1, column, -torch.inf).amax(dim=1)
    return logits.gather(1, column)[:, 0] - others


@contextlib.contextmanager
def evaluating(subject: Subject) -> Iterator[nn.Module]:
    """The subject's module in evaluation mode; afterwards it is as it was.

    Raises `InputError` for a subject without a shape of inputs, or with fewer than two classes,
    and where the module cannot read inputs of that shape or answers with something other than
    finite logits (n, classes) that depend on the inputs by a gradient.
    """
    if subject.classifier is None or not subject.shape or subject.classes < 2:
        raise InputError(
            "probe: a torch module, the shape of its inputs and two classes or more expected, "
            f"shape {subject.shape} and {subject.classes} classes given"
        )
    module = subject.classifier.module
    training = module.training
    module.eval()
    try:
        _check(module, subject)
        yield module
    finally:
        module.train(training)


def gradient(values: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """The gradient of the sum of ``values`` by ``inputs``, none of it kept in the module."""
    found: torch.Tensor = torch.autograd.grad(values.sum(), inputs)[0]
    return found


def directions(gradients: torch.Tensor) -> torch.Tensor:
    """Each of (n, …) scaled to length 1; what is zero stays so."""
    lengths = gradients.flatten(1).norm(dim=1).clamp_min(1e-12)
    scaled: torch.Tensor = gradients / lengths.view(-1, *[1] * (gradients.ndim - 1))
    return scaled


def _check(module: nn.Module, subject: Subject) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(4, *subject.shape, generator=generator).requires_grad_()
    try:
        logits = module(inputs)
        if logits.shape != (4, subject.classes):
            raise InputError(
                f"probe: logits of {subject.classes} classes expected, the module answers 4 "
                f"inputs with {tuple(logits.shape)}"
            )
        slope = gradient(logits.square(), inputs)
    except (RuntimeError, ValueError, IndexError) as e:  # what torch raises for a wrong shape
        raise InputError(f"probe: no gradient for inputs of shape {subject.shape}: {e}") from e
    if not (torch.isfinite(logits).all() and torch.isfinite(slope).all()):
        raise InputError("probe: finite logits and gradients expected, NaN or infinity came")
    if not slope.any():
        raise InputError("probe: logits that depend on the inputs expected, these are constant")
