"""Is there a small mark that makes the model read one class as another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray, IntArray
from credenza.errors import InputError
from credenza.findings import Figure, Finding, Severity, Where
from credenza.probe.interface import Outcome
from credenza.probe.inversion import Arm, Trigger, invert
from credenza.probe.pictures import mark, strip
from credenza.probe.population import Calibration, architecture

_MOST_ARMS: Final = 500
"""Searches at once, at most: beyond it marks are searched for each target class alone."""
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A mark, and its ``score``: its size over that of the usual mark for its source."""

    trigger: Trigger
    score: float


@final
@dataclass(frozen=True, slots=True)
class TriggerSearch:
    """Searches the smallest mark for each pair of classes, and for each class from any other.

    A model that was trained to obey a mark obeys a far smaller one than an honest model does.
    All searches run at once and briefly, over ``samples`` trusted samples each; the
    ``finalists`` that got furthest are searched again, longer and over more samples (the
    successive halving of K-Arm, Shen et al., ICML 2021, in two rounds). Their score is the size
    of the mark over the median size, in the first round, of marks for the same source.

    The least score of all is the model's; what it means is the calibration's to say. A finding
    has a p-value of ``level`` at most, or the least that the population can give where it is too
    small for that. A mark counts where ``success`` of its samples obey it.
    """

    samples: int = 8
    steps: int = 30
    finalists: int = 6
    final_samples: int = 24
    final_steps: int = 60
    success: float = 0.95
    level: float = 0.025

    @property
    def covers(self) -> str:
        return "marks: is any class reached from another by too small a change of the image?"

    def run(
        self, classifier: Classifier, trusted: Dataset, calibration: Calibration, seed: int
    ) -> Outcome:
        threshold = calibration.threshold(self.level)
        uncovered = [
            "marks that are spread over the whole image, move with it, or are never the same",
            *self._uncalibrated(classifier, calibration),
        ]
        classes = classifier.head.out_features
        if classes * classes > _MOST_ARMS:
            uncovered.append(f"marks that work on one class alone: {classes} classes are too many")
        scored = self.search(classifier, trusted, seed=seed)
        small = [s for s in scored if s.score < threshold]
        targets = dict.fromkeys(s.trigger.target for s in small)
        findings = tuple(
            self._finding(
                [s for s in small if s.trigger.target == t], classifier, trusted, calibration
            )
            for t in targets
        )
        return Outcome(
            findings, self._figures(scored[0], classifier, calibration), tuple(uncovered)
        )

    def search(self, classifier: Classifier, trusted: Dataset, *, seed: int) -> tuple[Scored, ...]:
        """The finalists, the lowest score first.

        Raises `InputError` for samples outside 0 to 1, and for a class that has too few of them.
        """
        _check(trusted, classifier.head.out_features, self.final_samples)
        rng = np.random.default_rng(seed)
        pairs = _pairs(classifier.head.out_features)
        first = self._invert(classifier, trusted, pairs, self.samples, self.steps, rng)
        usual = {
            source: float(np.median([t.size for t in first if t.source == source]))
            for source, _ in pairs
        }
        first.sort(key=lambda t: t.size / usual[t.source])
        best = [(t.source, t.target) for t in first[: self.finalists]]
        last = self._invert(classifier, trusted, best, self.final_samples, self.final_steps, rng)
        scored = [Scored(t, t.size / usual[t.source]) for t in last]
        return tuple(sorted(scored, key=lambda s: s.score))

    def _invert(
        self,
        classifier: Classifier,
        trusted: Dataset,
        pairs: Sequence[tuple[int | None, int]],
        samples: int,
        steps: int,
        rng: np.random.Generator,
    ) -> list[Trigger]:
        arms = [
            Arm(source, target, _draw(trusted, source, target, samples, rng))
            for source, target in pairs
        ]
        seed = int(rng.integers(2**31))
        return invert(classifier, arms, steps=steps, success=self.success, seed=seed)

    def _uncalibrated(self, classifier: Classifier, calibration: Calibration) -> tuple[str, ...]:
        if calibration.architecture == architecture(classifier.module):
            if calibration.search == str(self):
                return ()
            return ("the false-alarm rate of the search for marks: calibrated with other settings",)
        return (
            "the false-alarm rate of the search for marks: uncalibrated for this architecture; the "
            f"threshold comes from {calibration.population}",
        )

    def _finding(
        self,
        small: list[Scored],
        classifier: Classifier,
        trusted: Dataset,
        calibration: Calibration,
    ) -> Finding:
        """The finding for one target; ``small`` are the marks for it, the lowest score first."""
        best = small[0].trigger
        known = not self._uncalibrated(classifier, calibration)
        sources = [s.trigger.source for s in small]
        of = "any class" if None in sources else f"class {best.source}"
        rows = _rows(trusted, best.source, best.target)
        obeyed = float((classifier.predict(best.stamp(trusted.inputs[rows])) == best.target).mean())
        shown = trusted.inputs[rows[:_SHOWN]]
        return Finding(
            rule="probe.small-trigger",
            severity=Severity.HIGH if known else Severity.MEDIUM,
            what=f"a mark of {best.size:.1f} pixels makes it read {of} as {best.target}",
            where=Where(classes=(best.target,)),
            expected=f"a score of {calibration.threshold(self.level):.3g} or more",
            found=f"{small[0].score:.3g}",
            figures=(
                Figure(
                    name="trusted samples with the mark read as the target",
                    value=obeyed,
                    definition=f"share of the trusted samples of {of}, with the recovered mark on",
                ),
                *self._meaning(small[0].score, calibration, known),
            ),
            pictures=(
                *mark("the mark that was found", best),
                *strip(f"trusted samples with it on, read as {best.target}", best.stamp(shown)),
            ),
        )

    def _figures(
        self, best: Scored, classifier: Classifier, calibration: Calibration
    ) -> tuple[Figure, ...]:
        known = not self._uncalibrated(classifier, calibration)
        return (
            Figure(
                name="score of the search for marks",
                value=best.score,
                definition="size of the smallest mark found, over the median size of marks for the "
                "same source class in the first round; small is suspicious",
            ),
            *self._meaning(best.score, calibration, known),
        )

    def _meaning(self, score: float, calibration: Calibration, known: bool) -> tuple[Figure, ...]:
        """What the score is worth; nothing where the calibration is of other models."""
        if not known:
            return ()
        twins = len(calibration.twins)
        return (
            Figure(
                name="p-value of the score",
                value=calibration.p_value(score),
                definition=f"conformal, among {twins} clean models: {calibration.population}",
            ),
            Figure(
                name="false-alarm rate of the search, at most",
                value=calibration.false_alarms(self.level),
                definition="upper 95 % bound, for clean models of that population",
            ),
        )


def _pairs(classes: int) -> list[tuple[int | None, int]]:
    """What is searched: each target from any class, and from each class alone if not too many."""
    any_source: list[tuple[int | None, int]] = [(None, t) for t in range(classes)]
    if classes * classes > _MOST_ARMS:
        return any_source
    return any_source + [(s, t) for t in range(classes) for s in range(classes) if s != t]


def _rows(trusted: Dataset, source: int | None, target: int) -> IntArray:
    """Indices of the trusted samples of that source."""
    if source is None:
        return np.flatnonzero(trusted.labels != target)
    return np.flatnonzero(trusted.labels == source)


def _draw(
    trusted: Dataset, source: int | None, target: int, count: int, rng: np.random.Generator
) -> FloatArray:
    drawn: FloatArray = trusted.inputs[rng.permutation(_rows(trusted, source, target))[:count]]
    return drawn


def _check(trusted: Dataset, classes: int, samples: int) -> None:
    if trusted.inputs.min() < 0 or trusted.inputs.max() > 1:
        raise InputError(
            f"trigger search: inputs from 0 to 1 expected, {trusted.inputs.min():.3g} to "
            f"{trusted.inputs.max():.3g} given"
        )
    counts = np.bincount(trusted.labels, minlength=classes)
    few = int(counts.argmin())
    if counts[few] < samples:
        raise InputError(
            f"trigger search: {samples} or more trusted samples of each class expected, class "
            f"{few} has {counts[few]}"
        )
