"""Which samples look altered, and whether there are more of them than chance explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.audit import conformal
from credenza.audit.common import bearers
from credenza.audit.interface import Scores, Values
from credenza.dataset import Dataset, IntArray

Mask = NDArray[np.bool_]

_LENIENT: Final = 10
"""How many times the level a sample may have that bears what others have in common."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Which samples look altered at the level that was asked for, and like which class."""

    data: Dataset
    trusted: Dataset
    p_values: Values
    level: float
    odd: Mask
    resemble: IntArray
    trusted_odd: Mask
    trusted_resemble: IntArray

    def of_pair(self, label: int, other: int) -> IntArray:
        """Indices of odd samples of that label that look like ``other``."""
        labelled = (self.data.labels == label) & (self.resemble == other)
        return np.flatnonzero(self.odd & labelled)

    def bearers_of(self, samples: IntArray, label: int, other: int) -> IntArray:
        """Further samples of that label that bear what ``samples`` have and ``other`` has not.

        They must look altered too, if only at ten times the level: honest samples of the label may
        have ink where the mark is, and look like nothing else.
        """
        doubtful = (self.data.labels == label) & (self.p_values <= _LENIENT * self.level)
        labelled = np.setdiff1d(np.flatnonzero(doubtful), samples)
        inputs = self.trusted.inputs
        honest = self.trusted.labels == other
        altered = self.data.inputs[samples]
        bear = bearers(self.data.inputs[labelled], altered, inputs[honest], inputs[~honest])
        return labelled[bear]

    def excess_of_pair(self, label: int, other: int) -> float:
        """The p-value of so many of them, against the trusted samples of that label."""
        mine = self.trusted.labels == label
        odd = self.trusted_odd & mine & (self.trusted_resemble == other)
        labelled = int((self.data.labels == label).sum())
        found = len(self.of_pair(label, other))
        return conformal.excess(found, labelled, int(odd.sum()), int(mine.sum()))


def weigh(
    data: Dataset, trusted: Dataset, scores: Sequence[Scores], folds: IntArray, level: float
) -> Evidence:
    """What the detectors' scores say together, at that level. The first one names the classes."""
    p_values = conformal.smallest([conformal.suspect_p_values(s, folds) for s in scores])
    trusted_p_values = conformal.smallest([conformal.trusted_p_values(s) for s in scores])
    return Evidence(
        data,
        trusted,
        p_values,
        level,
        p_values <= level,
        scores[0].resemble,
        trusted_p_values <= level,
        scores[0].trusted_resemble,
    )
