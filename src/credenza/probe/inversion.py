"""The smallest mark that makes a model read samples as a class of choice, found by descent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """A mark, and what it does.

    Samples of ``source`` (of any class but the target where it is None) are read as ``target``
    where ``mask`` mixes ``pattern`` in: (1 − mask) · sample + mask · pattern, all from 0 to 1.
    ``mask`` has the sample's shape with one channel, ``pattern`` that of the sample. ``size`` is
    the sum of the mask, in pixels; that of the whole image where no mark was found.
    """

    source: int | None
    target: int
    size: float
    mask: FloatArray
    pattern: FloatArray

    def stamp(self, inputs: FloatArray) -> FloatArray:
        """The inputs with the mark on them."""
        mixed: FloatArray = (1 - self.mask) * inputs + self.mask * self.pattern
        return mixed


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """What one search is for: these ``samples`` (n, …), all read as ``target``."""

    source: int | None
    target: int
    samples: FloatArray


def invert(
    classifier: Classifier, arms: list[Arm], *, steps: int, success: float, seed: int
) -> list[Trigger]:
    """The smallest mark found for each arm, with ``success`` of its samples read as the target.

    Minimises cross-entropy + λ · |mask|₁ over mask and pattern by Adam (Wang et al., Neural
    Cleanse, IEEE S&P 2019, equation 3), all arms at once. λ rises by 1.3 at each step at which
    enough samples are read as the target, and falls by it at each other.
    """
    each = len(arms[0].samples)
    chunk = max(1, _LARGEST_CHUNK // each)
    generator = torch.Generator().manual_seed(seed)
    found: list[Trigger] = []
    with _evaluating(classifier.module):
        for i in range(0, len(arms), chunk):
            found += _descend(classifier.module, arms[i : i + chunk], steps, success, generator)
    return found


def _descend(
    module: nn.Module, arms: list[Arm], steps: int, success: float, generator: torch.Generator
) -> list[Trigger]:
    samples = torch.from_numpy(np.stack([a.samples for a in arms]))
    count, each, *shape = samples.shape
    flat = samples.reshape(count * each, *shape)
    targets = torch.tensor([a.target for a in arms]).repeat_interleave(each)
    one_channel = [1, *shape[1:]] if len(shape) > 1 else shape
    mask_logits = _start(count, one_channel, -2.0, 0.1, generator)
    pattern_logits = _start(count, shape, 0.0, 1.0, generator)
    descent = torch.optim.Adam([mask_logits, pattern_logits], _RATE, betas=(0.5, 0.9))
    weight = torch.full((count,), 0.01)
    smallest = torch.full((count,), float(np.prod(one_channel)))
    masks, patterns = torch.ones(count, *one_channel), torch.zeros(count, *shape)

    for _ in range(steps):
        mask, pattern = torch.sigmoid(mask_logits), torch.sigmoid(pattern_logits)
        mixed = (1 - mask)[:, None] * samples + (mask * pattern)[:, None]
        logits = module(mixed.reshape(flat.shape))
        losses = nn.functional.cross_entropy(logits, targets, reduction="none")
        size = mask.reshape(count, -1).sum(dim=1)
        loss = (losses.view(count, each).mean(dim=1) + weight * size).sum()
        gradients = torch.autograd.grad(loss, [mask_logits, pattern_logits])

        read = logits.argmax(dim=1).eq(targets).view(count, each).float().mean(dim=1) >= success
        better = read & (size.detach() < smallest)
        smallest[better] = size.detach()[better]
        masks[better], patterns[better] = mask.detach()[better], pattern.detach()[better]
        weight = torch.where(read, weight * 1.3, weight / 1.3).clamp(1e-4, 10.0)

        mask_logits.grad, pattern_logits.grad = gradients
        descent.step()
    return [
        Trigger(a.source, a.target, float(size), mask.numpy(), pattern.numpy())
        for a, size, mask, pattern in zip(arms, smallest, masks, patterns, strict=True)
    ]


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
