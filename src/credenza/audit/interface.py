"""What a detector of altered samples is: a frozen value that holds its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from credenza.classifier import Classifier
from credenza.dataset import Dataset, IntArray

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How ill each sample's label fits it, larger being worse, and what it looks like instead.

    There are as many fits as folds of the trusted samples, and fit ``k`` has not seen fold ``k``.

    * ``trusted`` (n,): the trusted samples, each scored by the fit that has not seen it
    * ``suspects`` (folds, m): the samples under audit, scored by each fit
    * ``trusted_resemble`` (n,), ``resemble`` (m,): the class other than its label that a sample
      looks most like
    """

    trusted: Values
    suspects: Values
    trusted_resemble: IntArray
    resemble: IntArray


class Detector(Protocol):
    """Scores samples by what trusted ones look like."""

    @property
    def name(self) -> str: ...

    @property
    def covers(self) -> str:
        """What is looked at, for the report."""
        ...

    def score(
        self, data: Dataset, trusted: Dataset, folds: IntArray, classifier: Classifier | None
    ) -> Scores:
        """Scores of both. ``folds`` (n,) says which fold each trusted sample is in, from 0.

        Labels are 0 to C − 1 and each has a trusted sample in each fold. ``classifier`` is the
        model that was trained on ``data``. Raises `InputError` where it is needed and not given.
        """
        ...
