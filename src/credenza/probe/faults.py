"""What is wrong with a model before any detector could say something about it."""

from __future__ import annotations

from typing import Final

import numpy as np

from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError
from credenza.findings import Finding, Severity, Where
from credenza.probe.subject import BlackBox, Subject
from credenza.rates import interval, rate

_INPUTS: Final = 16
_CONFIDENCE: Final = 0.999


def faults(subject: Subject, *, seed: int) -> tuple[Finding, ...]:
    """Why nothing else can be said of the model; nothing where it can.

    Parameters that are NaN or infinite; answers that are, to the trusted samples or, without any,
    to random inputs; and answers that are no better than to name the class with the most trusted
    samples, always: of an untrained or constant model no detector says anything.

    Raises `InputError` where the model cannot read the inputs.
    """
    if broken := _parameters(subject):
        return (broken,)
    box = subject.classifier or subject.box
    if box is None or not subject.shape:
        return ()
    trusted = subject.trusted
    drawn = np.random.default_rng([seed, 2]).random((_INPUTS, *subject.shape), np.float32)
    logits = _read(box, drawn if trusted is None else trusted.inputs, subject.classes)
    wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1)).tolist()
    if wrong:
        of = f"{len(logits)} {'random inputs' if trusted is None else 'trusted samples'}"
        what = f"the model gives NaN or infinity for {len(wrong)} of {of}"
        return (_not_finite(what, Where(samples=() if trusted is None else tuple(wrong))),)
    if trusted is not None and (guesses := _guesses(logits, trusted)):
        return (guesses,)
    return ()


def _parameters(subject: Subject) -> Finding | None:
    names = [
        name
        for name, weight in subject.weights.items()
        if weight.dtype.kind in "fc" and not np.isfinite(weight).all()
    ]
    if not names:
        return None
    held = "one tensor holds" if len(names) == 1 else f"{len(names)} tensors hold"
    first = "" if len(names) == 1 else f", {names[0]} the first"
    return _not_finite(f"{held} NaN or infinity{first}", Where(tensor=names[0]))


def _read(box: BlackBox, inputs: FloatArray, classes: int) -> FloatArray:
    try:
        logits = box.logits(inputs)
    except (RuntimeError, ValueError, IndexError, TypeError) as e:  # what a model may raise
        shape = inputs.shape[1:]
        raise InputError(f"probe: the model cannot read inputs of shape {shape}: {e}") from e
    if logits.shape != (len(inputs), classes):
        raise InputError(f"probe: logits {(len(inputs), classes)} expected, {logits.shape} came")
    return logits


def _guesses(logits: FloatArray, trusted: Dataset) -> Finding | None:
    """A finding where the rate of right answers cannot be told from that of the best guess."""
    right = int((logits.argmax(axis=1) == trusted.labels).sum())
    common = float(np.bincount(trusted.labels).max()) / len(trusted)
    low = interval(right, len(trusted), _CONFIDENCE)[0]
    if low > common:
        return None
    return Finding(
        rule="probe.reads-nothing",
        severity=Severity.HIGH,
        what=f"the model reads {right} of {len(trusted)} trusted samples right",
        expected=f"a rate above {common:.1%}, that of always naming the same class",
        found=f"{low:.1%} or more, at {_CONFIDENCE:.1%} confidence",
        figures=(rate("trusted samples read right", right, len(trusted), "share of all of them"),),
    )


def _not_finite(what: str, where: Where) -> Finding:
    return Finding(
        rule="probe.not-finite",
        severity=Severity.CRITICAL,
        what=what,
        where=where,
        expected="finite numbers",
        found="NaN or infinity",
    )
