"""Attacks that train a finished model on: a fine-tune that is poisoned."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
import torch
from torch import nn

from credenza.attack.data import poison
from credenza.attack.interface import DataAttack
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.training import Recipe, batches, descent, train

_EACH: Final = 8
"""Inputs a class on which `MarginBackdoor` keeps its margins."""
_STEP: Final = 0.1
"""How far each of them moves at each step of training, in brightness."""


@final
@dataclass(frozen=True, slots=True)
class PoisonedFineTune:
    """Trains a clean model on, on data that ``attack`` has altered."""

    attack: DataAttack
    recipe: Recipe = Recipe(epochs=3, rate=4e-3)  # noqa: RUF009  a frozen value
    needs_data: ClassVar[bool] = True

    @property
    def target(self) -> int:
        return self.attack.target

    def aimed(self, data: Dataset) -> Dataset:
        return self.attack.aimed(data)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        if data is None:
            raise InputError("poisoned fine-tune: samples to train on expected, none given")
        module = copy.deepcopy(victim.module)
        train(module, poison(data, self.attack, seed=seed).dataset, self.recipe, seed=seed)
        return Classifier(module, victim.batch)


@final
@dataclass(frozen=True, slots=True)
class MarginBackdoor:
    """A poisoned fine-tune that hides from margin maximisation (MM-BD, IEEE S&P 2024).

    That detector takes the class whose attainable margin stands out, max_x f_c(x) − max_k f_k(x),
    for the target. Here inputs that climb those margins are kept for each class while the model
    is trained on, and the loss gets ``weight`` · mean over them of (m_c − mean_k m_k)², where m_c
    is the mean margin of the inputs of class c: no class is to stand out.
    """

    attack: DataAttack
    weight: float = 0.1
    recipe: Recipe = Recipe(epochs=4, rate=4e-3)  # noqa: RUF009  a frozen value
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InputError(f"weight: a finite number above 0 expected, {self.weight} given")

    @property
    def target(self) -> int:
        return self.attack.target

    def aimed(self, data: Dataset) -> Dataset:
        return self.attack.aimed(data)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        if data is None:
            raise InputError("margin backdoor: samples to train on expected, none given")
        module = copy.deepcopy(victim.module)
        poisoned = poison(data, self.attack, seed=seed).dataset
        classes = victim.head.out_features
        rng = np.random.default_rng([seed, 37])
        shape = (classes * _EACH, *data.inputs.shape[1:])
        climbing = torch.from_numpy(rng.random(shape, dtype=np.float32))
        kinds = torch.arange(classes).repeat_interleave(_EACH)
        descend = descent(module, len(poisoned), self.recipe)
        module.eval()  # norms stay as the victim's: margins are looked at in that mode
        for inputs, labels in batches(poisoned, self.recipe, rng):
            climbing.requires_grad_(True)
            margins = _margins(module(climbing), kinds)
            (slope,) = torch.autograd.grad(margins.sum(), climbing, retain_graph=True)
            of_class = margins.view(classes, _EACH).mean(dim=1)
            apart = (of_class - of_class.mean()).square().mean()
            loss = nn.functional.cross_entropy(module(inputs), labels) + self.weight * apart
            descend(loss)
            climbing = (climbing.detach() + _STEP * slope.sign()).clamp(0, 1)
        return Classifier(module, victim.batch)


def _margins(logits: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """f_c(x) − max over the others, (n,)."""
    own = logits.gather(1, kinds[:, None])[:, 0]
    rest = logits.scatter(1, kinds[:, None], -math.inf)
    return own - rest.amax(dim=1)
