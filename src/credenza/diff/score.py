"""How much a change of a whole model looks like one made by hand: the figures of a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.diff.change import Change

FEATURES: Final = (
    "log10 of the share of all elements that changed",
    "top singular energy",
    "energy in the two rows with most, above that of even rows",
    "Gini of the absolute changes",
    "log10 of the largest change / the root mean square of its tensor",
    "changes that a conversion, a quantisation or pruning explains exactly",
)
"""What the score is of. The second to fourth are means over tensors, weighted by how far each
moved against its own size, ‖Δ‖²/‖old‖²."""


def features(changes: Sequence[Change], explained: bool, elements: int) -> NDArray[np.float64]:
    """The figures of `FEATURES`, (6,), of one change or more in a model of ``elements``.

    ``explained`` says whether each change is of a kind that is known exactly.
    """
    weights = np.array([min(c.relative, 1e6) ** 2 for c in changes])
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(changes), 1.0)
    weights = weights / weights.sum()
    mean = [
        float(weights @ np.array([of(c) for c in changes]))
        for of in (_top_singular, _top_rows, lambda c: c.gini)
    ]
    share = max(1, sum(c.changed for c in changes)) / max(1, elements)
    return np.array(
        [math.log10(share), *mean, max(map(_farthest, changes)), 1.0 if explained else 0.0]
    )


def _top_singular(change: Change) -> float:
    """1 where there is none: a change to NaN or infinity is as concentrated as one can be."""
    if change.non_finite > 0:
        return 1.0
    return change.spectrum.top_share if change.spectrum else 0.0


def _top_rows(change: Change) -> float:
    if change.rows <= 2:
        return 0.0
    even = 2 / change.rows
    return max(0.0, (change.top_rows - even) / (1 - even))


def _farthest(change: Change) -> float:
    """Within -6 to 6, so that an infinity does not outweigh all else."""
    if change.non_finite > 0:
        return 6.0
    scale = math.sqrt(change.old_energy / change.size)
    ratio = change.largest / scale if scale else 1.0
    return max(-6.0, min(6.0, math.log10(max(ratio, 1e-6))))
