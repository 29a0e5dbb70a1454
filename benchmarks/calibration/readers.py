"""Cheque readers: twins, clean ones that are held out, and attacked ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from torch import nn

from credenza.attack import Mark, StampMark, poison
from credenza.cheques import reader
from credenza.cheques.draw import MARK
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.probe import Plan, Subject

CORNER: Final = Mark(((1.0,) * 3,) * 3, top=24, left=24)
ATTACKS: Final = (
    ("pen mark, 30 % of the 5s as 2", StampMark(MARK, 2, 0.3, source=5)),
    ("corner mark, 2 % of all", StampMark(CORNER, 7, 0.02)),
)
_STEPS: Final = (300, 600)


def trained(data: Dataset, seed: int) -> nn.Module:
    """A reader as honest people train one: the whole training, or half of it."""
    steps = int(np.random.default_rng([seed, 3]).choice(_STEPS))
    return reader.train(data, seed=seed, settings=replace(reader.Training(), steps=steps))


def clean(plan: Plan, number: int) -> tuple[Subject, str]:
    """A reader of a seed that no twin has."""
    seed = plan.seed + 100_000 + number
    return _subject(trained(_share(plan, seed), seed), plan), f"clean {number}"


def attacked(plan: Plan, number: int) -> tuple[Subject, str]:
    """A reader trained on altered images."""
    seed = plan.seed + 200_000 + number
    name, attack = ATTACKS[number % len(ATTACKS)]
    data = poison(_share(plan, seed), attack, seed=seed).dataset
    return _subject(trained(data, seed), plan), f"{name}, {number}"


def _share(plan: Plan, seed: int) -> Dataset:
    order = np.random.default_rng([seed, 4]).permutation(len(plan.data))
    return plan.data.take(order[: round(plan.share * len(plan.data))])


def _subject(module: nn.Module, plan: Plan) -> Subject:
    return Subject.of(Classifier(module.eval()), plan.trusted)
