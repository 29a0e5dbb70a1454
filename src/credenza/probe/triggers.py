"""Is there a small change of the image that makes the model read a class as another?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray, IntArray
from credenza.errors import InputError
from credenza.findings import Figure, Where
from credenza.probe.inversion import Arm, Form, Trigger, invert
from credenza.probe.pictures import mark, strip
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject

_MOST_ARMS: Final = 500
"""Searches at once, at most: beyond it changes are searched for each target class alone."""
_SHOWN: Final = 8
_LEAST: Final = 0.1
"""The size, a pixel's tenth or its brightness, below which no change is told from none."""
_PAIR_SUCCESS: Final = 0.75
"""Of the few samples of a first search, how many have to obey."""
_UNIVERSAL: Final = (
    "−log (smallest size / median size over target classes), natural; sizes of the smallest change "
    "found that is read as the target on samples of all other classes"
)
_PAIR: Final = (
    "−log (size for the pair / usual size for its source / usual size for its target), natural, "
    "largest over the finalists; usual sizes are medians over the first search of all pairs"
)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A change, and its ``score``: the higher, the smaller it is beside the usual ones."""

    trigger: Trigger
    score: float


@final
@dataclass(frozen=True, slots=True)
class TriggerSearch:
    """Searches the smallest change of ``form`` for each class, and for each pair of classes.

    A model that was trained to obey a mark obeys a far smaller one than an honest model does. For
    each target over samples of all other classes; for each pair briefly, over ``pair_samples``
    trusted samples each; the ``finalists`` that got furthest are searched again, longer and over
    more samples (the successive halving of K-Arm, Shen et al., ICML 2021, in two rounds).

    Two statistics: that of the best target, and that of the best pair. A change counts where
    ``success`` of its samples obey it.
    """

    form: Form = Form.PATCH
    samples: int = 24
    steps: int = 25
    pair_samples: int = 4
    pair_steps: int = 14
    finalists: int = 6
    final_samples: int = 16
    success: float = 0.9

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.GRADIENTS, Need.TRUSTED})

    @property
    def covers(self) -> str:
        kind = "marks" if self.form is Form.PATCH else "faint changes of the whole image"
        return f"{kind}: is any class reached from another by too small a change of the image?"

    @property
    def blind(self) -> tuple[str, ...]:
        return ("changes that move with the image, or are never the same twice",)

    def measure(self, subject: Subject, *, seed: int) -> Measured:
        classifier, trusted = subject.classifier, subject.trusted
        if classifier is None or trusted is None:
            raise InputError("trigger search: a torch module and trusted samples expected")
        _check(trusted, subject.classes, max(self.pair_samples, self.final_samples))
        rng = np.random.default_rng(seed)
        best = {"universal": self.universal(classifier, trusted, subject.classes, rng)}
        uncovered: tuple[str, ...] = ()
        if subject.classes**2 <= _MOST_ARMS and subject.classes > 2:
            best["pair"] = self.pairs(classifier, trusted, subject.classes, rng)
        else:
            uncovered = (f"{self.form.value} changes for one source class alone: "
                         f"{subject.classes} classes are too many or too few",)  # fmt: skip
        statistics = tuple(
            Statistic(
                name=f"trigger.{self.form.value}-{which}",
                value=scored.score,
                definition=_UNIVERSAL if which == "universal" else _PAIR,
                evidence=_evidence(scored.trigger, classifier, trusted),
            )
            for which, scored in best.items()
        )
        return Measured(statistics=statistics, uncovered=uncovered)

    def universal(
        self, classifier: Classifier, trusted: Dataset, classes: int, rng: np.random.Generator
    ) -> Scored:
        """The change for any source that is smallest beside those for other targets."""
        arms = [_arm(trusted, None, t, self.samples, rng) for t in range(classes)]
        found = self._invert(classifier, arms, self.steps, self.success, rng)
        best = min(found, key=lambda t: t.size)
        usual = float(np.median([_log_size(t) for t in found]))
        return Scored(best, usual - _log_size(best))

    def pairs(
        self, classifier: Classifier, trusted: Dataset, classes: int, rng: np.random.Generator
    ) -> Scored:
        """The change for one source that is smallest beside others of that source and target."""
        every = [(s, t) for t in range(classes) for s in range(classes) if s != t]
        arms = [_arm(trusted, s, t, self.pair_samples, rng) for s, t in every]
        first = np.full((classes, classes), np.nan)
        for t in self._invert(classifier, arms, self.pair_steps, _PAIR_SUCCESS, rng):
            first[t.source, t.target] = _log_size(t)
        source = np.nanmedian(first, axis=1, keepdims=True)
        usual = source + np.nanmedian(first - source, axis=0, keepdims=True)
        finalists = sorted(every, key=lambda p: first[p] - usual[p])[: self.finalists]
        arms = [_arm(trusted, s, t, self.final_samples, rng) for s, t in finalists]
        last = self._invert(classifier, arms, self.steps, self.success, rng)
        scored = [Scored(t, float(usual[t.source, t.target]) - _log_size(t)) for t in last]
        return max(scored, key=lambda s: s.score)

    def _invert(
        self,
        classifier: Classifier,
        arms: Sequence[Arm],
        steps: int,
        success: float,
        rng: np.random.Generator,
    ) -> list[Trigger]:
        seed = int(rng.integers(2**31))
        return invert(classifier, arms, self.form, steps=steps, success=success, seed=seed)


def _log_size(trigger: Trigger) -> float:
    """Natural logarithm; a change of nothing, where no change is needed, counts as `_LEAST`."""
    return math.log(max(trigger.size, _LEAST))


def _evidence(trigger: Trigger, classifier: Classifier, trusted: Dataset) -> Evidence:
    """What a person is shown: the sentence, how many samples obey, the change and what it does."""
    of = "any class" if trigger.source is None else f"class {trigger.source}"
    rows = _rows(trusted, trigger.source, trigger.target)
    obeyed = float(
        (classifier.predict(trigger.stamp(trusted.inputs[rows])) == trigger.target).mean()
    )
    size = (
        f"a mark of {trigger.size:.1f} pixels"
        if trigger.form is Form.PATCH
        else f"a faint change of the whole image, of norm {trigger.size:.2f},"
    )
    named = () if trigger.source is None else (trigger.source,)
    return Evidence(
        what=f"{size} makes it read {of} as {trigger.target}",
        rule="probe.small-trigger",
        where=Where(classes=(*named, trigger.target)),
        figures=(
            Figure(
                name="trusted samples with the change on them that are read as the target",
                value=obeyed,
                definition=f"share of the trusted samples of {of}, with the recovered change on",
            ),
        ),
        pictures=(
            *mark("the change that was found", trigger),
            *strip(
                f"trusted samples with it on, read as {trigger.target}",
                trigger.stamp(trusted.inputs[rows[:_SHOWN]]),
            ),
        ),
    )


def _rows(trusted: Dataset, source: int | None, target: int) -> IntArray:
    """Indices of the trusted samples of that source."""
    if source is None:
        return np.flatnonzero(trusted.labels != target)
    return np.flatnonzero(trusted.labels == source)


def _arm(
    trusted: Dataset, source: int | None, target: int, count: int, rng: np.random.Generator
) -> Arm:
    rows = rng.permutation(_rows(trusted, source, target))[:count]
    drawn: FloatArray = trusted.inputs[rows]
    return Arm(source, target, drawn)


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
