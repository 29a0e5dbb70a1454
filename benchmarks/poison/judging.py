"""Models judged against clean twins of their kind, and how well that tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.poison.scoring import Scores

Values = NDArray[np.float64]

LEVEL: Final = 0.01
_MAD: Final = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""
_RESAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """``p`` is the combined conformal p-value, ``score`` what it ranks: higher is more suspicious.

    ``by`` is the statistic that stands out furthest, ``classes`` those that it names.
    """

    p: float
    score: float
    by: str
    classes: tuple[int, ...]


class Judge:
    """Each statistic in robust units of the twins, the largest of them, and its rank among theirs.

    A twin is measured in the units of all twins, as a model is: with a hundred twins or more, its
    own part in two medians is less than a rank. A model with a fault has the least p-value.
    """

    def __init__(self, twins: Sequence[Scores], *, trusted: bool) -> None:
        self._trusted = trusted
        of = [self._values(t) for t in twins]
        if not of:
            raise ValueError("twins: one expected at least, none given")
        self.names = tuple(n for n in of[0] if all(n in values for values in of))
        table = np.array([[values[n] for n in self.names] for values in of])
        self._middle = np.median(table, axis=0)
        spread = _MAD * np.median(np.abs(table - self._middle), axis=0)
        self._spread = np.where(spread > 0, spread, 1e-9)
        two_sided = {v.name for t in twins for v in t.values if v.two_sided}
        self._folded = np.array([n in two_sided for n in self.names])
        self._ranks = np.sort([self._units(values).max() for values in of])

    def judge(self, model: Scores) -> Judged:
        """A model of the same kind. A statistic that it lacks is no evidence either way."""
        count = len(self._ranks)
        if model.fault:
            return Judged(1 / (count + 1), float("inf"), model.fault, ())
        units = self._units(self._values(model))
        best = int(units.argmax())
        above = count - int(np.searchsorted(self._ranks, units[best], side="left"))
        classes = next((v.classes for v in model.values if v.name == self.names[best]), ())
        return Judged((1 + above) / (count + 1), float(units[best]), self.names[best], classes)

    def _values(self, model: Scores) -> dict[str, float]:
        return {v.name: v.value for v in model.values if self._trusted or not v.trusted}

    def _units(self, values: dict[str, float]) -> Values:
        """Each statistic in the twins' units, those without a value at minus infinity."""
        given = np.array([values.get(n, -np.inf) for n in self.names])
        units: Values = (given - self._middle) / self._spread
        return np.where(self._folded & np.isfinite(given), np.abs(units), units)


@dataclass(frozen=True, slots=True)
class Area:
    """The area under a ROC curve, with its 95 % interval by the bootstrap."""

    value: float
    low: float
    high: float


def area(clean: Sequence[float], attacked: Sequence[float], *, seed: int = 0) -> Area:
    """The chance that an attacked model scores above a clean one, ties counting half.

    Models of both groups are drawn anew with replacement, `_RESAMPLES` times.
    """
    below, above = np.asarray(clean)[None, :], np.asarray(attacked)[:, None]
    wins = (above > below) + 0.5 * (above == below)
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(len(attacked), [1 / len(attacked)] * len(attacked), _RESAMPLES)
    columns = rng.multinomial(len(clean), [1 / len(clean)] * len(clean), _RESAMPLES)
    drawn = np.einsum("ri,ij,rj->r", rows, wins, columns, optimize=True) / wins.size
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Area(float(wins.mean()), float(low), float(high))


def folded(values: Sequence[float], clean: Sequence[float]) -> list[float]:
    """How far each value lies from the median of the clean ones: for a two-sided statistic."""
    middle = float(np.median(clean))
    return [abs(v - middle) for v in values]
