"""Run detectors over a model and say what it does that clean ones do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from credenza.errors import InputError
from credenza.findings import Figure, Finding, Report, Severity
from credenza.probe.calibration import Calibration, Judgement, architecture
from credenza.probe.canaries import ConfusionCanaries
from credenza.probe.faults import faults
from credenza.probe.subject import Detector, Evidence, Statistic, Subject

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
    calibration only the exact test judges. Where twins had fewer trusted samples than there are,
    the statistics are those of as many, drawn by ``seed``; the exact test has all of them.

    A model with a fault (`credenza.probe.faults`) has that finding and no other. Raises
    `InputError` for what cannot be judged, as `measure` does.
    """
    if not 0 < level < 1:
        raise InputError(f"level: a rate between 0 and 1 expected, {level} given")
    about = f"a model of {subject.classes} classes"
    if broken := faults(subject, seed=seed):
        return Report(
            examination="probe",
            subject=about,
            covered=("whether parameters and answers are finite, and answers more than guesses",),
            uncovered=tuple(f"{d.covers} (of such a model it says nothing)" for d in detectors),
            findings=broken,
        )
    alike = _as_twins(subject, calibration, seed)
    measured = measure(alike, detectors, seed=seed)
    canaries = _exact(subject, detectors)
    exact = tuple(finding for c in canaries for finding in c.exact(subject))
    spent = sum(1 - c.confidence for c in canaries)
    judged = _judged(calibration, measured, detectors)
    others = _others(calibration, judged, detectors, alike)
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
        figures=(
            *_figures(judged, calibration, level, spent, known=known),
            *(figure for c in canaries for figure in c.figures(subject)),
        ),
    )


def _as_twins(subject: Subject, calibration: Calibration | None, seed: int) -> Subject:
    """The subject as twins were measured: weights in their order, and as many trusted samples."""
    if calibration is None:
        return subject
    order = {name.rpartition(" ")[0]: i for i, name in enumerate(calibration.architecture)}
    weights = subject.weights
    if order.keys() == weights.keys():  # a file may list them in another order than the module
        weights = {name: weights[name] for name in order}
    trusted = subject.trusted
    each = calibration.trusted // calibration.classes
    if trusted is not None and calibration.classes == subject.classes and each:
        rng = np.random.default_rng([seed, 1])
        rows = [np.flatnonzero(trusted.labels == c) for c in range(subject.classes)]
        if min(map(len, rows)) >= each:
            trusted = trusted.take(np.concatenate([rng.permutation(r)[:each] for r in rows]))
    return replace(subject, weights=weights, trusted=trusted)


def _exact(subject: Subject, detectors: Sequence[Detector]) -> tuple[ConfusionCanaries, ...]:
    """Those whose test holds without twins."""
    return tuple(
        d for d in detectors if isinstance(d, ConfusionCanaries) and d.needs <= subject.has
    )


def _judged(
    calibration: Calibration | None, measured: Measurement, detectors: Sequence[Detector]
) -> Judgement | None:
    if calibration is None or not measured.statistics:
        return None
    values = {s.name: s.value for s in measured.statistics}
    if not values.keys() & set(calibration.names):
        return None
    same = set(calibration.detectors) <= {str(d) for d in detectors}
    ran_all = same and len(measured.covered) == len(detectors)
    unmeasured = [n for n in calibration.names if ran_all and n not in values]
    return calibration.judge(values, unmeasured=unmeasured)


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
    given = 0 if subject.trusted is None else len(subject.trusted)
    if given and given != calibration.trusted:
        gaps.append(
            f"the false-alarm rate: twins were measured with {calibration.trusted} trusted samples,"
            f" as many of each class, and this model with {given}"
        )
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
        _finding(
            name,
            by_name.get(judged.furthest[name]) or _unmeasured(judged.furthest[name]),
            judged,
            calibration,
            known=known,
        )
        for name in names
    ]


def _unmeasured(name: str) -> Statistic:
    """In the place of a statistic that twins have, and this model has not."""
    evidence = Evidence(what=f"{name}: its twins have a value, and of this model there is none")
    return Statistic(name=name, value=np.inf, definition="there is no value", evidence=evidence)


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
    judged: Judgement | None,
    calibration: Calibration | None,
    level: float,
    exact: float,
    *,
    known: bool,
) -> tuple[Figure, ...]:
    if judged is None or calibration is None:
        return (_rate(exact, exact, "exact tests alone"),) if exact else ()
    calibrated = max(level, calibration.least)
    parts = f"{calibrated:.3g} of the calibrated tests together and {exact:.3g} of exact ones"
    return (
        Figure(
            name="p-value of all tests together",
            value=judged.p_value,
            definition=f"conformal, of the largest tail score, among {len(calibration.twins)} "
            f"clean {'twins' if known else 'models of another kind'}: {calibration.population}",
        ),
        *((_rate(calibrated + exact, exact, parts),) if known else ()),
        *(
            Figure(name=f"tail score of {name}", value=tail, definition=_TAIL_SCORE)
            for name, tail in sorted(judged.tails.items(), key=lambda pair: -pair[1])
        ),
    )


_TAIL_SCORE: Final = "-log10 of how rare the value is among twins, their tail taken as exponential"


def _rate(value: float, exact: float, parts: str) -> Figure:
    honest = ", and reads no class as another more often than they allow" if exact else ""
    return Figure(
        name="false-alarm rate, overall",
        value=value,
        definition=f"at most so often a clean model has a finding: {parts}. Clean is one that is "
        f"exchangeable with the twins{honest}",
    )
