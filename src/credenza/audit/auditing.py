"""Run detectors over a data set and say which of its samples were altered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from credenza.audit import conformal
from credenza.audit.accusations import accuse
from credenza.audit.evidence import Evidence, weigh
from credenza.audit.interface import Detector, Values
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.findings import Figure, Report

_FOLDS: Final = 5

_UNCOVERED: Final = (
    "samples whose label is right and whose image was altered so that it still looks like it "
    "(clean-label poison)",
    "an alteration that the trusted samples bear too: they are taken to be right",
    "samples that were removed, and honest samples that were added to shift the balance",
)


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
    what is left over against all trusted ones. What exceeds chance becomes a finding; that of a
    pair also names doubtful samples of the label that bear what the others have in common
    (`bearers`). If nothing was altered, the report has any finding with probability
    ``false_report`` at most.

    ``trusted`` are samples of the same kind that nobody altered, not part of ``data``;
    ``classifier`` the model that was trained on ``data``, for detectors that need it. ``seed``
    deals the trusted samples into folds.

    Raises `InputError` where this cannot be judged: no detectors, inputs that are not finite or
    differ in shape, a class with under 5 trusted samples, or too few for the level.
    """
    _check(data, trusted, detectors, level, false_report)
    folds = conformal.folds_of(trusted.labels, _FOLDS, seed)
    scores = [d.score(data, trusted, folds, classifier) for d in detectors]
    evidence = weigh(data, trusted, scores, folds, level)
    classes = int(trusted.labels.max()) + 1
    tests = classes * (classes - 1) + 1
    findings = accuse(evidence, classes, false_report / tests)
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


def _figures(
    evidence: Evidence, flagged: tuple[int, ...], level: float, at_most: float
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
