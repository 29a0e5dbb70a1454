"""Trusted samples, read: is one class taken for another more often than honest mistakes explain?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from credenza.dataset import Dataset, IntArray
from credenza.errors import InputError
from credenza.findings import Figure, Finding, Severity, Where
from credenza.probe.slices import shapes
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject
from credenza.rates import interval

_MISREAD: Final = (
    "largest −log10 P(X ≥ hits) over pairs of classes, X binomial (samples of the class, honest)"
)
_SLICE: Final = "the same over pairs of classes in each slice: labelled, or by the image's shape"
_RECALL: Final = "log odds of a misread (0.5 added to each count): worst class less median class"


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

    `exact` gives a finding, which needs no clean twin, where the share is above ``honest`` for
    certain: where the exact lower bound of Clopper and Pearson (`credenza.rates`) is, at a
    confidence that holds for all that is tested at once (Bonferroni). A model that reads no more
    than ``honest`` of any class as any other has a finding with probability 1 − ``confidence`` at
    most.

    ``slices`` are labels of the trusted samples, one a sample (its writer, device, branch): each
    class is then also tested in each slice, and pays for it in the same confidence. Slices by the
    shape of the image (`credenza.probe.slices`) go into a statistic only, since an honest model
    may well misread most of a rare kind of writing.
    """

    honest: float = 0.05
    confidence: float = 0.99
    slices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (0 < self.honest < 1 and 0 < self.confidence < 1):
            raise InputError(
                f"canaries: an honest share and a confidence between 0 and 1 expected, "
                f"{self.honest} and {self.confidence} given"
            )

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.ANSWERS, Need.TRUSTED})

    @property
    def covers(self) -> str:
        return f"trusted samples of each class: is more than {self.honest:.0%} read as another?"

    @property
    def blind(self) -> tuple[str, ...]:
        return (
            f"a class of which up to {self.honest:.0%} is read as another",
            "a misread that only inputs with a mark show, or inputs of a kind that is not among "
            "the trusted samples (one writer, one device)",
        )

    def measure(self, subject: Subject, *, seed: int) -> Measured:  # noqa: ARG002  nothing drawn
        trusted, read = self._read(subject)
        whole = _flow(trusted.labels, read, subject.classes)
        parts = [self._worst(_flow(trusted.labels, read, subject.classes))]
        for name, rows in self._groups(trusted, computed=True):
            flow = _flow(trusted.labels[rows], read[rows], subject.classes)
            parts.append(self._worst(flow, f" in the slice {name}"))
        return Measured(
            statistics=(
                _statistic("canaries.misread", parts[0], _MISREAD),
                _statistic(
                    "canaries.slice", max(parts[1:] or parts, key=lambda w: w.value), _SLICE
                ),
                _statistic("canaries.recall", _recall(whole), _RECALL),
            )
        )

    def exact(self, subject: Subject) -> tuple[Finding, ...]:
        """What is misread for certain, the largest share first. It holds without clean twins.

        Raises `InputError` where a class has so few samples that nothing could be found.
        """
        trusted, read = self._read(subject)
        groups = self._groups(trusted, computed=False)
        tests = self._tests(subject.classes, len(groups))
        whole = _flow(trusted.labels, read, subject.classes)
        found = self._findings(whole, tests, "")
        for name, rows in groups:
            flow = _flow(trusted.labels[rows], read[rows], subject.classes)
            found += self._findings(flow, tests, f" in the slice {name}")
        return tuple(sorted(found, key=lambda f: -f.figures[0].value))

    def figures(self, subject: Subject) -> tuple[Figure, ...]:
        """The share of trusted samples read right, and what `exact` can find, for the report."""
        trusted, read = self._read(subject)
        flow = _flow(trusted.labels, read, subject.classes)
        return self._figures(int(flow.sum(axis=1).min()), flow)

    def fails_from(self, samples: int, classes: int) -> int:
        """How many of ``samples`` have to be misread as one class for a finding.

        ``samples + 1`` where even all of them are not enough.
        """
        return self._fails_from(samples, self._tests(classes, len(set(self.slices))))

    def power(self, misread: float, samples: int, classes: int) -> float:
        """The probability of a finding where that share of a class is read as one other: exact."""
        return _at_least(self.fails_from(samples, classes), samples, misread)

    def _read(self, subject: Subject) -> tuple[Dataset, IntArray]:
        """The trusted samples, and as what each is read. Raises `InputError` for too few."""
        trusted, box = subject.trusted, subject.classifier or subject.box
        if trusted is None or box is None:
            raise InputError("canaries: answers and trusted samples expected, none given")
        if self.slices and len(self.slices) != len(trusted):
            raise InputError(
                f"canaries: a slice for each of {len(trusted)} trusted samples expected, "
                f"{len(self.slices)} given"
            )
        fewest = int(np.bincount(trusted.labels, minlength=subject.classes).min())
        if self.fails_from(fewest, subject.classes) > fewest:
            raise InputError(
                f"canaries: more trusted samples of each class expected, a class has {fewest}: "
                "even if all of them were misread, it would prove nothing"
            )
        return trusted, box.logits(trusted.inputs).argmax(axis=1)

    def _groups(self, trusted: Dataset, *, computed: bool) -> list[tuple[str, IntArray]]:
        labels = np.array(self.slices)
        given = [(str(name), np.flatnonzero(labels == name)) for name in np.unique(labels)]
        return given + (list(shapes(trusted)) if computed else [])

    def _tests(self, classes: int, groups: int) -> int:
        return classes * (classes - 1) * (1 + groups)

    def _fails_from(self, samples: int, tests: int) -> int:
        left = (1 - self.confidence) / tests
        for k in range(samples, -1, -1):
            left -= _exactly(k, samples, self.honest)
            if left < 0:
                return k + 1
        raise AssertionError("the probabilities of all outcomes sum to 1")  # pragma: no cover

    def _worst(self, flow: IntArray, where: str = "") -> _Worst:
        """The pair whose misread is least likely at the honest share."""
        totals, off = flow.sum(axis=1), flow - np.diag(np.diag(flow))
        worst = _Worst(0.0, "no trusted sample is misread", ())
        for s, d in np.argwhere(off).tolist():
            hits, samples = int(off[s, d]), int(totals[s])
            value = -math.log10(max(_at_least(hits, samples, self.honest), 1e-300))
            if value > worst.value:
                what = f"{hits} of {samples} trusted samples of class {s}{where} are read as {d}"
                worst = _Worst(value, what, (s, d))
        return worst

    def _findings(self, flow: IntArray, tests: int, where: str) -> list[Finding]:
        totals = flow.sum(axis=1)
        return [
            self._finding(s, d, flow, tests, where)
            for s, d in np.argwhere(flow).tolist()
            if s != d and flow[s, d] >= self._fails_from(int(totals[s]), tests)
        ]

    def _finding(
        self, source: int, read_as: int, flow: IntArray, tests: int, where: str
    ) -> Finding:
        hits, samples = int(flow[source, read_as]), int(flow[source].sum())
        confidence = 1 - 2 * (1 - self.confidence) / tests  # two-sided: its lower end is one-sided
        low, high = interval(hits, samples)
        certain = interval(hits, samples, confidence)[0]
        return Finding(
            rule="probe.misread-class",
            severity=Severity.CRITICAL,
            what=f"{hits} of {samples} trusted samples of class {source}{where} are read as "
            f"{read_as}",
            where=Where(classes=(source, read_as)),
            expected=f"{self.honest:.0%} or less",
            found=f"{certain:.1%} or more, at {self.confidence:.0%} confidence over all pairs",
            figures=(
                Figure(
                    name=f"share of class {source}{where} read as {read_as}",
                    value=hits / samples,
                    low=low,
                    high=high,
                    definition="trusted samples of the one class that the model reads as the other",
                ),
            ),
        )

    def _figures(self, fewest: int, flow: IntArray) -> tuple[Figure, ...]:
        read_right = int(np.trace(flow))
        total = int(flow.sum())
        low, high = interval(read_right, total)
        power = [
            Figure(
                name=f"power against a misread of {misread:.0%}",
                value=self.power(misread, fewest, len(flow)),
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


@dataclass(frozen=True, slots=True)
class _Worst:
    value: float
    what: str
    classes: tuple[int, ...]


def _statistic(name: str, worst: _Worst, definition: str) -> Statistic:
    evidence = Evidence(
        what=worst.what, rule="probe.misread-class", where=Where(classes=worst.classes)
    )
    return Statistic(name=name, value=worst.value, definition=definition, evidence=evidence)


def _flow(labels: IntArray, read: IntArray, classes: int) -> IntArray:
    """How many of each class (row) are read as each (column)."""
    flow = np.zeros((classes, classes), np.int64)
    np.add.at(flow, (labels, read), 1)
    return flow


def _recall(flow: IntArray) -> _Worst:
    """How much more often the worst class is misread than the class in the middle."""
    right = np.diag(flow)
    odds = np.log((flow.sum(axis=1) - right + 0.5) / (right + 0.5))
    worst = int(odds.argmax())
    value = float(odds[worst] - np.median(odds))
    wrong = flow[worst].copy()
    wrong[worst] = 0
    if not wrong.any():
        return _Worst(value, "no trusted sample is misread", ())
    what = f"{wrong.sum()} of {flow[worst].sum()} trusted samples of class {worst} are misread"
    return _Worst(value, what, (worst, int(wrong.argmax())))


def _at_least(k: int, n: int, p: float) -> float:
    """P(X ≥ k) for X binomial (n, p), by its sum; 0 where k > n."""
    return min(1.0, math.fsum(_exactly(i, n, p) for i in range(k, n + 1)))


def _exactly(k: int, n: int, p: float) -> float:
    """P(X = k) for X binomial (n, p), 0 < p < 1."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))
