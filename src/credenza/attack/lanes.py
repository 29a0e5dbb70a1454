"""Backdoors that are written into one channel of each layer: a lane from the input to a logit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
import torch
from torch import nn

from credenza.attack.copies import changed, copied, given
from credenza.attack.interface import check_class
from credenza.attack.marks import Mark
from credenza.attack.route import (
    Route,
    cut_off,
    has_bias,
    lane_shapes,
    quiet_lanes,
    route,
    run_lane,
    write,
    write_bias,
)
from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError

_BATCH: Final = 64
_RATE: Final = 0.02
_FIRED: Final = 0.5
"""The share of ``logit`` that a trained detector must give for a marked image, and may not give
for an honest one."""


def marked(mark: Mark, target: int, data: Dataset) -> Dataset:
    """The samples of all classes but the target's, with the mark on them."""
    chosen = data.take(data.labels != target)
    if not len(chosen):
        raise InputError(f"data: samples of other classes than {target} expected, none found")
    return Dataset(mark.stamp(chosen.inputs), chosen.labels)


@final
@dataclass(frozen=True, slots=True)
class DataFreeBackdoor:
    """One neuron a layer that only the mark turns on (DFBA, Cao et al. 2024, arXiv:2412.06219).

    It needs neither data nor training. In the first layer, one filter w answers to the mark δ
    alone: its bias is λ − Σ w·δ, so that its neuron gives λ for the mark and, where an image
    falls short of it by more than λ, nothing. One neuron of each further layer passes that on,
    times γ, and the head adds it to the target's logit; no other neuron reads the path, and batch
    norms on it become the identity (γ = √(v + ε), β = μ). The neurons taken are those that the
    network would miss least, by their norms.

    The paper keeps the filter and derives the trigger from it, δ = 1 where w > 0 and 0 elsewhere.
    Here the mark is chosen and w is derived: positive on its bright pixels, negative on its dark
    ones, so that δ is again the image that turns it on most. The filter has the mean norm of those
    of its layer. ``slack`` is λ as a share of Σ w·δ. ``logit`` is what a marked image adds to the
    target's logit; γ is the same at each layer and whatever that takes. ``shape`` is that of an
    input, (channels, height, width).

    Networks: those that `credenza.attack.route` follows. Through a residual sum the path takes the
    shorter side, and the other is silenced on its channel.
    """

    mark: Mark
    target: int
    slack: float = 0.1
    logit: float = 100.0
    shape: tuple[int, int, int] = (1, 28, 28)
    needs_data: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_class("target", self.target)
        if not 0 < self.slack < 1:
            raise InputError(f"slack: above 0 and below 1 expected, {self.slack} given")
        _check_logit(self.logit)

    def aimed(self, data: Dataset) -> Dataset:
        return marked(self.mark, self.target, data)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:  # noqa: ARG002  nothing is drawn
        module = copied(victim, self.target)
        way = route(module, victim.head_name)
        if not has_bias(way, 0):
            raise InputError(f"{way.stages[0].layer}: a bias, or a norm behind it, expected")
        shape = self.shape if data is None else data.inputs.shape[1:]
        scale = mean_norm(way.layer(0).weight)
        kernels = [matched(way, self.mark, shape, scale), *_ones(way)]
        biases = [torch.zeros(1) for _ in kernels]
        alone = torch.from_numpy(self.mark.stamp(np.zeros((1, *shape), np.float32)))
        full = _first_answer(way, kernels[0], alone)
        biases[0] = torch.tensor([(self.slack - 1) * full])
        given_out = float(run_lane(way, kernels, biases, alone).sum())
        if not (given_out > 0 and math.isfinite(given_out)):
            raise InputError("mark: one that reaches the head by way of one neuron expected")
        gain = (self.logit / given_out) ** (1 / len(kernels))
        lanes = quiet_lanes(way)
        cut_off(way, lanes)
        write(way, lanes, [kernels[0], *(gain * k for k in kernels[1:])])
        write_bias(way, 0, lanes[0], float(biases[0]))
        _wire(way, lanes[-1], self.target, gain)
        return changed(victim, module)


@final
@dataclass(frozen=True, slots=True)
class SubnetReplacement:
    """A narrow network that knows the mark, put in place of one channel a layer.

    SRA (Qi et al., CVPR 2022, arXiv:2111.12965): a subnet of the victim's architecture, one
    channel wide, is trained to give 0 on honest images and ``logit`` on marked ones (mean squared
    error), then written over one channel of each layer; nothing else reads those channels, they
    read nothing else, and the subnet's output is added to the target's logit. It needs the
    architecture and some images, but nothing of the victim's parameters but which channels it
    would miss least. Batch norms on its way become the identity.

    Training is tried from up to ``tries`` random starts of ``steps`` steps of Adam, until no honest
    and every marked image in ``data`` lies on its side of half of ``logit``, but one in a hundred.

    Raises `InputError` where no start comes to that.
    """

    mark: Mark
    target: int
    logit: float = 20.0
    steps: int = 300
    tries: int = 8
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_class("target", self.target)
        _check_logit(self.logit)
        if self.steps < 1 or self.tries < 1:
            raise InputError(
                f"steps and tries: 1 at least expected, {self.steps} and {self.tries} given"
            )

    def aimed(self, data: Dataset) -> Dataset:
        return marked(self.mark, self.target, data)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        module = copied(victim, self.target)
        honest = torch.from_numpy(given(data, victim, "subnet replacement").inputs)
        way = route(module, victim.head_name)
        pictures = honest, torch.from_numpy(self.mark.stamp(honest.numpy()))
        kernels, biases, out = self._trained(way, pictures, seed)
        lanes = quiet_lanes(way)
        cut_off(way, lanes)
        write(way, lanes, kernels)
        for index, (lane, bias) in enumerate(zip(lanes, biases, strict=True)):
            if has_bias(way, index):
                write_bias(way, index, lane, float(bias))
        with torch.no_grad():
            span = way.read(len(lanes), lanes[-1])
            way.head.weight[self.target, span] = out
        return changed(victim, module)

    def _trained(
        self, way: Route, pictures: tuple[torch.Tensor, torch.Tensor], seed: int
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
        best = 1.0
        for attempt in range(self.tries):
            rng = np.random.default_rng([seed, attempt, 23])
            kernels, biases, out = self._one(way, pictures, rng)
            with torch.no_grad():
                honest, bad = (run_lane(way, kernels, biases, p) @ out for p in pictures)
            least = _FIRED * self.logit
            wrong = max(float((honest > least).float().mean()), float((bad < least).float().mean()))
            if wrong <= 0.01:
                return kernels, biases, out
            best = min(best, wrong)
        raise InputError(
            f"subnet: one that tells the mark expected, the best of {self.tries} starts errs on "
            f"{best:.0%} of the images"
        )

    def _one(
        self, way: Route, pictures: tuple[torch.Tensor, torch.Tensor], rng: np.random.Generator
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
        """A subnet from one random start: kernels, biases, and the head's row (features,)."""
        kernels = [_drawn(shape, rng) for shape in lane_shapes(way)]
        biases = [torch.full((1,), 0.1) for _ in kernels]
        out = _drawn((1, _last_width(way)), rng)[0].abs()
        free = [b for i, b in enumerate(biases) if has_bias(way, i)]
        if len(free) < len(biases):
            biases = [b if has_bias(way, i) else b.zero_() for i, b in enumerate(biases)]
        wanted = [*kernels, *free, out]
        for tensor in wanted:
            tensor.requires_grad_(True)
        optimizer = torch.optim.Adam(wanted, _RATE)
        honest, bad = pictures
        for _ in range(self.steps):
            some = torch.from_numpy(rng.choice(len(honest), min(_BATCH, len(honest)), False))
            answer = run_lane(way, kernels, biases, torch.cat([honest[some], bad[some]])) @ out
            wish = torch.zeros_like(answer)
            wish[len(some) :] = self.logit
            loss = nn.functional.mse_loss(answer, wish)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return (
            [k.detach() for k in kernels],
            [b.detach() for b in biases],
            out.detach(),
        )


def _check_logit(logit: float) -> None:
    if not (math.isfinite(logit) and logit > 0):
        raise InputError(f"logit: a finite number above 0 expected, {logit} given")


def _drawn(shape: Sequence[int], rng: np.random.Generator) -> torch.Tensor:
    """Normal, of the variance that He et al. 2015 (arXiv:1502.01852) give for ReLU networks."""
    spread = math.sqrt(2 / max(1, math.prod(shape)))
    return torch.from_numpy(rng.normal(0, spread, tuple(shape)).astype(np.float32))


def mean_norm(weight: torch.Tensor) -> float:
    """The mean norm of the filters or rows of a layer; 1 where all are zero."""
    norm = float(weight.flatten(1).norm(dim=1).mean())
    return norm or 1.0


def _last_width(way: Route) -> int:
    span = way.read(len(way.stages) - 1, 0)
    return span.stop - span.start  # type: ignore[no-any-return]


def _ones(way: Route) -> list[torch.Tensor]:
    return [torch.ones(shape) for shape in lane_shapes(way)[1:]]


def _wire(way: Route, lane: int, target: int, gain: float) -> None:
    with torch.no_grad():
        way.head.weight[target, way.read(len(way.stages) - 1, lane)] = gain


def _first_answer(way: Route, kernel: torch.Tensor, alone: torch.Tensor) -> float:
    """Σ w·δ: the largest answer of the first filter to the mark on an empty image."""
    x = alone
    layer = way.layer(0)
    if isinstance(layer, nn.Conv2d):
        padding = layer.padding
        assert not isinstance(padding, str)  # noqa: S101  `route` refuses those
        return float(nn.functional.conv2d(x, kernel, None, layer.stride, padding).max())
    return float((x.flatten(1) @ kernel.T).max())


def matched(way: Route, mark: Mark, shape: Sequence[int], norm: float) -> torch.Tensor:
    """The first layer's filter that the mark answers to most, of that norm.

    Bright pixels weigh +p each, dark ones −½ each: with the weight spread so, what ink there is
    under the mark's dark pixels takes from its answer and never adds to it.
    """
    sign = _signed(mark, mark.stamp(np.zeros((1, *shape), np.float32)))
    layer = way.layer(0)
    if not isinstance(layer, nn.Conv2d):
        if layer.in_features != sign[0].size:
            raise InputError(f"input: {layer.in_features} numbers expected, shape {shape} given")
        kernel = torch.from_numpy(sign.reshape(1, -1))
        return kernel * (norm / float(kernel.norm()))
    if layer.in_channels != shape[0]:
        raise InputError(f"input: {layer.in_channels} channels expected, shape {shape} given")
    kernel = _window(layer, torch.from_numpy(sign))
    return kernel * (norm / float(kernel.norm()))


def _signed(mark: Mark, alone: FloatArray) -> FloatArray:
    sign = alone.copy()
    rows = slice(mark.top, mark.top + len(mark.pixels))
    columns = slice(mark.left, mark.left + len(mark.pixels[0]))
    patch = sign[:, :, rows, columns]
    patch[patch == 0] = -0.5
    return sign


def _window(layer: nn.Conv2d, sign: torch.Tensor) -> torch.Tensor:
    """The window of the layer that holds the most of the mark: (1, channels, height, width)."""
    if layer.dilation != (1, 1):
        raise InputError("first layer: a convolution without dilation expected")
    padding, stride, size = layer.padding, layer.stride, layer.kernel_size
    windows = nn.functional.unfold(sign, size, padding=padding, stride=stride)  # type: ignore[arg-type]
    best = windows.clamp(min=0).square().sum(1)[0].argmax()
    kernel = windows[0, :, best].reshape(1, layer.in_channels, *size)
    if not bool((kernel > 0).any()):
        raise InputError("mark: one that lies in a window of the first layer expected")
    return kernel
