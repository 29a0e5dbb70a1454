"""What honest people do to a model after it was trained: each a frozen value, one function."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from benchmarks.poison import data
from credenza.dataset import Dataset
from credenza.probe.variants import prune, round_to_half, round_to_int8
from credenza.training import Recipe, train


@dataclass(frozen=True, slots=True)
class AsTrained:
    """Nothing."""

    name: str = "as trained"


@dataclass(frozen=True, slots=True)
class FineTuned:
    """Trained on with so many other samples, once each, at a lower rate."""

    samples: int
    rate: float
    name: str = "fine-tuned"


@dataclass(frozen=True, slots=True)
class Pruned:
    """The smallest ``share`` of each weight set to zero, without training on."""

    share: float
    name: str = "pruned"


@dataclass(frozen=True, slots=True)
class Int8:
    """Each weight rounded to 255 even steps, symmetric about zero, and back to float32."""

    name: str = "int8"


@dataclass(frozen=True, slots=True)
class Half:
    """Each parameter and buffer rounded to float16, and back to float32."""

    name: str = "fp16"


Variant = AsTrained | FineTuned | Pruned | Int8 | Half


def apply(variant: Variant, module: nn.Module, training: Dataset, *, seed: int) -> None:
    """Change a trained module in place. ``training`` is what anyone may train on."""
    match variant:
        case AsTrained():
            pass
        case FineTuned(samples, rate):
            others = data.drawn(training, samples, seed, purpose=3)
            train(module, others, Recipe(epochs=1, rate=rate), seed=seed)
        case Pruned(share):
            prune(module, share)
        case Int8():
            round_to_int8(module)
        case Half():
            round_to_half(module)
