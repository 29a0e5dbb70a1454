"""Run detectors over a model and say what it does that a clean one does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError
from credenza.findings import Finding, Report, Severity, Where
from credenza.probe.interface import Detector
from credenza.probe.population import Calibration, shipped


def probe(
    classifier: Classifier,
    trusted: Dataset,
    detectors: Sequence[Detector],
    *,
    seed: int,
    calibration: Calibration | None = None,
) -> Report:
    """What the model does with ``trusted`` samples that speaks against it.

    ``trusted`` are samples that the model was not trained on and whose labels are right; keep
    them secret, and take new ones from time to time, lest somebody trains a model to pass.
    ``calibration`` says what scores mean: the one that is shipped where none is given. ``seed``
    chooses samples and starting points.

    A model whose logits are NaN or infinite has that finding and no other: the rest cannot be
    tested. Raises `InputError` for what cannot be judged: no detectors, a class without trusted
    samples, samples that the model cannot read.
    """
    if not detectors:
        raise InputError("probe: no detectors given, so nothing would be looked at")
    logits = _read(classifier, trusted)
    subject = f"a model of {logits.shape[1]} classes"
    wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(wrong):
        return Report(
            examination="probe",
            subject=subject,
            covered=("logits of the trusted samples",),
            uncovered=tuple(f"{d.covers} (the logits are not finite)" for d in detectors),
            findings=(_not_finite(wrong.tolist(), len(trusted)),),
        )
    known = calibration or shipped()
    outcomes = [d.run(classifier, trusted, known, seed) for d in detectors]
    return Report(
        examination="probe",
        subject=subject,
        covered=tuple(d.covers for d in detectors),
        uncovered=tuple(text for o in outcomes for text in o.uncovered),
        findings=tuple(f for o in outcomes for f in o.findings),
        figures=tuple(f for o in outcomes for f in o.figures),
    )


def _read(classifier: Classifier, trusted: Dataset) -> FloatArray:
    """Logits of the trusted samples (n, classes). Raises `InputError` where there are none."""
    if not len(trusted) or not np.isfinite(trusted.inputs).all():
        raise InputError("trusted: samples with finite inputs expected")
    try:
        logits = classifier.logits(trusted.inputs)
    except (RuntimeError, ValueError, IndexError) as e:  # what torch raises for a wrong shape
        shape = trusted.inputs.shape[1:]
        raise InputError(f"probe: the model cannot read inputs of shape {shape}: {e}") from e
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise InputError(f"probe: logits (n, ≥ 2 classes) expected, {logits.shape} came")
    classes = logits.shape[1]
    if trusted.labels.min() < 0 or trusted.labels.max() >= classes:
        raise InputError(
            f"trusted: labels 0 to {classes - 1} expected, {trusted.labels.min()} to "
            f"{trusted.labels.max()} given"
        )
    missing = np.flatnonzero(np.bincount(trusted.labels, minlength=classes) == 0)
    if len(missing):
        raise InputError(f"trusted: samples of each class expected, class {missing[0]} has none")
    return logits


def _not_finite(samples: list[int], of: int) -> Finding:
    return Finding(
        rule="probe.not-finite",
        severity=Severity.HIGH,
        what=f"the model gives NaN or infinity for {len(samples)} of {of} trusted samples",
        where=Where(samples=tuple(samples)),
        expected="finite logits",
        found="NaN or infinity",
    )
