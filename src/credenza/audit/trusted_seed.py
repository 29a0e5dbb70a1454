"""Labels against a classifier that only trusted samples taught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from credenza.audit.features import describe
from credenza.audit.interface import Scores, Values
from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray, IntArray

_CHUNK = 2048


@final
@dataclass(frozen=True, slots=True)
class TrustedSeed:
    """Does a classifier that only the trusted samples taught agree with the label?

    The classifier is least squares on a Gaussian kernel, solved in closed form (Rasmussen and
    Williams, Gaussian Processes for Machine Learning, 2006, section 6.5), over features that
    nothing was trained for. The score is how far the best other class lies above the label's; it
    takes the place of −log p(label | sample), which least squares does not give.

    ``width`` is the mean squared distance of trusted samples in units of the kernel's own
    squared width (exp(−width · d² / mean d²)), ``ridge`` what is added to the kernel's diagonal.
    """

    width: float = 2.0
    ridge: float = 0.03

    @property
    def name(self) -> str:
        return "trusted seed"

    @property
    def covers(self) -> str:
        return "labels against a classifier that only the trusted samples taught"

    def score(
        self,
        data: Dataset,
        trusted: Dataset,
        folds: IntArray,
        classifier: Classifier | None,  # noqa: ARG002  what the suspect model thinks is not asked
    ) -> Scores:
        known = describe(trusted.inputs)
        gamma = self.width / max(_mean_squared_distance(known), 1e-12)
        weights = self._fit(_kernel(known, known, gamma), trusted.labels, folds)
        outputs = _predict(known, known, gamma, weights)
        held_out = outputs[np.arange(len(known)), folds]
        scores, resemble = _margins(held_out, trusted.labels)

        parts = range(0, len(data), _CHUNK)
        inputs = (describe(data.inputs[i : i + _CHUNK]) for i in parts)
        suspects = np.concatenate([_predict(x, known, gamma, weights) for x in inputs])
        margins = [_margins(suspects[:, k], data.labels)[0] for k in range(suspects.shape[1])]
        return Scores(
            scores, np.stack(margins), resemble, _margins(suspects.mean(axis=1), data.labels)[1]
        )

    def _fit(self, kernel: FloatArray, labels: IntArray, folds: IntArray) -> FloatArray:
        """Weights (n, folds, classes): those of a fold's own samples are 0 in its fit."""
        classes = int(labels.max()) + 1
        targets = np.eye(classes)[labels] - 1 / classes
        weights = np.zeros((len(labels), int(folds.max()) + 1, classes), np.float32)
        for k in range(weights.shape[1]):
            seen = np.flatnonzero(folds != k)
            gram = kernel[np.ix_(seen, seen)] + self.ridge * np.eye(len(seen))
            weights[seen, k] = np.linalg.solve(gram, targets[seen])
        return weights


def _kernel(a: FloatArray, b: FloatArray, gamma: float) -> FloatArray:
    squared = _squared_distances(a, b)
    squared *= np.float32(-gamma)
    values: FloatArray = np.exp(squared, out=squared)
    return values


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    squared: FloatArray = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * (a @ b.T)
    return np.maximum(squared, 0, out=squared)


def _mean_squared_distance(a: FloatArray) -> float:
    return float(2 * np.square(a - a.mean(axis=0)).sum(axis=1).mean())


def _predict(x: FloatArray, known: FloatArray, gamma: float, weights: FloatArray) -> FloatArray:
    """(len(x), folds, classes)."""
    outputs = _kernel(x, known, gamma) @ weights.reshape(len(known), -1)
    return outputs.reshape(len(x), *weights.shape[1:])


def _margins(outputs: FloatArray, labels: IntArray) -> tuple[Values, IntArray]:
    """How far the best other class lies above the label's, and which class it is."""
    rows = np.arange(len(labels))
    others = outputs.copy()
    others[rows, labels] = -np.inf
    best: IntArray = others.argmax(axis=1)
    margins: Values = (others[rows, best] - outputs[rows, labels]).astype(np.float64)
    return margins, best
