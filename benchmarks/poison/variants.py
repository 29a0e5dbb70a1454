"""What honest people do to a model after it was trained. Each is a frozen value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from benchmarks.poison import data
from torch import nn

from credenza.dataset import Dataset
from credenza.training import Recipe, train


class Variant(Protocol):
    """``name`` is that of its kind, as tables have it."""

    @property
    def name(self) -> str: ...

    def apply(self, module: nn.Module, training: Dataset, *, seed: int) -> None:
        """Change a trained module in place. ``training`` is what anyone may train on."""
        ...


@dataclass(frozen=True, slots=True)
class AsTrained:
    """Nothing."""

    name: str = "as trained"

    def apply(self, module: nn.Module, training: Dataset, *, seed: int) -> None:
        pass


@dataclass(frozen=True, slots=True)
class FineTuned:
    """Trained on with other samples, at a lower rate."""

    samples: int
    rate: float
    name: str = "fine-tuned"

    def apply(self, module: nn.Module, training: Dataset, *, seed: int) -> None:
        others = data.drawn(training, self.samples, seed, purpose=3)
        train(module, others, Recipe(epochs=1, rate=self.rate), seed=seed)


@dataclass(frozen=True, slots=True)
class Pruned:
    """The smallest ``share`` of each weight set to zero, without training on."""

    share: float
    name: str = "pruned"

    def apply(self, module: nn.Module, training: Dataset, *, seed: int) -> None:
        for weight in _weights(module):
            least = torch.quantile(weight.abs().flatten(), self.share)
            weight[weight.abs() < least] = 0


@dataclass(frozen=True, slots=True)
class Int8:
    """Each weight rounded to 255 even steps, symmetric about zero, and back to float32."""

    name: str = "int8"

    def apply(self, module: nn.Module, training: Dataset, *, seed: int) -> None:
        for weight in _weights(module):
            step = weight.abs().max() / 127
            weight.copy_((weight / step).round() * step)


@dataclass(frozen=True, slots=True)
class Half:
    """Each parameter and buffer rounded to float16, and back to float32."""

    name: str = "fp16"

    def apply(self, module: nn.Module, training: Dataset, *, seed: int) -> None:
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())


def _weights(module: nn.Module) -> Iterator[torch.Tensor]:
    """The matrices and filters, without biases and norms; what is done to one is done to it."""
    return (p.detach() for p in module.parameters() if p.ndim > 1)
