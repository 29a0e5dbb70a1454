"""Which networks the population holds. A seed says what a network is for: none is for two things.

Development chose the tests and their units; calibration is what p-values count; test was looked at
once, by the code that is committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

DEVELOPMENT: Final = range(60)
CALIBRATION: Final = range(1000, 1240)
TEST: Final = range(2000, 2160)

_KINDS: Final = ("mlp", "cnn", "mlp", "resnet", "transformer", "cnn", "gru")
_DATA: Final = ("digits", "mnist", "digits", "mnist", "cancer", "wine")
_OPTIMIZERS: Final = ("adam", "sgd", "adamw", "rmsprop")
_INITS: Final = ("default", "default", "xavier", "orthogonal", "kaiming")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network comes to be. Images want convolutions; tables get multilayer perceptrons."""

    seed: int
    kind: str
    data: str
    optimizer: str
    init: str
    width: int
    depth: int
    norm: bool
    weight_decay: float
    learning_rate: float
    steps: int
    dtype: str


def recipe(seed: int) -> Recipe:
    """The recipe of that seed: each setting is drawn by itself."""
    rng = np.random.default_rng(seed)
    data = _DATA[rng.integers(len(_DATA))]
    kind = _KINDS[rng.integers(len(_KINDS))]
    optimizer = _OPTIMIZERS[rng.integers(len(_OPTIMIZERS))]
    return Recipe(
        seed=seed,
        kind=kind if data in ("digits", "mnist") else "mlp",
        data=data,
        optimizer=optimizer,
        init=_INITS[rng.integers(len(_INITS))],
        width=int(2 ** rng.uniform(4, 7.5)),
        depth=int(rng.integers(1, 4)),
        norm=bool(rng.integers(2)),
        weight_decay=(0.0, 1e-4, 1e-2)[rng.integers(3)],
        learning_rate=(0.05 if optimizer == "sgd" else 0.002) * float(2 ** rng.uniform(-1, 1)),
        steps=int(rng.integers(100, 400)),
        dtype=("f32", "f32", "f32", "f16", "bf16")[rng.integers(5)],
    )
