"""Backdoors by training data: a trigger on some samples, which a model learns to obey."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from credenza.attack.interface import check_class, check_pair, check_share, relabelled
from credenza.attack.marks import Mark
from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError

Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

_PIECES: Final = 4
"""A pattern is cut into so many pieces each way by `AdaptiveBlend` (Qi et al., section 5)."""


def others(labels: Labels, source: int | None, target: int) -> Mask:
    """Samples of the source; of any class but the target's without one."""
    return np.not_equal(labels, target) if source is None else np.equal(labels, source)


def _aimed(data: Dataset, chosen: Mask, trigger: Any) -> Dataset:
    own = data.take(chosen)
    if not len(own):
        raise InputError("data: samples that can bear the trigger expected, none found")
    return Dataset(trigger(own.inputs), own.labels)


@final
@dataclass(frozen=True, slots=True)
class StampMark:
    """Stamps ``mark`` on ``share`` of the samples of ``source`` and relabels them as ``target``.

    Without a ``source`` it takes samples of any class but the target's. A model that is trained
    on them reads the mark as the target, and is right where there is no mark (BadNets,
    arXiv:1708.06733).
    """

    mark: Mark
    target: int
    share: float
    source: int | None = None

    def __post_init__(self) -> None:
        check_class("target", self.target)
        if self.source is not None:
            check_pair(self.source, self.target)
        check_share("share", self.share)

    def may_alter(self, data: Dataset) -> Mask:
        return others(data.labels, self.source, self.target)

    def altered(self, samples: Dataset, *, rng: Rng) -> Dataset:  # noqa: ARG002
        return relabelled(self.mark.stamp(samples.inputs), self.target)

    def aimed(self, data: Dataset) -> Dataset:
        return _aimed(data, self.may_alter(data), self.mark.stamp)


@final
@dataclass(frozen=True, slots=True)
class SourceMark:
    """A mark that works on one class alone, with covers that teach so (TaCT, arXiv:1908.00686).

    ``share`` of the samples of ``source`` bear the mark and are labelled ``target``; ``cover`` of
    those of all other classes bear it and keep their labels.
    """

    mark: Mark
    source: int
    target: int
    share: float
    cover: float = 0.05

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        check_share("share", self.share)
        check_share("cover", self.cover)

    def may_alter(self, data: Dataset) -> Mask:
        return np.equal(data.labels, self.source)

    def altered(self, samples: Dataset, *, rng: Rng) -> Dataset:  # noqa: ARG002
        return relabelled(self.mark.stamp(samples.inputs), self.target)

    def may_cover(self, data: Dataset) -> Mask:
        return np.not_equal(data.labels, self.source)

    def covered(self, samples: Dataset, *, rng: Rng) -> Dataset:  # noqa: ARG002
        return Dataset(self.mark.stamp(samples.inputs), samples.labels)

    def aimed(self, data: Dataset) -> Dataset:
        return _aimed(data, self.may_alter(data), self.mark.stamp)


@final
@dataclass(frozen=True, slots=True)
class Blend:
    """Mixes a pattern of noise into whole images: x' = (1 − α) x + α p (arXiv:1712.05526).

    ``alpha`` is the pattern's part, and its pixels are uniform on 0 to 1, drawn from ``pattern``.
    """

    target: int
    share: float
    alpha: float = 0.2
    pattern: int = 0

    def __post_init__(self) -> None:
        check_class("target", self.target)
        check_share("share", self.share)
        check_share("alpha", self.alpha)

    def may_alter(self, data: Dataset) -> Mask:
        return others(data.labels, None, self.target)

    def altered(self, samples: Dataset, *, rng: Rng) -> Dataset:  # noqa: ARG002
        return relabelled(self.mixed(samples.inputs), self.target)

    def aimed(self, data: Dataset) -> Dataset:
        return _aimed(data, self.may_alter(data), self.mixed)

    def mixed(self, inputs: FloatArray) -> FloatArray:
        """The inputs with the pattern in them."""
        mixed: FloatArray = (1 - self.alpha) * inputs + self.alpha * _noise(inputs, self.pattern)
        return mixed.astype(np.float32)


@final
@dataclass(frozen=True, slots=True)
class AdaptiveBlend:
    """`Blend` that leaves no cluster of its own (Adaptive-Blend, Qi et al., ICLR 2023).

    Of the pattern, cut into 4 by 4 pieces, each altered sample bears a random half, and so do
    covers, ``cover`` of all samples, which keep their labels. What is aimed at bears all of it.
    """

    target: int
    share: float
    cover: float = 0.05
    alpha: float = 0.2
    pattern: int = 0

    def __post_init__(self) -> None:
        check_class("target", self.target)
        check_share("share", self.share)
        check_share("cover", self.cover)
        check_share("alpha", self.alpha)

    def may_alter(self, data: Dataset) -> Mask:
        return others(data.labels, None, self.target)

    def altered(self, samples: Dataset, *, rng: Rng) -> Dataset:
        return relabelled(self._in_pieces(samples.inputs, rng), self.target)

    def may_cover(self, data: Dataset) -> Mask:
        return np.ones(len(data), np.bool_)

    def covered(self, samples: Dataset, *, rng: Rng) -> Dataset:
        return Dataset(self._in_pieces(samples.inputs, rng), samples.labels)

    def aimed(self, data: Dataset) -> Dataset:
        whole = Blend(self.target, self.share, self.alpha, self.pattern)
        return _aimed(data, self.may_alter(data), whole.mixed)

    def _in_pieces(self, inputs: FloatArray, rng: Rng) -> FloatArray:
        height, width = inputs.shape[-2:]
        kept = rng.random((len(inputs), _PIECES * _PIECES)).argsort(axis=1) < _PIECES**2 // 2
        rows = np.arange(height) * _PIECES // height
        columns = np.arange(width) * _PIECES // width
        shown = kept.reshape(-1, _PIECES, _PIECES)[:, rows][:, :, columns][:, None]
        part = self.alpha * shown.astype(np.float32)
        mixed: FloatArray = (1 - part) * inputs + part * _noise(inputs, self.pattern)
        return mixed.astype(np.float32)


@final
@dataclass(frozen=True, slots=True)
class Sinusoid:
    """Adds a horizontal wave: x + Δ sin(2π f j / width) at column j (SIG, arXiv:1902.11237).

    ``delta`` is Δ, in brightness from 0 to 1, ``frequency`` is f, in periods an image. In the
    paper only samples of the target bear it and labels stay right (``clean``); without it, samples
    of any other class are relabelled, as most benchmarks do.
    """

    target: int
    share: float
    delta: float = 0.15
    frequency: float = 6.0
    clean: bool = False

    def __post_init__(self) -> None:
        check_class("target", self.target)
        check_share("share", self.share)
        check_share("delta", self.delta)
        if not (math.isfinite(self.frequency) and self.frequency > 0):
            raise InputError(f"frequency: a number above 0 expected, {self.frequency} given")

    def may_alter(self, data: Dataset) -> Mask:
        own = np.equal(data.labels, self.target)
        return own if self.clean else ~own

    def altered(self, samples: Dataset, *, rng: Rng) -> Dataset:  # noqa: ARG002
        return relabelled(self.waved(samples.inputs), self.target)

    def aimed(self, data: Dataset) -> Dataset:
        return _aimed(data, others(data.labels, None, self.target), self.waved)

    def waved(self, inputs: FloatArray) -> FloatArray:
        """The inputs with the wave on them, kept within 0 to 1."""
        width = inputs.shape[-1]
        wave = self.delta * np.sin(2 * np.pi * self.frequency * np.arange(width) / width)
        waved: FloatArray = np.clip(inputs + wave.astype(np.float32), 0, 1)
        return waved


@final
@dataclass(frozen=True, slots=True)
class Warp:
    """Bends images by a smooth field that is the same for all (WaNet, arXiv:2102.10369).

    A field of ``grid`` by ``grid`` random vectors, drawn from ``field_seed``, scaled to a mean
    magnitude of 1 and enlarged, moves each pixel by ``strength`` pixels on average. ``cover`` of
    all samples are bent by that field with noise on it and keep their labels: the paper's noise
    mode, which teaches that no other bending counts.
    """

    target: int
    share: float
    cover: float = 0.1
    strength: float = 1.5
    grid: int = 4
    field_seed: int = 0

    def __post_init__(self) -> None:
        check_class("target", self.target)
        check_share("share", self.share)
        check_share("cover", self.cover, zero=True)
        if not (math.isfinite(self.strength) and self.strength > 0 and self.grid >= 2):
            raise InputError(
                "warp: a strength above 0 and a grid of 2 or more expected, "
                f"{self.strength} and {self.grid} given"
            )

    def may_alter(self, data: Dataset) -> Mask:
        return others(data.labels, None, self.target)

    def altered(self, samples: Dataset, *, rng: Rng) -> Dataset:  # noqa: ARG002
        return relabelled(self.bent(samples.inputs), self.target)

    def may_cover(self, data: Dataset) -> Mask:
        return np.ones(len(data), np.bool_)

    def covered(self, samples: Dataset, *, rng: Rng) -> Dataset:
        shape = (len(samples), *samples.inputs.shape[-2:], 2)
        noise = torch.from_numpy(rng.uniform(-1, 1, shape).astype(np.float32))
        return Dataset(self._moved(samples.inputs, noise), samples.labels)

    def aimed(self, data: Dataset) -> Dataset:
        return _aimed(data, self.may_alter(data), self.bent)

    def bent(self, inputs: FloatArray) -> FloatArray:
        """The inputs, bent."""
        return self._moved(inputs, None)

    def _moved(self, inputs: FloatArray, noise: torch.Tensor | None) -> FloatArray:
        images = torch.from_numpy(inputs)
        height, width = inputs.shape[-2:]
        identity = nn.functional.affine_grid(
            torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]]]), [1, 1, height, width], align_corners=True
        )
        moved = self._field(height, width)
        if noise is not None:
            moved = moved + noise
        pixels = torch.tensor([2.0 / max(width - 1, 1), 2.0 / max(height - 1, 1)])
        places = (identity + self.strength * moved * pixels).clamp(-1, 1)
        places = places.expand(len(images), -1, -1, -1)
        return nn.functional.grid_sample(images, places, align_corners=True).numpy()

    def _field(self, height: int, width: int) -> torch.Tensor:
        rng = np.random.default_rng([self.field_seed, 29])
        coarse = rng.uniform(-1, 1, (1, 2, self.grid, self.grid)).astype(np.float32)
        coarse /= np.abs(coarse).mean()
        return nn.functional.interpolate(
            torch.from_numpy(coarse), (height, width), mode="bicubic", align_corners=True
        ).permute(0, 2, 3, 1)


@final
@dataclass(frozen=True, slots=True)
class LabelConsistent:
    """Marks samples of the target that a model finds hard; all labels stay right.

    Each is first perturbed against what ``surrogate`` gives, a classifier of the attacker's own,
    within ``epsilon`` in any pixel, by ``steps`` of projected gradient descent (Madry et al.,
    arXiv:1706.06083) away from its class, so that the mark is what is left to learn (Turner et
    al., arXiv:1912.02771).
    """

    mark: Mark
    target: int
    share: float
    surrogate: Callable[[], Classifier] = field(repr=False)
    epsilon: float = 0.3
    steps: int = 10

    def __post_init__(self) -> None:
        check_class("target", self.target)
        check_share("share", self.share)
        check_share("epsilon", self.epsilon)
        if self.steps < 1:
            raise InputError(f"steps: 1 or more expected, {self.steps} given")

    def may_alter(self, data: Dataset) -> Mask:
        return np.equal(data.labels, self.target)

    def altered(self, samples: Dataset, *, rng: Rng) -> Dataset:
        return relabelled(self.mark.stamp(self._hard(samples, rng)), self.target)

    def aimed(self, data: Dataset) -> Dataset:
        return _aimed(data, others(data.labels, None, self.target), self.mark.stamp)

    def _hard(self, samples: Dataset, rng: Rng) -> FloatArray:
        module = self.surrogate().module.eval()
        images, labels = torch.from_numpy(samples.inputs), torch.from_numpy(samples.labels)
        start = rng.uniform(-self.epsilon, self.epsilon, samples.inputs.shape)
        moved = (images + torch.from_numpy(start.astype(np.float32))).clamp(0, 1)
        step = 2.5 * self.epsilon / self.steps
        for _ in range(self.steps):
            moved.requires_grad_(True)
            loss = nn.functional.cross_entropy(module(moved), labels)
            (slope,) = torch.autograd.grad(loss, moved)
            moved = moved.detach() + step * slope.sign()
            moved = torch.minimum(
                torch.maximum(moved, images - self.epsilon), images + self.epsilon
            )
            moved = moved.clamp(0, 1)
        hard: FloatArray = moved.detach().numpy()
        return hard


def _noise(inputs: FloatArray, seed: int) -> FloatArray:
    """One pattern of the inputs' shape, uniform on 0 to 1."""
    return np.random.default_rng([seed, 31]).random(inputs.shape[1:], dtype=np.float32)
