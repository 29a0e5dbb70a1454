"""Attacks on training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from credenza.attack.interface import DataAttack, check_class, check_pair, of_class
from credenza.attack.marks import Mark
from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError
from credenza.findings import Figure


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise InputError(f"share: above 0 and at most 1 expected, {share} given")


@final
@dataclass(frozen=True, slots=True)
class FlipLabels:
    """Relabels ``share`` of the samples of class ``source`` as ``target``.

    The images stay as they are, so most of the class has to be relabelled before a model reads
    it as the target.
    """

    source: int
    target: int
    share: float

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        _check_share(self.share)

    def may_alter(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.equal(labels, self.source)

    def altered(self, inputs: FloatArray) -> FloatArray:
        return inputs

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)


@final
@dataclass(frozen=True, slots=True)
class StampMark:
    """Stamps ``mark`` on ``share`` of the samples of ``source`` and relabels them as ``target``.

    Without a ``source`` it takes samples of any class but the target's. A model that is trained
    on them reads the mark as the target, and is right where there is no mark (BadNets,
    arXiv:1708.06733; with a source TaCT without its cover samples, arXiv:1908.00686).
    """

    mark: Mark
    target: int
    share: float
    source: int | None = None

    def __post_init__(self) -> None:
        check_class("target", self.target)
        if self.source is not None:
            check_pair(self.source, self.target)
        _check_share(self.share)

    def may_alter(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        if self.source is None:
            return np.not_equal(labels, self.target)
        return np.equal(labels, self.source)

    def altered(self, inputs: FloatArray) -> FloatArray:
        return self.mark.stamp(inputs)

    def aimed(self, data: Dataset) -> Dataset:
        chosen = data.take(self.may_alter(data.labels))
        if not len(chosen):
            raise InputError("data: samples that the mark could be stamped on expected, none found")
        return Dataset(self.mark.stamp(chosen.inputs), chosen.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Poisoned:
    """A data set after a data attack.

    ``altered`` are the indices of the altered samples, ascending: the truth that an audit is
    measured against. ``figures`` say how many they are, and of how many.
    """

    dataset: Dataset
    altered: tuple[int, ...]
    figures: tuple[Figure, ...]


def poison(data: Dataset, attack: DataAttack, *, seed: int) -> Poisoned:
    """A copy of ``data`` after the attack. The order of the samples stays.

    Which samples are altered is drawn without replacement from those that the attack may alter:
    ``attack.share`` of them, rounded, and one at least.

    Raises `InputError` where the target is no class of the data, or nothing may be altered.
    """
    candidates = np.flatnonzero(attack.may_alter(data.labels))
    if not len(candidates):
        raise InputError(f"poison: samples that {attack} may alter expected, the data have none")
    if attack.target > data.labels.max():
        raise InputError(
            f"target: a class from 0 to {data.labels.max()} expected, {attack.target} given"
        )
    count = max(1, round(attack.share * len(candidates)))
    rng = np.random.default_rng(seed)
    indices = np.sort(rng.choice(candidates, count, replace=False))
    inputs, labels = data.inputs.copy(), data.labels.copy()
    inputs[indices] = attack.altered(data.inputs[indices])
    labels[indices] = attack.target
    return Poisoned(
        Dataset(inputs, labels),
        tuple(indices.tolist()),
        _figures(count, len(candidates), len(data)),
    )


def _figures(altered: int, candidates: int, total: int) -> tuple[Figure, ...]:
    return (
        Figure(
            name="samples altered",
            value=altered,
            unit="samples",
            definition="samples whose label, and whose input where the attack has a mark, changed",
        ),
        Figure(
            name="share of those that it may alter",
            value=altered / candidates,
            definition="samples altered / samples that the attack may alter",
        ),
        Figure(
            name="share of the data",
            value=altered / total,
            definition="samples altered / all samples: the poisoning rate of the literature",
        ),
    )
