"""A plain, seeded training loop for classifiers: what attackers, calibration and repair share.

Needs the extra ``torch``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from credenza.dataset import Dataset
from credenza.errors import InputError, MissingExtraError

try:
    import torch
    from torch import nn
except ImportError as e:
    raise MissingExtraError("training a model", "torch") from e

_LEAST_STEPS: Final = 8
"""Fewer have no room for a rate that rises over a quarter of them and falls."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a classifier is trained: AdamW over ``epochs`` passes, with a one-cycle rate.

    The rate rises to ``rate`` over the first quarter of the steps and falls to nothing (Smith and
    Topin 2019, arXiv:1708.07120). ``shift`` moves each image by so many whole pixels at most, each
    way at random; ``smoothing`` is that of the labels, 0 to below 1.

    Raises `InputError` for what cannot be trained with.
    """

    epochs: int = 3
    batch: int = 128
    rate: float = 4e-3
    weight_decay: float = 1e-2
    smoothing: float = 0.0
    shift: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or self.shift < 0:
            raise InputError(
                "recipe: epochs ≥ 1, batch ≥ 2 and shift ≥ 0 expected, "
                f"{self.epochs}, {self.batch} and {self.shift} given"
            )
        if not (self.rate > 0 and math.isfinite(self.rate)):
            raise InputError(f"recipe: a finite rate above 0 expected, {self.rate} given")
        if not (self.weight_decay >= 0 and 0 <= self.smoothing < 1):
            raise InputError(
                "recipe: weight_decay ≥ 0 and smoothing from 0 to below 1 expected, "
                f"{self.weight_decay} and {self.smoothing} given"
            )


def train(module: nn.Module, data: Dataset, recipe: Recipe, *, seed: int) -> None:
    """Train ``module`` in place on ``data``, and leave it in evaluation mode.

    The same module, data, recipe, seed, machine and number of threads give the same parameters.
    The global generators are left as they were. Raises `InputError` for fewer than two samples.
    """
    if len(data) < 2:
        raise InputError(f"training: two samples expected at least, {len(data)} given")
    descend = descent(module, len(data), recipe)
    rng = np.random.default_rng([seed, 11])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout draws from it
        module.train()
        for inputs, labels in batches(data, recipe, rng):
            loss = nn.functional.cross_entropy(
                module(inputs), labels, label_smoothing=recipe.smoothing
            )
            descend(loss)
    module.eval()


def descent(module: nn.Module, samples: int, recipe: Recipe) -> Callable[[torch.Tensor], None]:
    """What makes one step down a loss, by the recipe's optimizer and its rate at that step."""
    steps = recipe.epochs * math.ceil(samples / recipe.batch)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.rate, total_steps=max(steps, _LEAST_STEPS), pct_start=0.25
    )

    def step(loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()

    return step


def fresh(module: nn.Module, *, seed: int) -> nn.Module:
    """A copy of the architecture with new parameters, drawn as its layers draw them when made.

    Each submodule that holds parameters or buffers of its own is asked to ``reset_parameters``, in
    the order of ``modules()``, under a generator of that seed; the global ones are left as they
    were. Raises `InputError` for one that cannot be asked: a copy that kept something which the
    given module had learned would be no fresh one.
    """
    copied = copy.deepcopy(module)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, part in copied.named_modules():
            own = (*part.parameters(recurse=False), *part.buffers(recurse=False))
            if not own:
                continue
            reset = getattr(part, "reset_parameters", None)
            if not callable(reset):
                raise InputError(
                    f"architecture: {name or 'the module'} ({type(part).__name__}) has parameters "
                    "or buffers, and no reset_parameters() to draw them anew",
                    hint="give its class a method reset_parameters that sets all that it holds",
                )
            reset()
    return copied


def batches(
    data: Dataset, recipe: Recipe, rng: np.random.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pass after pass, each in its own order. A batch of one, which no norm takes, is left."""
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    for _ in range(recipe.epochs):
        order = torch.from_numpy(rng.permutation(len(data)))
        for chosen in torch.split(order, recipe.batch):
            if len(chosen) > 1:
                yield _shifted(inputs[chosen], recipe.shift, rng), labels[chosen]


def _shifted(images: torch.Tensor, most: int, rng: np.random.Generator) -> torch.Tensor:
    """Images (n, channels, height, width), moved by one draw; edges are repeated."""
    if not most:
        return images
    down, right = rng.integers(-most, most + 1, 2).tolist()
    padded = nn.functional.pad(images, (most, most, most, most), mode="replicate")
    height, width = images.shape[-2:]
    return padded[..., most + down : most + down + height, most + right : most + right + width]
