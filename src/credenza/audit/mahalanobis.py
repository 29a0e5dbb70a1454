"""Distance from the trusted samples of a class, in the suspect model's own features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from credenza.audit.interface import Scores, Values
from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray, IntArray
from credenza.errors import InputError


@final
@dataclass(frozen=True, slots=True)
class Mahalanobis:
    """Do the model's features of a sample lie where those of its label's trusted samples lie?

    (h − μ_y)ᵀ Σ⁻¹ (h − μ_y), with the mean of each class and the covariance of all pooled, after
    Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS
    2018 (arXiv:1807.03888), equations 1 and 2. ``shrinkage``, above 0 to 1, is the share of the
    covariance that is replaced by a multiple of the identity of the same trace.
    """

    shrinkage: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.shrinkage <= 1:
            raise InputError(
                f"mahalanobis: shrinkage above 0 to 1 expected, {self.shrinkage} given"
            )

    @property
    def name(self) -> str:
        return "Mahalanobis distance"

    @property
    def covers(self) -> str:
        return "the suspect model's features of each sample against those of trusted ones"

    def score(
        self, data: Dataset, trusted: Dataset, folds: IntArray, classifier: Classifier | None
    ) -> Scores:
        if classifier is None:
            raise InputError(
                "mahalanobis: the classifier that was trained on the data expected, none given"
            )
        known = _finite(classifier.features(trusted.inputs))
        suspects = _finite(classifier.features(data.inputs))
        classes = int(trusted.labels.max()) + 1
        held_out = np.empty((len(known), classes))
        scored, distances = [], np.zeros((len(suspects), classes))
        rows = np.arange(len(suspects))
        for k in range(int(folds.max()) + 1):
            seen, unseen = folds != k, folds == k
            centres, whiten = self._fit(known[seen], trusted.labels[seen], classes)
            held_out[unseen] = _distances(known[unseen] @ whiten, centres)
            of_fold = _distances(suspects @ whiten, centres)
            scored.append(of_fold[rows, data.labels])
            distances += of_fold
        own = held_out[np.arange(len(known)), trusted.labels]
        return Scores(
            own,
            np.stack(scored),
            _nearest_other(held_out, trusted.labels),
            _nearest_other(distances, data.labels),
        )

    def _fit(
        self, features: FloatArray, labels: IntArray, classes: int
    ) -> tuple[FloatArray, FloatArray]:
        """Whitened class means (classes, d), and what whitens a feature vector (d, d)."""
        means = np.stack([features[labels == c].mean(axis=0) for c in range(classes)])
        residuals = (features - means[labels]).astype(np.float64)
        covariance = residuals.T @ residuals / len(residuals)
        d = len(covariance)
        even = np.trace(covariance) / d or 1.0  # features that never vary: any scale will do
        shrunk = (1 - self.shrinkage) * covariance + self.shrinkage * even * np.eye(d)
        whiten = np.linalg.inv(np.linalg.cholesky(shrunk)).T.astype(np.float32)
        return means @ whiten, whiten


def _distances(points: FloatArray, centres: FloatArray) -> Values:
    """Squared distances (len(points), len(centres))."""
    squared = np.square(points).sum(1)[:, None] + np.square(centres).sum(1)
    distances: Values = (squared - 2 * (points @ centres.T)).astype(np.float64)
    return distances


def _nearest_other(distances: Values, labels: IntArray) -> IntArray:
    others = distances.copy()
    others[np.arange(len(labels)), labels] = np.inf
    nearest: IntArray = others.argmin(axis=1)
    return nearest


def _finite(features: FloatArray) -> FloatArray:
    wrong = int((~np.isfinite(features)).any(axis=1).sum())
    if wrong:
        raise InputError(
            f"classifier: finite features expected, {wrong} of {len(features)} samples have others",
            hint="look for NaN or infinity in the model's parameters with `credenza scan`",
        )
    return features
