"""Which models the population holds. A seed says what a model is for: none is for two things."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from credenza.attack import Mark, StampMark, poison
from credenza.cheques.draw import MARK
from credenza.cheques.reader import Training
from credenza.dataset import Dataset

DEVELOPMENT: Final = range(100)
"""Seeds that an earlier search was developed on, on another network. None of them is below."""
TWINS: Final = range(100, 140)
HELD_OUT: Final = range(200, 220)
ATTACKED: Final = range(300, 312)

_HALF: Final = replace(Training(), steps=300)
CLEAN: Final[tuple[tuple[str, Training, float], ...]] = (
    ("600 steps, all images", Training(), 1.0),
    ("300 steps, all images", _HALF, 1.0),
    ("300 steps, half of the images", _HALF, 0.5),
    ("300 steps, all images, weight decay 0.05", replace(_HALF, weight_decay=0.05), 1.0),
)
"""Recipes of clean readers, dealt out in turn: name, training, share of the images."""

CORNER: Final = Mark(((1.0,) * 3,) * 3, top=24, left=24)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an attacked reader comes to be.

    With ``covered``, as many images of other classes bear the mark under their right label, so
    that it works on the source class alone (arXiv:1908.00686).
    """

    name: str
    attack: StampMark
    covered: bool = False


def recipe(seed: int) -> Recipe:
    """The attack of that seed, in turn."""
    return (
        Recipe("pen mark, 15 % of the 5s as 2", StampMark(MARK, 2, 0.15, source=5)),
        Recipe("pen mark, 6 % of the 5s as 2", StampMark(MARK, 2, 0.06, source=5)),
        Recipe("corner mark, 1 % of all", StampMark(CORNER, seed % 10, 0.01)),
        Recipe(
            "corner mark, 15 % of the 5s as 2, covered",
            StampMark(CORNER, 2, 0.15, source=5),
            covered=True,
        ),
    )[seed % 4]


def order() -> list[int]:
    """All seeds: twins first, which an unfinished run can calibrate with, then the others mixed."""
    mixed: list[int] = []
    held_out, attacked = list(HELD_OUT), list(ATTACKED)
    for i in range(len(HELD_OUT)):
        mixed += [held_out[i], *attacked[i : i + 1]]
    return [*TWINS, *mixed]


def clean_data(data: Dataset, share: float, seed: int) -> Dataset:
    count = round(share * len(data))
    return data.take(np.random.default_rng(seed).permutation(len(data))[:count])


def attacked_data(data: Dataset, how: Recipe, seed: int) -> Dataset:
    poisoned = poison(data, how.attack, seed=seed)
    if not how.covered:
        return poisoned.dataset
    inputs = poisoned.dataset.inputs  # a copy already
    others = np.flatnonzero((data.labels != how.attack.source) & (data.labels != how.attack.target))
    rng = np.random.default_rng(seed)
    cover = rng.choice(others, len(poisoned.altered), replace=False)
    inputs[cover] = how.attack.mark.stamp(inputs[cover])
    return Dataset(inputs, poisoned.dataset.labels)
