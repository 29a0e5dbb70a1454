"""From scores to false-alarm rates that hold whatever the scores are distributed like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from credenza.audit.interface import Scores, Values
from credenza.dataset import IntArray


def folds_of(labels: IntArray, count: int, seed: int) -> IntArray:
    """The fold of each sample, 0 to ``count`` − 1: each class is dealt out evenly, at random."""
    rng = np.random.default_rng(seed)
    folds = np.empty(len(labels), np.int64)
    for c in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == c))
        folds[members] = np.arange(len(members)) % count
    return folds


def suspect_p_values(scores: Scores, folds: IntArray) -> Values:
    """Cross-conformal p-values (m,): (1 + trusted samples that score as high or higher) / (n + 1).

    A trusted sample is compared under the fit that has not seen it. An honest sample falls at or
    under α with probability α, very nearly; 2α is proven for large n (Vovk, Cross-conformal
    predictors, 2015; Barber et al., Predictive inference with the jackknife+, 2021, theorem 4).
    """
    above: Values = np.ones(scores.suspects.shape[1])
    for k, of_fold in enumerate(scores.suspects):
        held_out = np.sort(scores.trusted[folds == k])
        above += len(held_out) - np.searchsorted(held_out, of_fold, side="left")
    p_values: Values = above / (len(folds) + 1)
    return p_values


def trusted_p_values(scores: Scores) -> Values:
    """The same for the trusted samples (n,), each among the n of them."""
    ordered = np.sort(scores.trusted)
    above = len(ordered) - np.searchsorted(ordered, scores.trusted, side="left")
    return np.asarray(above / len(ordered), np.float64)


def smallest(p_values: Sequence[Values]) -> Values:
    """The smallest p-value of several detectors, times their number (Bonferroni), at most 1."""
    combined: Values = np.minimum(1.0, len(p_values) * np.min(np.stack(p_values), axis=0))
    return combined


def excess(flagged: int, of: int, trusted_flagged: int, trusted_of: int) -> float:
    """P(as few of the trusted flagged, or fewer), if all samples were of one kind.

    Fisher's exact test, one-sided: of ``of + trusted_of`` samples ``flagged + trusted_flagged``
    are flagged, and which of them are the trusted ones is chance.
    """
    total, hits = of + trusted_of, flagged + trusted_flagged
    ways = _log_choose(total, trusted_of)
    likely = [
        math.exp(_log_choose(hits, i) + _log_choose(total - hits, trusted_of - i) - ways)
        for i in range(max(0, trusted_of - (total - hits)), trusted_flagged + 1)
    ]
    return min(1.0, math.fsum(likely))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
