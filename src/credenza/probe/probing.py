"""Run detectors over a model and say what it does that clean ones do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from credenza.errors import InputError
from credenza.findings import Figure, Finding, Report, Severity, Where
from credenza.probe.calibration import Calibration, Judgement, architecture
from credenza.probe.canaries import ConfusionCanaries
from credenza.probe.subject import Detector, Statistic, Subject

LEVEL: Final = 0.01
"""The overall false-alarm rate of the calibrated tests, where no other is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All that detectors say of a subject, before anything is judged."""

    statistics: tuple[Statistic, ...]
    covered: tuple[str, ...]
    uncovered: tuple[str, ...]


def measure(subject: Subject, detectors: Sequence[Detector], *, seed: int) -> Measurement:
    """The statistics of each detector that has what it needs; the others are in ``uncovered``.

    Raises `InputError` where none could run, and as the detectors do.
    """
    if not detectors:
        raise InputError("probe: no detectors given, so nothing would be looked at")
    statistics: list[Statistic] = []
    covered: list[str] = []
    uncovered: list[str] = []
    for detector in detectors:
        if lacking := sorted(need.value for need in detector.needs - subject.has):
            uncovered.append(f"{detector.covers} ({' and '.join(lacking)} would be needed)")
            continue
        measured = detector.measure(subject, seed=seed)
        statistics += measured.statistics
        covered.append(detector.covers)
        uncovered += measured.uncovered
        uncovered += detector.blind
    if not covered:
        raise InputError(
            "probe: nothing can be looked at: " + "; ".join(uncovered),
            hint="hand in the parameters, a module, or trusted samples",
        )
    return Measurement(
        statistics=tuple(statistics), covered=tuple(covered), uncovered=tuple(uncovered)
    )


def probe(
    subject: Subject,
    detectors: Sequence[Detector],
    *,
    seed: int,
    calibration: Calibration | None = None,
    level: float = LEVEL,
) -> Report:
    """What speaks against the model, at an overall false-alarm rate.

    ``calibration`` holds clean twins; a clean model that is exchangeable with them has a finding
    of the calibrated tests with probability ``level`` at most. The exact test of
    `ConfusionCanaries` needs no twins and adds 1 − its confidence. Twins of another architecture,
    or measured with other settings, make findings that weigh medium and say so. Without a
    calibration only the exact test judges.

    A model whose parameters or answers are NaN or infinite has that finding and no other. Raises
    `InputError` for what cannot be judged (`check`, `measure`).
    """
    if not 0 < level < 1:
        raise InputError(f"level: a rate between 0 and 1 expected, {level} given")
    about = f"a model of {subject.classes} classes"
    if broken := _not_finite(subject):
        return Report(
            examination="probe",
            subject=about,
            covered=("whether parameters and answers are finite",),
            uncovered=tuple(f"{d.covers} (numbers are not finite)" for d in detectors),
            findings=broken,
        )
    measured = measure(subject, detectors, seed=seed)
    exact = _exact(subject, detectors)
    judged = _judged(calibration, measured)
    others = _others(calibration, judged, detectors, subject)
    gaps = (*others, *_too_few(calibration, level))
    known = not others
    alarms = [] if judged is None else _alarms(judged, measured, calibration, level, known=known)
    pairs = {f.where.classes for f in exact}
    kept = [f for f in alarms if f.rule != "probe.misread-class" or f.where.classes not in pairs]
    return Report(
        examination="probe",
        subject=about,
        covered=measured.covered,
        uncovered=(*gaps, *measured.uncovered),
        findings=(*exact, *kept),
        figures=(*_figures(judged, calibration, level), *_own_figures(subject, detectors)),
    )


def _not_finite(subject: Subject) -> tuple[Finding, ...]:
    names = [
        n for n, w in subject.weights.items() if w.dtype.kind == "f" and not np.isfinite(w).all()
    ]
    if names:
        what = f"{len(names)} tensors hold NaN or infinity, {names[0]} the first"
        return (_broken(what, Where(tensor=names[0])),)
    box = subject.classifier or subject.box
    if box is None or subject.trusted is None:
        return ()
    wrong = np.flatnonzero(~np.isfinite(box.logits(subject.trusted.inputs)).all(axis=1))
    if not len(wrong):
        return ()
    what = f"the model gives NaN or infinity for {len(wrong)} of {len(subject.trusted)} samples"
    return (_broken(what, Where(samples=tuple(wrong.tolist()))),)


def _broken(what: str, where: Where) -> Finding:
    return Finding(
        rule="probe.not-finite",
        severity=Severity.HIGH,
        what=what,
        where=where,
        expected="finite numbers",
        found="NaN or infinity",
    )


def _exact(subject: Subject, detectors: Sequence[Detector]) -> tuple[Finding, ...]:
    own = [d for d in detectors if isinstance(d, ConfusionCanaries) and d.needs <= subject.has]
    return tuple(f for d in own for f in d.exact(subject))


def _own_figures(subject: Subject, detectors: Sequence[Detector]) -> tuple[Figure, ...]:
    own = [d for d in detectors if isinstance(d, ConfusionCanaries) and d.needs <= subject.has]
    return tuple(f for d in own for f in d.figures(subject))


def _judged(calibration: Calibration | None, measured: Measurement) -> Judgement | None:
    if calibration is None or not measured.statistics:
        return None
    values = {s.name: s.value for s in measured.statistics}
    if not values.keys() & set(calibration.names):
        return None
    return calibration.judge(values)


def _others(
    calibration: Calibration | None,
    judged: Judgement | None,
    detectors: Sequence[Detector],
    subject: Subject,
) -> tuple[str, ...]:
    """Why the twins are not those of the model: its false-alarm rate is unknown then."""
    if calibration is None or judged is None:
        return ("what the statistics are worth: uncalibrated, no clean twins that have them",)
    gaps = []
    if calibration.architecture != architecture(subject.weights):
        gaps.append(
            "the false-alarm rate: uncalibrated for this architecture; what is usual comes from "
            f"{calibration.population}"
        )
    others = [str(d) for d in detectors if str(d) not in calibration.detectors]
    if others:
        gaps.append(f"the false-alarm rate: twins were measured otherwise than by {others[0]}")
    return tuple(gaps)


def _too_few(calibration: Calibration | None, level: float) -> tuple[str, ...]:
    if calibration is None or calibration.least <= level:
        return ()
    return (
        f"the false-alarm rate asked for, {level:g}: {len(calibration.twins)} twins can tell no "
        f"less than {calibration.least:.3g}, which it is at most instead",
    )


def _alarms(
    judged: Judgement,
    measured: Measurement,
    calibration: Calibration | None,
    level: float,
    *,
    known: bool,
) -> list[Finding]:
    assert calibration is not None  # noqa: S101  there is no judgement without one
    by_name = {s.name: s for s in measured.statistics}
    names = judged.standing_out(max(level, calibration.least))
    return [
        _finding(name, by_name[judged.furthest[name]], judged, calibration, known=known)
        for name in names
    ]


def _finding(
    name: str, statistic: Statistic, judged: Judgement, calibration: Calibration, *, known: bool
) -> Finding:
    evidence = statistic.evidence
    twins = len(calibration.twins)
    tail = judged.tails[name]
    return Finding(
        rule=evidence.rule,
        severity=Severity.HIGH if known else Severity.MEDIUM,
        what=evidence.what,
        where=evidence.where,
        expected=f"what {twins} clean twins show",
        found=f"{statistic.name} {statistic.value:.3g}, tail score {tail:.2f}",
        figures=(
            Figure(name=statistic.name, value=statistic.value, definition=statistic.definition),
            Figure(
                name=f"p-value of {name} alone",
                value=judged.p_values[name],
                definition=f"conformal, among {twins} twins: {calibration.population}",
            ),
            *evidence.figures,
        ),
        pictures=evidence.pictures,
    )


def _figures(
    judged: Judgement | None, calibration: Calibration | None, level: float
) -> tuple[Figure, ...]:
    if judged is None or calibration is None:
        return ()
    return (
        Figure(
            name="p-value of all tests together",
            value=judged.p_value,
            definition=f"conformal, of the largest tail score, among {len(calibration.twins)} "
            f"clean twins: {calibration.population}",
        ),
        Figure(
            name="false-alarm rate asked for",
            value=level,
            definition="findings of the calibrated tests come from a clean model that is "
            "exchangeable with the twins with this probability at most",
        ),
        *(
            Figure(name=f"tail score of {name}", value=tail, definition=_TAIL_SCORE)
            for name, tail in sorted(judged.tails.items(), key=lambda pair: -pair[1])
        ),
    )


_TAIL_SCORE: Final = "-log10 of how rare the value is among twins, their tail taken as exponential"
