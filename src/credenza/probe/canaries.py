"""Trusted samples, read: is one class taken for another more often than honest mistakes explain?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from credenza.classifier import Classifier
from credenza.dataset import Dataset, IntArray
from credenza.errors import InputError
from credenza.findings import Figure, Finding, Severity, Where
from credenza.probe.interface import Outcome
from credenza.probe.population import Calibration
from credenza.rates import interval


def canaries_needed(misread: float, power: float = 0.95) -> int:
    """Samples of a class of which one at least is misread with probability ``power``.

    1 − (1 − misread)ⁿ ≥ power: 29 samples for a misread of 10 %, 59 for 5 %, 299 for 1 %. That is
    the rule of a model that never errs; `ConfusionCanaries.power` is that of one that does.

    Raises `InputError` unless both lie between 0 and 1.
    """
    if not (0 < misread < 1 and 0 < power < 1):
        raise InputError(
            f"canaries: a misread and a power between 0 and 1 expected, {misread}, {power} given"
        )
    return math.ceil(math.log1p(-power) / math.log1p(-misread))


@final
@dataclass(frozen=True, slots=True)
class ConfusionCanaries:
    """For each pair of classes: which share of the one is read as the other?

    A finding where the share is above ``honest`` for certain: where the exact lower bound of
    Clopper and Pearson (`credenza.rates`) is, at a confidence that holds for all pairs at once
    (Bonferroni). A model that reads no more than ``honest`` of any class as any other has a
    finding with probability 1 − ``confidence`` at most.
    """

    honest: float = 0.05
    confidence: float = 0.99

    def __post_init__(self) -> None:
        if not (0 < self.honest < 1 and 0 < self.confidence < 1):
            raise InputError(
                f"canaries: an honest share and a confidence between 0 and 1 expected, "
                f"{self.honest} and {self.confidence} given"
            )

    @property
    def covers(self) -> str:
        return f"trusted samples of each class: is more than {self.honest:.0%} read as another?"

    def run(
        self,
        classifier: Classifier,
        trusted: Dataset,
        calibration: Calibration,  # noqa: ARG002  the bounds are exact without one
        seed: int,  # noqa: ARG002  nothing is drawn
    ) -> Outcome:
        logits = classifier.logits(trusted.inputs)
        classes = logits.shape[1]
        flow = np.zeros((classes, classes), np.int64)
        np.add.at(flow, (trusted.labels, logits.argmax(axis=1)), 1)
        fewest = int(flow.sum(axis=1).min())
        if self.fails_from(fewest, classes) > fewest:
            raise InputError(
                f"canaries: more trusted samples of each class expected, a class has {fewest}: "
                "even if all of them were misread, it would prove nothing"
            )
        pairs = ((s, d) for s in range(classes) for d in range(classes) if s != d)
        found = [self._finding(s, d, flow) for s, d in pairs if self._fails(s, d, flow)]
        found.sort(key=lambda f: -f.figures[0].value)
        return Outcome(tuple(found), self._figures(fewest, classes, flow), self._uncovered())

    def fails_from(self, samples: int, classes: int) -> int:
        """How many of ``samples`` have to be misread as one class for a finding.

        ``samples + 1`` where even all of them are not enough.
        """
        left = self._level(classes)
        for k in range(samples, -1, -1):
            left -= _exactly(k, samples, self.honest)
            if left < 0:
                return k + 1
        raise AssertionError("the probabilities of all outcomes sum to 1")  # pragma: no cover

    def power(self, misread: float, samples: int, classes: int) -> float:
        """The probability of a finding where that share of a class is read as one other: exact."""
        return _at_least(self.fails_from(samples, classes), samples, misread)

    def _level(self, classes: int) -> float:
        return (1 - self.confidence) / (classes * (classes - 1))

    def _fails(self, source: int, read_as: int, flow: IntArray) -> bool:
        samples = int(flow[source].sum())
        return bool(flow[source, read_as] >= self.fails_from(samples, len(flow)))

    def _finding(self, source: int, read_as: int, flow: IntArray) -> Finding:
        hits, samples = int(flow[source, read_as]), int(flow[source].sum())
        confidence = 1 - 2 * self._level(len(flow))  # two-sided: its lower end is one-sided
        low, high = interval(hits, samples)
        certain = interval(hits, samples, confidence)[0]
        return Finding(
            rule="probe.misread-class",
            severity=Severity.CRITICAL,
            what=f"{hits} of {samples} trusted samples of class {source} are read as {read_as}",
            where=Where(classes=(source, read_as)),
            expected=f"{self.honest:.0%} or less",
            found=f"{certain:.1%} or more, at {self.confidence:.0%} confidence over all pairs",
            figures=(
                Figure(
                    name=f"share of class {source} read as {read_as}",
                    value=hits / samples,
                    low=low,
                    high=high,
                    definition="trusted samples of the one class that the model reads as the other",
                ),
            ),
        )

    def _figures(self, fewest: int, classes: int, flow: IntArray) -> tuple[Figure, ...]:
        read_right = int(np.trace(flow))
        total = int(flow.sum())
        low, high = interval(read_right, total)
        power = [
            Figure(
                name=f"power against a misread of {misread:.0%}",
                value=self.power(misread, fewest, classes),
                definition=f"probability of a finding with {fewest} samples of the class, if that "
                f"share of it is read as one other: exact, for this rule ({fewest} is the number "
                "of the class that has the fewest)",
            )
            for misread in (0.1, 0.2, 0.5)
        ]
        right = Figure(
            name="trusted samples read right",
            value=read_right / total,
            low=low,
            high=high,
            definition="share of all trusted samples",
        )
        return (right, *power)

    def _uncovered(self) -> tuple[str, ...]:
        return (
            f"a class of which up to {self.honest:.0%} is read as another",
            "a misread that only inputs with a mark show, or inputs of a kind that is not among "
            "the trusted samples (one writer, one device)",
        )


def _at_least(k: int, n: int, p: float) -> float:
    """P(X ≥ k) for X binomial (n, p), by its sum; 0 where k > n."""
    return min(1.0, math.fsum(_exactly(i, n, p) for i in range(k, n + 1)))


def _exactly(k: int, n: int, p: float) -> float:
    """P(X = k) for X binomial (n, p), 0 < p < 1."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))
