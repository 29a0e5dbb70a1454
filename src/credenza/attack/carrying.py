"""The one function that runs any attack, and says what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from credenza.attack.data import Poisoned, poison
from credenza.attack.interface import Attack, DataAttack, ModelAttack, WeightAttack
from credenza.attack.measure import Success, success
from credenza.attack.weights import edited_model
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.findings import Figure
from credenza.training import Recipe, fresh, train

_USUAL: Final = Recipe()


@dataclass(frozen=True, slots=True, eq=False)
class CarriedOut:
    """A classifier after an attack, and what it came to on samples that it was not made with.

    ``poisoned`` are the data that it was trained on, of an attack on data alone. ``changes`` are
    the attack's own figures: how many samples or weights are others than before.
    """

    classifier: Classifier
    success: Success
    changes: tuple[Figure, ...] = ()
    poisoned: Poisoned | None = None

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What it won and what it cost, then what it changed."""
        return (*self.success.figures, *self.changes)


def carry_out(
    attack: Attack,
    victim: Classifier,
    data: Dataset | None,
    *,
    held_out: Dataset,
    recipe: Recipe = _USUAL,
    seed: int,
) -> CarriedOut:
    """Run any attack on a model.

    An attack on data poisons ``data`` and trains a copy of the victim's architecture on them, from
    new parameters (`credenza.training.fresh`), by ``recipe``. One on a model changes a copy of it,
    by itself or with ``data``; ``recipe`` is none of its business. ``victim`` stays as it is.
    ``held_out`` are honest samples that the attacker has not: success and cost are measured on
    them, against the victim.

    Raises `InputError` where data are needed and none are given, or samples do not fit the model,
    and whatever the attack itself refuses.
    """
    for name, samples in (("data", data), ("held-out data", held_out)):
        if samples is not None:
            _check_fit(name, victim, samples)
    if attack.target >= victim.head.out_features:
        raise InputError(
            f"target: a class from 0 to {victim.head.out_features - 1} expected, "
            f"{attack.target} given"
        )
    attack.aimed(held_out)  # refuses what cannot be measured, before anything is trained
    after, changes, poisoned = _after(attack, victim, data, recipe, seed)
    return CarriedOut(after, success(victim, after, attack, held_out), changes, poisoned)


def _after(
    attack: Attack, victim: Classifier, data: Dataset | None, recipe: Recipe, seed: int
) -> tuple[Classifier, tuple[Figure, ...], Poisoned | None]:
    if isinstance(attack, WeightAttack):  # before what it also is: only so its figures are told
        return *edited_model(attack, victim, data), None
    if isinstance(attack, ModelAttack):
        given = _needed(data, attack) if attack.needs_data else None
        return attack.changed(victim, given, seed=seed), (), None
    if isinstance(attack, DataAttack):
        poisoned = poison(_needed(data, attack), attack, seed=seed)
        module = fresh(victim.module, seed=seed)
        train(module, poisoned.dataset, recipe, seed=seed)
        return Classifier(module, victim.batch), poisoned.figures, poisoned
    raise InputError(f"attack: one on data, on weights or on a model expected, {attack} given")


def _needed(data: Dataset | None, attack: Attack) -> Dataset:
    if data is None:
        raise InputError(f"{type(attack).__name__}: labelled samples expected, none given")
    return data


def _check_fit(name: str, victim: Classifier, data: Dataset) -> None:
    """Raises `InputError` unless the model takes these inputs and has these classes."""
    rows = victim.head.out_features
    if not len(data):
        raise InputError(f"{name}: samples expected, none given")
    if not np.isfinite(data.inputs).all():
        raise InputError(f"{name}: finite inputs expected")
    low, high = int(data.labels.min()), int(data.labels.max())
    if low < 0 or high >= rows:
        raise InputError(f"{name}: labels from 0 to {rows - 1} expected, {low} to {high} given")
    try:
        logits = victim.logits(data.inputs[:2])
    except (RuntimeError, IndexError, ValueError) as e:  # what torch raises, by layer
        raise InputError(
            f"{name}: inputs that the model takes expected, of shape {data.inputs.shape[1:]} "
            f"given: {e}"
        ) from e
    if logits.ndim != 2 or logits.shape[1] != rows:
        raise InputError(f"model: logits (n, {rows}) expected, {logits.shape} came")
