"""Run detectors over a data set and say which of its samples were altered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.audit import conformal
from credenza.audit.common import bearers
from credenza.audit.interface import Detector, Scores, Values
from credenza.audit.pictures import difference, drawable, strip
from credenza.classifier import Classifier, Dataset, IntArray
from credenza.errors import InputError
from credenza.findings import Figure, Finding, Picture, Report, Severity, Where

_FOLDS: Final = 5
_SHOWN: Final = 8
"""Samples that a finding shows as pictures."""

_UNCOVERED: Final = (
    "samples whose label is right and whose image was altered so that it still looks like it "
    "(clean-label poison)",
    "an alteration that the trusted samples bear too: they are taken to be right",
    "samples that were removed, and honest samples that were added to shift the balance",
)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """What an audit came to.

    ``flagged`` are the indices of the samples that a finding names, ascending: train on the
    others. ``p_values`` (m,) holds one for each sample: how likely an honest one is to look as
    altered as this. Many honest samples have a small one by chance, which is why a sample is
    flagged only where there are more such samples than chance explains, or where it bears what
    those have in common.
    """

    report: Report
    flagged: tuple[int, ...]
    p_values: Values


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """Which samples look altered at the level that was asked for, and like which class."""

    data: Dataset
    trusted: Dataset
    p_values: Values
    odd: Mask
    resemble: IntArray
    trusted_odd: Mask
    trusted_resemble: IntArray

    def of_pair(self, label: int, other: int) -> IntArray:
        """Indices of odd samples of that label that look like ``other``."""
        labelled = (self.data.labels == label) & (self.resemble == other)
        return np.flatnonzero(self.odd & labelled)

    def bearers_of(self, samples: IntArray, label: int, other: int) -> IntArray:
        """Further samples of that label that bear what ``samples`` have and ``other`` has not."""
        labelled = np.setdiff1d(np.flatnonzero(self.data.labels == label), samples)
        inputs = self.trusted.inputs
        honest = self.trusted.labels == other
        altered = self.data.inputs[samples]
        bear = bearers(self.data.inputs[labelled], altered, inputs[honest], inputs[~honest])
        return labelled[bear]

    def excess_of_pair(self, label: int, other: int) -> float:
        """The p-value of so many of them, against the trusted samples of that label."""
        mine = self.trusted.labels == label
        odd = self.trusted_odd & mine & (self.trusted_resemble == other)
        labelled = int((self.data.labels == label).sum())
        found = len(self.of_pair(label, other))
        return conformal.excess(found, labelled, int(odd.sum()), int(mine.sum()))


def audit(
    data: Dataset,
    trusted: Dataset,
    detectors: Sequence[Detector],
    *,
    seed: int,
    classifier: Classifier | None = None,
    level: float = 0.01,
    false_report: float = 0.01,
) -> Audit:
    """Which samples of ``data`` were altered, as far as ``trusted`` ones tell.

    Each detector scores each sample, and its score becomes a p-value against the trusted samples
    (`conformal.suspect_p_values`). A sample looks altered where the smallest, times the number of
    detectors, is at most ``level``: an honest one does with that probability. The first detector
    says which class it looks like. Then, for each pair of classes, the samples of one label that
    look altered and like the other are counted against the trusted ones (`conformal.excess`), and
    what is left over against all trusted ones. What exceeds chance becomes a finding, which also
    names the samples of the label that bear what the others have in common (`bearers`). If nothing
    was altered, the report has any finding with probability ``false_report`` at most.

    ``trusted`` are samples of the same kind that nobody altered, not part of ``data``;
    ``classifier`` the model that was trained on ``data``, for detectors that need it. ``seed``
    deals the trusted samples into folds.

    Raises `InputError` where this cannot be judged: no detectors, inputs that are not finite or
    differ in shape, a class with under 5 trusted samples, or too few for the level.
    """
    _check(data, trusted, detectors, level, false_report)
    folds = conformal.folds_of(trusted.labels, _FOLDS, seed)
    scores = [d.score(data, trusted, folds, classifier) for d in detectors]
    evidence = _weigh(data, trusted, scores, folds, level)
    classes = int(trusted.labels.max()) + 1
    tests = classes * (classes - 1) + 1
    findings = _findings(evidence, classes, false_report / tests)
    flagged = tuple(sorted({i for f in findings for i in f.where.samples}))
    report = Report(
        examination="audit",
        subject=f"{len(data)} training samples",
        covered=tuple(d.covers for d in detectors),
        uncovered=_UNCOVERED,
        findings=findings,
        figures=_figures(evidence, flagged, level, false_report / tests),
    )
    return Audit(report, flagged, evidence.p_values)


def _weigh(
    data: Dataset, trusted: Dataset, scores: Sequence[Scores], folds: IntArray, level: float
) -> _Evidence:
    p_values = conformal.smallest([conformal.suspect_p_values(s, folds) for s in scores])
    trusted_p_values = conformal.smallest([conformal.trusted_p_values(s) for s in scores])
    return _Evidence(
        data,
        trusted,
        p_values,
        p_values <= level,
        scores[0].resemble,
        trusted_p_values <= level,
        scores[0].trusted_resemble,
    )


def _findings(evidence: _Evidence, classes: int, at_most: float) -> tuple[Finding, ...]:
    """Pairs with the most samples first; then what is left over, if it is too much."""
    pairs = [(y, s) for y in range(classes) for s in range(classes) if y != s]
    tested = [(pair, evidence.excess_of_pair(*pair)) for pair in pairs]
    found = [_pair(evidence, *pair, p) for pair, p in tested if p <= at_most]
    found.sort(key=lambda finding: -len(finding.where.samples))

    named = {i for finding in found for i in finding.where.samples}
    left = [int(i) for i in np.flatnonzero(evidence.odd) if i not in named]
    honest = len(evidence.data) - len(named)
    trusted_odd = int(evidence.trusted_odd.sum())
    p = conformal.excess(len(left), honest, trusted_odd, len(evidence.trusted))
    if p <= at_most:
        found.append(_scattered(evidence, tuple(left), p))
    return tuple(found)


def _pair(evidence: _Evidence, label: int, other: int, p: float) -> Finding:
    """The finding that samples of one label look like another class."""
    odd = evidence.of_pair(label, other)
    bear = evidence.bearers_of(odd, label, other)
    samples = np.sort(np.concatenate([odd, bear]))
    more = f", and {len(bear)} more bear what those have in common" if len(bear) else ""
    share = len(samples) / int((evidence.data.labels == label).sum())
    return Finding(
        rule="audit.altered-pair",
        severity=Severity.HIGH,
        what=f"{len(odd)} samples labelled {label} look like {other}{more}",
        where=Where(classes=(label, other), samples=tuple(samples.tolist())),
        expected="no more than among the trusted samples",
        found=f"{share:.1%} of those labelled {label}",
        figures=(_chance(p),),
        pictures=_pictures(evidence, odd, other),
    )


def _scattered(evidence: _Evidence, samples: tuple[int, ...], p: float) -> Finding:
    return Finding(
        rule="audit.altered-samples",
        severity=Severity.MEDIUM,
        what=f"{len(samples)} samples of no one pair of classes look altered",
        where=Where(samples=samples),
        expected="no more than among the trusted samples",
        found=f"{len(samples) / len(evidence.data):.1%} of all samples",
        figures=(_chance(p),),
        pictures=_strip(evidence, np.asarray(samples)),
    )


def _chance(p: float) -> Figure:
    return Figure(
        name="p-value",
        value=p,
        definition="probability of so large a difference between these and the trusted samples if "
        "both were of one kind: Fisher's exact test, one-sided",
    )


def _pictures(evidence: _Evidence, samples: IntArray, other: int) -> tuple[Picture, ...]:
    if not drawable(evidence.data.inputs):
        return ()
    altered = evidence.data.inputs[samples]
    honest = evidence.trusted.inputs[evidence.trusted.labels == other]
    title = f"what they have in common: their mean minus that of trusted samples of {other}"
    return (*_strip(evidence, samples), difference(title, altered, honest))


def _strip(evidence: _Evidence, samples: IntArray) -> tuple[Picture, ...]:
    """The samples that look most altered, side by side."""
    if not drawable(evidence.data.inputs):
        return ()
    worst = samples[np.argsort(evidence.p_values[samples], kind="stable")[:_SHOWN]]
    numbers = ", ".join(str(i) for i in worst)
    return (strip(f"samples {numbers}", evidence.data.inputs[worst]),)


def _figures(
    evidence: _Evidence, flagged: tuple[int, ...], level: float, at_most: float
) -> tuple[Figure, ...]:
    left = len(np.setdiff1d(np.flatnonzero(evidence.odd), flagged))
    rarest = int(np.bincount(evidence.trusted.labels).min())
    return (
        Figure(name="samples flagged", value=len(flagged), unit="samples"),
        Figure(
            name="samples that look altered and are not flagged",
            value=left,
            unit="samples",
            definition="no more of them than chance explains: they may be altered or merely odd",
        ),
        Figure(
            name="samples that look altered by chance",
            value=level * len(evidence.data),
            unit="samples",
            definition="expected if nothing was altered: the level times the number of samples",
        ),
        Figure(
            name="smallest share that can be proven",
            value=1 - at_most ** (1 / rarest),
            definition="of the samples of one label, of one other class: less would be put down to "
            "chance, with so few trusted samples of the label that has the fewest. The level of "
            "Fisher's exact test where none of n trusted samples is odd: 1 − level^(1/n)",
        ),
    )


def _check(
    data: Dataset,
    trusted: Dataset,
    detectors: Sequence[Detector],
    level: float,
    false_report: float,
) -> None:
    if not detectors:
        raise InputError("audit: no detectors given, so nothing would be looked at")
    if not (0 < level < 1 and 0 < false_report < 1):
        raise InputError(
            f"audit: a level and a false_report between 0 and 1 expected, "
            f"{level} and {false_report} given"
        )
    if data.inputs.shape[1:] != trusted.inputs.shape[1:]:
        raise InputError(
            f"audit: trusted samples of shape {data.inputs.shape[1:]} expected, "
            f"{trusted.inputs.shape[1:]} given"
        )
    for name, given in (("data", data), ("trusted", trusted)):
        _check_values(name, given)
    _check_enough(data, trusted, len(detectors), level)


def _check_values(name: str, given: Dataset) -> None:
    if not len(given):
        raise InputError(f"{name}: samples expected, none given")
    if not np.isfinite(given.inputs).all():
        raise InputError(f"{name}: finite inputs expected, some are NaN or infinite")
    if given.labels.min() < 0:
        raise InputError(f"{name}: labels from 0 up expected, {given.labels.min()} given")


def _check_enough(data: Dataset, trusted: Dataset, detectors: int, level: float) -> None:
    classes = int(max(data.labels.max(), trusted.labels.max())) + 1
    if classes < 2:
        raise InputError("audit: two classes or more expected, one given")
    counts = np.bincount(trusted.labels, minlength=classes)
    few = int(counts.argmin())
    if counts[few] < _FOLDS:
        raise InputError(
            f"trusted: {_FOLDS} samples or more of each class expected, "
            f"class {few} has {counts[few]}"
        )
    needed = int(np.ceil(detectors / level)) - 1
    if len(trusted) < needed:
        raise InputError(
            f"trusted: {needed} samples or more expected for {detectors} detectors at level "
            f"{level:g}, {len(trusted)} given: no sample could ever look altered"
        )
