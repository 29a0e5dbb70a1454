"""How far out in its tail each value of a statistic lies, on one scale for all statistics.

Every function here treats the models that it is given alike: exchange two of them, and their
results are exchanged. Exchangeable models have exchangeable scores, and ranks among them are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TAIL: Final = 0.1
"""The share of the other models that a tail is fitted to."""
_LEAST_SCALE: Final = 0.01
"""Of a tail, in the statistic's unit (a logarithm): differences of one per cent say nothing."""


_NORMAL: Final = 1.4826


def tail_scores(values: Floats, two_sided: Sequence[bool]) -> Floats:
    """−log10 P(X ≥ x), estimated for each value from the other models: (models, statistics).

    Where two-sided it is that of the end that is further out, less log10 2, and at least 0. See
    `upper_tails` for the estimate.
    """
    scores = np.empty_like(values)
    for j, column in enumerate(values.T):
        scores[:, j] = upper_tails(column)
        if two_sided[j]:
            both = np.maximum(
                scores[:, j], upper_tails(np.where(np.isinf(column), column, -column))
            )
            scores[:, j] = np.maximum(both - np.log10(2), 0)
    return scores


def in_units(values: Floats) -> Floats:
    """A family's values, each less the median of its column and over its spread.

    The spread is 1.4826 times the median absolute deviation, a normal distribution's standard
    deviation, and half the family's median spread at least: (models, members), like ``values``. A
    member with infinite values takes its median and spread from the others.
    """
    finite = np.where(np.isfinite(values), values, np.nan)
    apart = values - np.nanmedian(finite, axis=0)
    off = np.where(np.isfinite(values), np.abs(apart), np.nan)
    spread = _NORMAL * np.nanmedian(off, axis=0)
    least = max(0.5 * float(np.median(spread)), _LEAST_SCALE)
    units: Floats = apart / np.maximum(spread, least)
    return units


def largest_in_units(values: Floats) -> Floats:
    """One value a model for a family, (models,): the largest of `in_units`."""
    largest: Floats = in_units(values).max(axis=1)
    return largest


def upper_tails(column: Floats) -> Floats:
    """−log10 of the estimated probability of such a value or a higher one, (models,).

    Of each model, the others' highest tenth are the sample of the tail. Let q be the highest
    value below them and β their mean excess over q: beyond q the tail is taken to be exponential,
    P(X ≥ x) = 0.1 · exp(−(x − q) / β), as extreme value theory has it for light tails (Pickands,
    Annals of Statistics 3, 1975, with shape 0). Below it the score is that of the rank, 0 to 1. The
    model's own value is not in the sample, lest an outlier should hide behind its own size.

    Infinite values, where there was nothing to measure, have −log10 of their share.
    """
    scores = np.empty(len(column))
    infinite = np.isinf(column)
    scores[infinite] = -np.log10(infinite.mean()) if infinite.any() else 0.0
    scores[~infinite] = _finite_tails(column[~infinite])
    return scores


def _finite_tails(column: Floats) -> Floats:
    count = len(column)
    order = np.argsort(-column, kind="stable")
    ordered = column[order]
    at_least = np.searchsorted(-ordered, -column, side="right")
    scores: Floats = np.minimum(-np.log10(at_least / max(count, 1)), -np.log10(_TAIL))
    sample = max(1, round(_TAIL * (count - 1)))
    if count < sample + 2:
        return scores
    # The model of rank r ≤ sample has the others of ranks 0 to sample as its tail, all others have
    # ranks 0 to sample − 1, and lie below it.
    top = ordered[: sample + 1]
    bound = ordered[sample + 1]
    scale = np.maximum((top.sum() - top) / sample - bound, _LEAST_SCALE)
    beyond = -np.log10(_TAIL) + (top - bound) / (scale * np.log(10))
    scores[order[: sample + 1]] = np.where(top > bound, beyond, scores[order[: sample + 1]])
    return scores


def combine(tails: Floats) -> Floats:
    """One score a model, (models,), from its tail scores (models, statistics): the largest.

    A poisoned model stands out in one or two statistics, and is ordinary in the rest.
    """
    largest: Floats = tails.max(axis=1)
    return largest


def rank(scores: Floats) -> float:
    """The share of all that score as high as the last one, itself included: its p-value.

    If all models are exchangeable it is at or under α with probability α at most (Vovk, Gammerman
    and Shafer, Algorithmic Learning in a Random World, 2005, proposition 2.8).
    """
    return float((scores >= scores[-1]).mean())
