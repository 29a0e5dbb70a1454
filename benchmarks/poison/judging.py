"""Models judged against clean twins of their kind, and how well that tells them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.poison.scoring import Scores, Value
from credenza.probe.calibration import Calibration, Twin
from credenza.probe.subject import Evidence, Statistic

LEVEL: Final = 0.01
_RESAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """What a probe says of a model.

    ``p`` is the combined conformal p-value, ``score`` what it ranks: higher is more suspicious.
    ``classes`` are those of the finding that comes first, ``by`` what found it.
    """

    p: float
    score: float
    by: str
    classes: tuple[int, ...]
    exact: bool = False
    """Whether the model has a finding that needs no twins: an exact test's, or of a fault."""

    @property
    def found(self) -> bool:
        """Whether the probe has a finding, at `LEVEL`."""
        return self.exact or self.p <= LEVEL


class Judge:
    """Judges models as `credenza.probe.probe` does, by statistics that were measured before."""

    def __init__(self, twins: Sequence[Scores], *, trusted: bool) -> None:
        self._trusted = trusted
        of = [{v.name: v for v in self._values(t)} for t in twins]
        common = [v for v in of[0].values() if all(v.name in values for values in of)] if of else []
        self.calibration = Calibration(
            population="clean models of the benchmark",
            architecture="",
            detectors=(),
            made="",
            names=tuple(v.name for v in common),
            two_sided=tuple(v.two_sided for v in common),
            twins=tuple(
                Twin(i, "", 0.0, tuple(values[v.name].value for v in common))
                for i, values in enumerate(of)
            ),
        )

    def judge(self, model: Scores) -> Judged:
        """A model of the same kind as the twins."""
        if model.fault:
            return Judged(self.calibration.least, math.inf, model.fault, (), exact=True)
        values = {v.name: v for v in self._values(model)}
        judged = self.calibration.judge([_statistic(v) for v in values.values()])
        by = max(judged.tails, key=lambda name: judged.tails[name])
        classes = values[by].classes
        exact = model.exact if self._trusted else ()
        if exact:  # a probe says these first
            by, classes = "exact test", exact[0]
        return Judged(judged.p_value, judged.score, by, classes, exact=bool(exact))

    def _values(self, model: Scores) -> list[Value]:
        return [v for v in model.values if self._trusted or not v.trusted]


def _statistic(value: Value) -> Statistic:
    return Statistic(
        name=value.name,
        value=value.value,
        definition="",
        evidence=Evidence(what=""),
        two_sided=value.two_sided,
    )


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
