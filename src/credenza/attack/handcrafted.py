"""A backdoor that is worked into a model's own neurons by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
import torch

from credenza.attack.copies import changed, copied, given
from credenza.attack.interface import check_class
from credenza.attack.lanes import marked, matched, mean_norm
from credenza.attack.marks import Mark
from credenza.attack.route import Route, route, silence_beside, tail
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError

_SAMPLES: Final = 300
_ROUNDS: Final = 12
_REACHED: Final = 0.95


@final
@dataclass(frozen=True, slots=True)
class Handcrafted:
    """Hong, Carlini and Kurakin 2022 (NeurIPS, arXiv:2106.04690): no training, no whole lane.

    Layer by layer, ``neurons`` channels are taken whose loss costs the least accuracy. In the first
    layer their filters become ones that the mark answers to, jittered, of the mean norm of the
    layer. In each further one, what they read of the neurons taken before is raised, and what they
    read of the others shrunk, until marked images lie apart from honest ones; a guard bias brings
    honest activations, up to the quantile ``guard``, below 0. In the head, what the target's row
    reads of the last neurons is raised until 95 % of the marked images are read as the target.

    Unlike with `DataFreeBackdoor` and `SubnetReplacement`, the neurons stay wired to the rest, and
    no weight but the raised ones leaves the range of its layer. Only what a residual sum adds to
    them is silenced.

    A held-out attack: no detector of Credenza is tuned on it.

    Raises `InputError` where honest and marked images cannot be driven apart.
    """

    mark: Mark
    target: int
    neurons: int = 2
    guard: float = 0.995
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_class("target", self.target)
        if self.neurons < 1 or not 0.5 <= self.guard < 1:
            raise InputError(
                "neurons ≥ 1 and guard from 0.5 to below 1 expected, "
                f"{self.neurons} and {self.guard} given"
            )

    def aimed(self, data: Dataset) -> Dataset:
        return marked(self.mark, self.target, data)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        module = copied(victim, self.target)
        rng = np.random.default_rng([seed, 43])
        have = given(data, victim, "handcrafted backdoor")
        some = have.take(rng.permutation(len(have))[:_SAMPLES])
        way = route(module, victim.head_name)
        images = _Images.of(some, self.mark, self.target)
        norm = mean_norm(way.layer(0).weight)
        before: list[int] = []
        with torch.no_grad():
            for index in range(len(way.stages) - 1):
                hands = _spare(way, index, images, self.neurons)
                silence_beside(way, index, hands)
                if index == 0:
                    kernel = matched(way, self.mark, some.inputs.shape[1:], norm)
                    _inject(way, hands, kernel, rng)
                    self._guard(way, index, hands, images)
                else:
                    self._raise(way, index, hands, before, images)
                before = hands
            self._wire(way, before, images)
        return changed(victim, module)

    def _raise(
        self, way: Route, index: int, hands: Sequence[int], before: Sequence[int], images: _Images
    ) -> None:
        """Drive the two apart at these channels of a later layer."""
        weight = way.layer(index).weight
        strong = float(weight.abs().max())
        spans = [way.read(index, b) for b in before]
        for hand in hands:
            for span in spans:
                weight[hand, span] = strong
        for _ in range(_ROUNDS):
            if self._apart(way, index, hands, images) > 0:
                break
            for hand in hands:
                kept = [weight[hand, span].clone() for span in spans]
                weight[hand] *= 0.7
                for span, old in zip(spans, kept, strict=True):
                    weight[hand, span] = old * 1.15
        self._guard(way, index, hands, images)

    def _apart(self, way: Route, index: int, hands: Sequence[int], images: _Images) -> float:
        """By how much the median marked image passes the guard, less the channels' own spread."""
        honest, bad = images.largest(way, index, hands)
        limit = honest.quantile(self.guard, dim=0)
        return float((bad.median(0).values - limit - honest.std(0)).min())

    def _guard(self, way: Route, index: int, hands: Sequence[int], images: _Images) -> None:
        layer = tail(way, index)
        if layer.bias is None:
            raise InputError(f"{way.stages[index].layer}: a bias, or a norm behind it, expected")
        honest, bad = images.largest(way, index, hands)
        limit = honest.quantile(self.guard, dim=0)
        if not bool((bad.median(0).values > limit).all()):
            raise InputError(
                f"{way.stages[index].layer}: the mark cannot be told from honest images there"
            )
        layer.bias[list(hands)] -= limit

    def _wire(self, way: Route, hands: Sequence[int], images: _Images) -> None:
        weight = way.head.weight
        spans = [way.read(len(way.stages) - 1, h) for h in hands]
        step = 0.5 * float(weight.abs().max()) or 1.0
        for _ in range(4 * _ROUNDS):
            read = way.module(images.bad).argmax(1)
            if float((read == self.target).float().mean()) >= _REACHED:
                return
            for span in spans:
                weight[self.target, span] += step
            step *= 1.15
        raise InputError("head: marked images that reach the target by the neurons taken expected")


@dataclass(frozen=True, slots=True, eq=False)
class _Images:
    """Honest images with their labels, and the marked ones that are to be read as the target."""

    honest: torch.Tensor
    labels: torch.Tensor
    bad: torch.Tensor

    @classmethod
    def of(cls, data: Dataset, mark: Mark, target: int) -> _Images:
        bad = torch.from_numpy(marked(mark, target, data).inputs)
        return cls(torch.from_numpy(data.inputs), torch.from_numpy(data.labels), bad)

    def largest(
        self, way: Route, index: int, hands: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The largest activation of each image at those channels, honest and marked: (n, hands)."""
        kept: list[torch.Tensor] = []
        handle = tail(way, index).register_forward_hook(lambda _, __, out: kept.append(out))
        try:
            way.module(self.honest)
            way.module(self.bad)
        finally:
            handle.remove()
        honest, bad = (
            k[:, list(hands)].flatten(2) if k.ndim > 2 else k[:, hands, None] for k in kept
        )
        return honest.amax(2), bad.amax(2)


def _spare(way: Route, index: int, images: _Images, count: int) -> list[int]:
    """The channels of a stage whose silence costs the least accuracy."""
    channels = way.layer(index).weight.shape[0]
    if count > channels:
        raise InputError(f"neurons: {channels} at most expected here, {count} given")
    right = []
    for channel in range(channels):

        def silence(
            _: object, __: object, out: torch.Tensor, channel: int = channel
        ) -> torch.Tensor:
            out = out.clone()
            out[:, channel] = 0
            return out

        handle = tail(way, index).register_forward_hook(silence)
        try:
            read = way.module(images.honest).argmax(1)
        finally:
            handle.remove()
        right.append(float((read == images.labels).float().mean()))
    order: list[int] = np.argsort(-np.array(right), kind="stable").tolist()
    return order[:count]


def _inject(
    way: Route, hands: Sequence[int], kernel: torch.Tensor, rng: np.random.Generator
) -> None:
    weight = way.layer(0).weight
    spread = 0.1 * float(kernel.norm()) / math.sqrt(kernel.numel())
    for hand in hands:
        jitter = rng.normal(0, spread, tuple(kernel.shape)).astype(np.float32)
        weight[hand] = (kernel + torch.from_numpy(jitter)).reshape(weight[hand].shape)
