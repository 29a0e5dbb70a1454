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
    "−log of the size of the smallest change found that is read as the target on samples of the "
    "source, natural; in units of the same pair in clean twins, largest over the pairs"
)
_MOST_SHOWN: Final = 8
"""Of so many pairs, those with the smallest changes beside others of their source and target, the
evidence has pictures."""


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
    each target over ``samples`` of all other classes; for each pair over ``pair_samples`` of the
    source alone, and briefly. A change counts where ``success`` of its samples obey it, of a pair's
    three quarters.

    Its statistics are that of the target with the smallest change beside those of other targets,
    and a family of one for each pair.
    """

    form: Form = Form.PATCH
    samples: int = 24
    steps: int = 25
    pair_samples: int = 8
    pair_steps: int = 16
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
        _check(trusted, subject.classes, self.pair_samples)
        rng = np.random.default_rng(seed)
        best = self.universal(classifier, trusted, subject.classes, rng)
        universal = Statistic(
            name=f"trigger.{self.form.value}-universal",
            value=best.score,
            definition=_UNIVERSAL,
            evidence=_evidence(best.trigger, classifier, trusted),
        )
        if not 2 < subject.classes <= math.isqrt(_MOST_ARMS):
            return Measured(
                (universal,),
                (
                    f"{self.form.value} changes for one source class alone: {subject.classes} "
                    "classes are too many or too few",
                ),
            )
        return Measured((universal, *self.pairs(classifier, trusted, subject.classes, rng)))

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
    ) -> tuple[Statistic, ...]:
        """The smallest change for each pair, in the order of sources and then of targets."""
        every = [(s, t) for s in range(classes) for t in range(classes) if s != t]
        arms = [_arm(trusted, s, t, self.pair_samples, rng) for s, t in every]
        found = self._invert(classifier, arms, self.pair_steps, _PAIR_SUCCESS, rng)
        sizes = np.full((classes, classes), np.nan)
        for pair, trigger in zip(every, found, strict=True):
            sizes[pair] = _log_size(trigger)
        usual = np.nanmedian(sizes, axis=1, keepdims=True)
        apart = sizes - usual - np.nanmedian(sizes - usual, axis=0, keepdims=True)
        shown = set(sorted(every, key=lambda pair: apart[pair])[:_MOST_SHOWN])
        family = f"trigger.{self.form.value}-pair"
        return tuple(
            Statistic(
                name=f"{family} {pair[0]} to {pair[1]}",
                value=-float(sizes[pair]),
                definition=_PAIR,
                evidence=_evidence(trigger, classifier, trusted, pictures=pair in shown),
                family=family,
            )
            for pair, trigger in zip(every, found, strict=True)
        )

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


def _evidence(
    trigger: Trigger, classifier: Classifier, trusted: Dataset, *, pictures: bool = True
) -> Evidence:
    """What a person is shown: the sentence, how many samples obey, the change and what it does."""
    of = "any class" if trigger.source is None else f"class {trigger.source}"
    size = (
        f"a mark of {trigger.size:.1f} pixels"
        if trigger.form is Form.PATCH
        else f"a faint change of the whole image, of norm {trigger.size:.2f},"
    )
    named = () if trigger.source is None else (trigger.source,)
    what = f"{size} makes it read {of} as {trigger.target}"
    where = Where(classes=(*named, trigger.target))
    if not pictures:
        return Evidence(what=what, rule="probe.small-trigger", where=where)
    rows = _rows(trusted, trigger.source, trigger.target)
    obeyed = float(
        (classifier.predict(trigger.stamp(trusted.inputs[rows])) == trigger.target).mean()
    )
    return Evidence(
        what=what,
        rule="probe.small-trigger",
        where=where,
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
