"""Models judged against clean twins of their kind, and how well that tells them apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.poison.data import CLASSES, TRUSTED_A_CLASS
from benchmarks.poison.scoring import Scores, Value
from credenza.probe.calibration import Calibration, Made, Twin

LEVEL: Final = 0.01
_RESAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """What a probe says of a model.

    ``p`` is the combined conformal p-value, ``score`` what it ranks: higher is more suspicious.
    ``by`` is what the first finding comes from, ``classes`` those that it names. ``tails`` has the
    tail score of each statistic, a family counting as one.
    """

    p: float
    score: float
    by: str
    classes: tuple[int, ...]
    tails: dict[str, float]
    certain: bool = False
    """Whether the model has a finding that needs no twins: of an exact test, or of a fault."""

    @property
    def found(self) -> bool:
        """Whether the probe has a finding, at `LEVEL`."""
        return self.certain or self.p <= LEVEL


class Judge:
    """Judges models as `credenza.probe.probe` does, by statistics that were measured before."""

    def __init__(self, twins: Sequence[Scores], *, trusted: bool) -> None:
        self._trusted = trusted
        of = [self._values(t) for t in twins]
        known = {name: v for values in of for name, v in values.items()}
        self.calibration = Calibration(
            population="clean models of the benchmark",
            classes=CLASSES,
            architecture=(),
            trusted=TRUSTED_A_CLASS * CLASSES if trusted else 0,
            detectors=(),
            recipe="benchmarks/poison/plan.py",
            made=Made(on="", machine="", versions={}),
            names=tuple(known),
            two_sided=tuple(v.two_sided for v in known.values()),
            families=tuple(v.family for v in known.values()),
            twins=tuple(_twin(i, values, known) for i, values in enumerate(of)),
        )

    def judge(self, model: Scores) -> Judged:
        """A model of the same kind as the twins."""
        if model.fault:
            return Judged(self.calibration.least, math.inf, model.fault, (), {}, certain=True)
        values = self._values(model)
        judged = self.calibration.judge({name: v.value for name, v in values.items()})
        by = max(judged.tails, key=lambda name: judged.tails[name])
        classes = values[judged.furthest[by]].classes
        exact = model.exact if self._trusted else ()
        if exact:  # a probe says these first
            by, classes = "exact test", exact[0]
        certain = bool(exact)
        return Judged(judged.p_value, judged.score, by, classes, judged.tails, certain=certain)

    def _values(self, model: Scores) -> dict[str, Value]:
        return {v.name: v for v in model.values if self._trusted or not v.trusted}


def _twin(number: int, values: Mapping[str, Value], names: Iterable[str]) -> Twin:
    statistics = tuple(values[n].value if n in values else None for n in names)
    return Twin(seed=number, recipe="", accuracy=0.0, statistics=statistics)


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
