"""The smallest change that makes a model read samples as a class of choice, found by descent."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import nn

from credenza.classifier import Classifier
from credenza.dataset import FloatArray

_RATE: Final = 0.5
_LARGEST_CHUNK: Final = 1024
"""Samples that one step reads at once, about: more does not fit a core's cache."""
_FIRST_RADIUS: Final = 0.1
"""Of the norm of an image bright all over: where the search for an additive change starts."""
_RADIUS_STEP: Final = 0.15
"""How much the radius rises or falls at a step, at first; a tenth of it at the end."""


class Form(enum.Enum):
    """How a change is laid over a sample, and what its size is."""

    PATCH = "patch"
    ADDITIVE = "additive"


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """A change of the input, and what it does.

    Samples of ``source`` (of any class but the target where it is None) are read as ``target``
    where it is applied. A patch mixes in ``pattern`` where ``mask`` is: (1 − mask) · sample +
    mask · pattern, all from 0 to 1; its ``size`` is the sum of the mask, in pixels. An additive
    change is ``pattern`` added and clamped to 0 to 1, under a mask of 1; its ``size`` is the
    Euclidean norm of the pattern. Where none was found the size is the largest there is.
    """

    form: Form
    source: int | None
    target: int
    size: float
    mask: FloatArray
    pattern: FloatArray

    def stamp(self, inputs: FloatArray) -> FloatArray:
        """The inputs with the change on them."""
        if self.form is Form.PATCH:
            mixed: FloatArray = (1 - self.mask) * inputs + self.mask * self.pattern
            return mixed
        added: FloatArray = np.clip(inputs + self.pattern, 0, 1)
        return added


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """What one search is for: these ``samples`` (n, …), all read as ``target``."""

    source: int | None
    target: int
    samples: FloatArray


def invert(
    classifier: Classifier,
    arms: Sequence[Arm],
    form: Form,
    *,
    steps: int,
    success: float,
    seed: int,
) -> list[Trigger]:
    """The smallest change found for each arm, with ``success`` of its samples read as the target.

    All arms have as many samples. A patch: cross-entropy + λ · |mask|₁ over mask and pattern by
    Adam (Wang et al., Neural Cleanse, IEEE S&P 2019, equation 3); λ rises by 1.3 at each step at
    which enough samples are read as the target, and falls by it at each other. An additive change:
    normalised gradient steps on a sphere whose radius falls where enough samples are read as the
    target and rises where not (Rony et al., Decoupling Direction and Norm, CVPR 2019, algorithm 1,
    with one change for all samples of an arm).
    """
    descend = _patch if form is Form.PATCH else _additive
    chunk = max(1, _LARGEST_CHUNK // len(arms[0].samples))
    generator = torch.Generator().manual_seed(seed)
    found: list[Trigger] = []
    with _evaluating(classifier.module):
        for i in range(0, len(arms), chunk):
            found += descend(classifier.module, arms[i : i + chunk], steps, success, generator)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """The samples of some arms, and how a module reads them."""

    module: nn.Module
    samples: torch.Tensor
    targets: torch.Tensor

    @classmethod
    def of(cls, module: nn.Module, arms: Sequence[Arm]) -> _Batch:
        samples = torch.from_numpy(np.stack([a.samples for a in arms]))
        targets = torch.tensor([a.target for a in arms]).repeat_interleave(samples.shape[1])
        return cls(module, samples, targets)

    def read(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy and share read as the target, each by arm, (arms,)."""
        arms, each = self.samples.shape[:2]
        logits = self.module(mixed.flatten(0, 1))
        losses = nn.functional.cross_entropy(logits, self.targets, reduction="none")
        hits = logits.argmax(dim=1).eq(self.targets).float()
        return losses.view(arms, each).mean(dim=1), hits.view(arms, each).mean(dim=1)


def _patch(
    module: nn.Module,
    arms: Sequence[Arm],
    steps: int,
    success: float,
    generator: torch.Generator,
) -> list[Trigger]:
    batch = _Batch.of(module, arms)
    count, _, *shape = batch.samples.shape
    one_channel = [1, *shape[1:]] if len(shape) > 1 else shape
    mask_logits = _start(count, one_channel, -2.0, 0.1, generator)
    pattern_logits = _start(count, shape, 0.0, 1.0, generator)
    descent = torch.optim.Adam([mask_logits, pattern_logits], _RATE, betas=(0.5, 0.9))
    weight = torch.full((count,), 0.01)
    smallest = torch.full((count,), float(np.prod(one_channel)))
    masks, patterns = torch.ones(count, *one_channel), torch.zeros(count, *shape)
    for _ in range(steps):
        mask, pattern = torch.sigmoid(mask_logits), torch.sigmoid(pattern_logits)
        losses, hits = batch.read((1 - mask)[:, None] * batch.samples + (mask * pattern)[:, None])
        size = mask.flatten(1).sum(dim=1)
        loss = (losses + weight * size).sum()
        mask_logits.grad, pattern_logits.grad = torch.autograd.grad(
            loss, [mask_logits, pattern_logits]
        )
        read = hits >= success
        better = read & (size.detach() < smallest)
        smallest[better] = size.detach()[better]
        masks[better], patterns[better] = mask.detach()[better], pattern.detach()[better]
        weight = torch.where(read, weight * 1.3, weight / 1.3).clamp(1e-4, 10.0)
        descent.step()
    return _triggers(Form.PATCH, arms, smallest, masks, patterns)


def _additive(
    module: nn.Module,
    arms: Sequence[Arm],
    steps: int,
    success: float,
    generator: torch.Generator,  # noqa: ARG001  it starts at nothing
) -> list[Trigger]:
    batch = _Batch.of(module, arms)
    count, _, *shape = batch.samples.shape
    largest = float(np.prod(shape)) ** 0.5
    change = torch.zeros(count, *shape, requires_grad=True)
    radius = torch.full((count,), _FIRST_RADIUS * largest)
    smallest, kept = torch.full((count,), largest), torch.ones(count, *shape)
    for step in range(steps):
        losses, hits = batch.read((batch.samples + change[:, None]).clamp(0, 1))
        (gradient,) = torch.autograd.grad(losses.sum(), change)
        with torch.no_grad():
            size, read = _norms(change), hits >= success
            better = read & (size < smallest)
            smallest[better], kept[better] = size[better], change[better]
            left = 1 - 0.9 * step / steps
            radius *= 1 + torch.where(read, -1.0, 1.0) * _RADIUS_STEP * left
            radius.clamp_(max=largest)
            change -= _scaled(gradient, 0.5 * left * radius)
            change.copy_(_scaled(change, radius))
    return _triggers(Form.ADDITIVE, arms, smallest, torch.ones(count, *shape), kept)


def _norms(tensor: torch.Tensor) -> torch.Tensor:
    norms: torch.Tensor = torch.linalg.vector_norm(tensor.flatten(1), dim=1)
    return norms


def _scaled(tensor: torch.Tensor, norms: torch.Tensor) -> torch.Tensor:
    """Each row at that norm; a row of nothing stays one."""
    factor = norms / _norms(tensor).clamp_min(1e-12)
    scaled: torch.Tensor = tensor * factor.view(-1, *[1] * (tensor.ndim - 1))
    return scaled


def _triggers(
    form: Form,
    arms: Sequence[Arm],
    sizes: torch.Tensor,
    masks: torch.Tensor,
    patterns: torch.Tensor,
) -> list[Trigger]:
    rows = zip(arms, sizes.tolist(), masks.numpy(), patterns.numpy(), strict=True)
    return [Trigger(form, a.source, a.target, size, m, p) for a, size, m, p in rows]


def _start(
    count: int, shape: list[int], mean: float, spread: float, generator: torch.Generator
) -> torch.Tensor:
    drawn = torch.randn(count, *shape, generator=generator)
    return (mean + spread * drawn).requires_grad_()


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
