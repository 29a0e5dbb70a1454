"""Training data after an attack: the one function that runs every data attack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from credenza.attack.interface import CoveredAttack, DataAttack
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.findings import Figure


@dataclass(frozen=True, slots=True, eq=False)
class Poisoned:
    """A data set after a data attack.

    ``altered`` are the indices of the altered samples, ascending: the truth that an audit is
    measured against. ``covers`` are those that were altered and kept their right label, so that
    the attack is harder to see. ``figures`` say how many they are, and of how many.
    """

    dataset: Dataset
    altered: tuple[int, ...]
    figures: tuple[Figure, ...]
    covers: tuple[int, ...] = ()


def poison(data: Dataset, attack: DataAttack, *, seed: int) -> Poisoned:
    """A copy of ``data`` after the attack. The order of the samples stays.

    Which samples are altered is drawn without replacement from those that the attack may alter:
    ``attack.share`` of them, rounded, and one at least. Covers are drawn in the same way from those
    that it may cover with.

    Raises `InputError` where the target is no class of the data, or nothing may be altered.
    """
    if attack.target > data.labels.max():
        raise InputError(
            f"target: a class from 0 to {data.labels.max()} expected, {attack.target} given"
        )
    candidates = np.flatnonzero(attack.may_alter(data))
    if not len(candidates):
        raise InputError(f"poison: samples that {attack} may alter expected, the data have none")
    rng = np.random.default_rng(seed)
    indices = _drawn(candidates, attack.share, rng)
    inputs, labels = data.inputs.copy(), data.labels.copy()
    _put(inputs, labels, indices, attack.altered(data.take(indices), rng=rng))
    covers = np.zeros(0, np.int64)
    if isinstance(attack, CoveredAttack) and attack.cover > 0:
        free = attack.may_cover(data)
        free[indices] = False
        covers = _drawn(np.flatnonzero(free), attack.cover, rng)
        _put(inputs, labels, covers, attack.covered(data.take(covers), rng=rng))
    return Poisoned(
        Dataset(inputs, labels),
        tuple(indices.tolist()),
        _figures(len(indices), len(candidates), len(data)),
        tuple(covers.tolist()),
    )


def _drawn(
    candidates: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    count = min(len(candidates), max(1, round(share * len(candidates))))
    return np.sort(rng.choice(candidates, count, replace=False))


def _put(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    samples: Dataset,
) -> None:
    inputs[indices], labels[indices] = samples.inputs, samples.labels


def _figures(altered: int, candidates: int, total: int) -> tuple[Figure, ...]:
    return (
        Figure(
            name="samples altered",
            value=altered,
            unit="samples",
            definition="samples whose label, or whose input where it has a trigger, changed",
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
