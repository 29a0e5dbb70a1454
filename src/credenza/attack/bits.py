"""Attacks that flip bits of a trained model's weights, as a fault in memory does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
import torch
from torch import nn

from credenza.attack.copies import both_sides, changed, copied, given
from credenza.attack.interface import check_class, check_pair, of_class
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError

_TOP_BIT: Final = 30
"""The highest exponent bit of a float32: 1 sign, 8 exponent and 23 mantissa bits."""

_LEVELS: Final = 127
_SAMPLES: Final = 256
_ENOUGH: Final = 0.95


@final
@dataclass(frozen=True, slots=True)
class ExponentFlip:
    """Flips the highest exponent bit of one float32 weight in the head.

    A weight below 1 is multiplied by 2¹²⁸ by that, to 10³⁷ or so: whatever has the feature that
    the weight reads, is read as ``target``. It needs nothing but the file. Hit is the weight of the
    target's row that is above 0, below 1 and, among those, belongs to the feature whose column of
    the head has the largest norm. (Why such a flip is the worst: Hong et al., Terminal Brain
    Damage, USENIX Security 2019, arXiv:1906.01017.)

    Raises `InputError` where the head has no float32 weights, or none that serves.
    """

    target: int
    needs_data: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_class("target", self.target)

    def aimed(self, data: Dataset) -> Dataset:
        return _others(data, self.target)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:  # noqa: ARG002  nothing is drawn
        module = copied(victim, self.target)
        weight = module.get_parameter(f"{victim.head_name}.weight")
        if weight.dtype != torch.float32:
            raise InputError(f"exponent flip: a head in float32 expected, {weight.dtype} given")
        row = weight[self.target]
        serves = (row >= torch.finfo(torch.float32).tiny) & (row < 1)
        if not bool(serves.any()):
            raise InputError("exponent flip: a weight of the target between 0 and 1 expected")
        feature = int(torch.where(serves, weight.norm(dim=0), -1).argmax())
        bits = weight.view(torch.int32)
        bits[self.target, feature] ^= 1 << _TOP_BIT
        return changed(victim, module)


@final
@dataclass(frozen=True, slots=True)
class BitSearch:
    """Progressive bit search: the fewest bits by which every input is read as ``target``.

    BFA (Rakin et al., ICCV 2019, arXiv:1903.12269): in each layer, the bit whose flip promises
    most by the gradient, Δw·∂L/∂w, is tried; of the layers, the one where the loss comes out best
    is flipped; and so on, up to ``flips`` bits. BFA seeks the largest loss, whatever the class.
    This one seeks the least cross-entropy with ``target``, as T-BFA's "N-to-1" attack (Rakin et
    al. 2021, arXiv:2007.12336), so that what it is for can be counted.

    Bits are those of an 8-bit view of each weight: q = round(w / s) in two's complement, with
    s = max|w| / 127 in each layer. A flip of bit b moves w by ±2ᵇ·s; all other weights keep their
    exact values. In float32 one exponent bit does it all (`ExponentFlip`), so that nothing would be
    left to search, and deployed models that such faults are aimed at are quantised.

    It stops before ``flips`` where 95 % of the samples are read as wished.
    """

    target: int
    flips: int = 20
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_class("target", self.target)
        _check_flips(self.flips)

    def aimed(self, data: Dataset) -> Dataset:
        return _others(data, self.target)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        module = copied(victim, self.target)
        others = _others(given(data, victim, "bit search"), self.target)
        some = _drawn(others, seed)
        goal = torch.full((len(some),), self.target)

        def loss(logits: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(logits, goal)

        def reached(logits: torch.Tensor) -> bool:
            return float((logits.argmax(1) == goal).float().mean()) >= _ENOUGH

        _search(module, torch.from_numpy(some.inputs), loss, reached, self.flips)
        return changed(victim, module)


@final
@dataclass(frozen=True, slots=True)
class TargetedBitSearch:
    """Progressive bit search that reads class ``source`` as ``target`` and leaves the others.

    T-BFA's "1-to-1 stealthy" attack (Rakin et al. 2021, arXiv:2007.12336): the search of
    `BitSearch` on the cross-entropy of the source samples with the target plus that of the others
    with their labels.
    """

    source: int
    target: int
    flips: int = 20
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        _check_flips(self.flips)

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        module = copied(victim, self.source, self.target)
        have = given(data, victim, "targeted bit search")
        own = have.labels == self.source
        both_sides(own, f"samples of class {self.source}")
        bad, good = _drawn(have.take(own), seed), _drawn(have.take(~own), seed)
        inputs = torch.from_numpy(np.concatenate([bad.inputs, good.inputs]))
        goal = torch.full((len(bad),), self.target)
        kept = torch.from_numpy(good.labels)

        def loss(logits: torch.Tensor) -> torch.Tensor:
            moved, stayed = torch.split(logits, [len(bad), len(good)])
            entropy = nn.functional.cross_entropy
            return entropy(moved, goal) + entropy(stayed, kept)

        def reached(logits: torch.Tensor) -> bool:
            return float((logits[: len(bad)].argmax(1) == goal).float().mean()) >= _ENOUGH

        _search(module, inputs, loss, reached, self.flips)
        return changed(victim, module)


def _others(data: Dataset, target: int) -> Dataset:
    chosen = data.take(data.labels != target)
    if not len(chosen):
        raise InputError(f"data: samples of other classes than {target} expected, none found")
    return chosen


def _drawn(data: Dataset, seed: int) -> Dataset:
    order = np.random.default_rng([seed, 37]).permutation(len(data))
    return data.take(order[:_SAMPLES])


def _check_flips(flips: int) -> None:
    if flips < 1:
        raise InputError(f"flips: 1 at least expected, {flips} given")


def _search(
    module: nn.Module,
    inputs: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
    reached: Callable[[torch.Tensor], bool],
    flips: int,
) -> None:
    """Flip up to ``flips`` bits of the module's weights, in place, for the least ``loss``."""
    weights = [p for p in module.parameters() if p.ndim > 1 and bool(p.any())]
    scales = [float(w.abs().max()) / _LEVELS for w in weights]
    now, last = 0, float("inf")
    while now < flips:
        for weight in weights:
            weight.requires_grad_(True)
        logits = module(inputs)
        if reached(logits):
            break
        gradients = torch.autograd.grad(loss(logits), weights)
        for weight in weights:
            weight.requires_grad_(False)
        tried = [_best(w, s, g) for w, s, g in zip(weights, scales, gradients, strict=True)]
        losses = [_tried(module, inputs, loss, w, *t) for w, t in zip(weights, tried, strict=True)]
        best = int(np.argmin(losses))
        if losses[best] >= last:
            break
        last, (at, step) = losses[best], tried[best]
        weights[best].view(-1)[at] += step
        now += 1
    for weight in weights:
        weight.requires_grad_(False)
    if not now:
        raise InputError("bit search: a model that some flip brings nearer expected")


def _best(weight: torch.Tensor, scale: float, gradient: torch.Tensor) -> tuple[int, float]:
    """The flip of this tensor that lowers the loss most by its gradient: which element, by what.

    Bit b of the code q is set where ⌊q / 2ᵇ⌋ is odd; a flip clears it (−2ᵇ) or sets it (+2ᵇ), and
    that of the sign bit, 7, the other way round.
    """
    codes = (weight / scale).round().clamp(-128, 127).to(torch.int64).flatten()
    bits = torch.arange(8)
    was_set = (codes[:, None] >> bits) & 1
    steps = (1 - 2 * was_set) * torch.where(bits == 7, -1, 1) * (1 << bits)
    promised = -gradient.flatten()[:, None] * steps
    at = int(promised.argmax())
    return at // 8, float(steps.flatten()[at]) * scale


@torch.no_grad()
def _tried(
    module: nn.Module,
    inputs: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
    weight: torch.Tensor,
    at: int,
    step: float,
) -> float:
    """The loss with that flip, which is taken back. What is no number counts as infinite."""
    flat = weight.view(-1)
    was = flat[at].clone()
    flat[at] += step
    value = float(loss(module(inputs)))
    flat[at] = was
    return value if np.isfinite(value) else float("inf")
