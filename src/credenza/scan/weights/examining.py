"""The weights under a path, examined: what stands out, and how often honest networks do so."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from credenza.artifact import Artifact
from credenza.findings import Figure, Finding, Report, Severity, Where, spans
from credenza.scan.weights.calibration import LARGE, Calibration, shipped
from credenza.scan.weights.models import Looked, Model, Summed, is_of_optimizer, look
from credenza.scan.weights.reading import Progress
from credenza.scan.weights.scores import Oddity, Place

LEVEL: Final = 0.01
"""A model is said to stand out where its p-value is this at most. Fixed before anything was
measured."""

_FEWEST_ELEMENTS: Final = 200
_MOST_SAID: Final = 3
_ABSURD: Final = 2.0**20
_APART: Final = 16
"""In powers of two: how far absurd numbers stand above all others of their tensor."""
_MANY: Final = 64
_MASKED: Final = 8
"""A mask hides an eighth or more: of a causal one, that of two words hides a quarter."""

_RULES: Final[Mapping[Oddity, tuple[str, str]]] = {
    Oddity.SPIKE: ("scan.weight-spike", "a few numbers of a tensor stand far above the next"),
    Oddity.SPIKE_IN_VECTOR: ("scan.weight-spike", "a few numbers stand far above the next"),
    Oddity.LOUD_ROW: ("scan.weight-loud", "rows outweigh all others"),
    Oddity.LOUD_COLUMN: ("scan.weight-loud", "columns outweigh all others"),
    Oddity.LOUD_FILTER: ("scan.weight-loud", "filters outweigh all others"),
    Oddity.LOUD_CHANNEL: ("scan.weight-loud", "input channels outweigh all others"),
    Oddity.DEAD_ROW: ("scan.weight-dead", "rows weigh next to nothing"),
    Oddity.DEAD_COLUMN: ("scan.weight-dead", "columns weigh next to nothing"),
    Oddity.DEAD_FILTER: ("scan.weight-dead", "filters weigh next to nothing"),
    Oddity.DEAD_CHANNEL: ("scan.weight-dead", "input channels weigh next to nothing"),
    Oddity.TWIN_ROWS: ("scan.weight-twins", "rows are equal"),
    Oddity.TWIN_FILTERS: ("scan.weight-twins", "filters are equal"),
    Oddity.HEAD_NORM: ("scan.weight-head", "one class weighs unlike the others"),
    Oddity.HEAD_ANGLE: ("scan.weight-head", "two classes are closer than any others"),
    Oddity.ZEROED: ("scan.weight-zeroed", "a normalisation multiplies all by zero"),
}
_UNSEEN: Final = (
    "poison that was trained in: it leaves no mark on such statistics (credenza probe looks for "
    "it, and credenza diff compares with a version that is trusted)"
)


def weights(
    subject: Artifact | str | os.PathLike[str],
    *,
    digest: bool = False,
    calibration: Calibration | None = None,
    progress: Progress | None = None,
) -> Report:
    """The statistics of every tensor at ``subject``, and what of them stands out.

    Numbers that are not finite speak for themselves. All else is held against honest networks of
    its size (``calibration``, by default the one that is shipped): a model of which the p-value is
    `LEVEL` or less has findings, which are `Severity.LOW`, since honest models have such p-values
    too, at that rate. Where too few honest ones are known for such a p-value, what is odder than
    all of them is a `Severity.NOTE`. With ``digest``, `Examined.sha256` of each file comes from
    the same bytes.

    A file that cannot be read is in ``unread``, and the rest is looked at. Raises `InputError`
    where there is nothing.
    """
    root = subject.path if isinstance(subject, Artifact) else Path(subject)
    looked = look(root, digest=digest, progress=progress)
    known = calibration or shipped()
    models = [m for m in looked.models.values() if m.tensors]
    findings = [f for m in models for f in (*_plain(m), *_odd(m, known.like(m.elements)))]
    return Report(
        examination="weights",
        subject=str(root),
        covered=tuple(_covered(models, known)),
        uncovered=tuple(_uncovered(models, looked)),
        findings=tuple(sorted(findings, key=lambda f: (-f.severity.rank, str(f.where), f.rule))),
        figures=tuple(_figures(models, known)),
        files=tuple(looked.files),
        unread=tuple(looked.unread),
    )


def _covered(models: list[Model], known: Calibration) -> Iterator[str]:
    if models:
        tensors, elements = sum(m.tensors for m in models), sum(m.elements for m in models)
        where = "1 model" if len(models) == 1 else f"{len(models):,} models"
        yield f"{elements:,} numbers of {tensors:,} tensors in {where}, each once"
    if any(map(_is_judged, models)):
        yield f"{len(known.units)} tests, held against {known.population}"


def _uncovered(models: list[Model], looked: Looked) -> Iterator[str]:
    yield from map(str, looked.unread)
    yield from looked.uncovered
    for model in models:
        if not model.scored:
            yield f"{model.name}: it is no network's format, and honest ones of it are not known"
        elif not _is_judged(model):
            yield f"{model.name}: fewer numbers than any network that is known"
    bare = sum(not f.checks for f in looked.files)
    if bare:
        yield f"{bare:,} {'file' if bare == 1 else 'files'} without weights"
    yield _UNSEEN


def _is_judged(model: Model) -> bool:
    return model.scored and model.elements >= _FEWEST_ELEMENTS


def _figures(models: list[Model], known: Calibration) -> Iterator[Figure]:
    for model in models:
        yield Figure(
            name=f"{model.name}: zeros",
            value=model.zeros / max(1, model.elements),
            definition="share of the finite numbers in its tensors that are 0",
        )
        if _is_judged(model):
            yield _p_value(model, known.like(model.elements))


def _p_value(model: Model, known: Calibration) -> Figure:
    return Figure(
        name=f"{model.name}: p-value",
        value=known.p_value(_oddness(model, known)),
        definition=f"(1 + honest networks as odd or odder) / (networks + 1), of the "
        f"{len(known.networks)} of this size (under or over {LARGE:,} numbers) among "
        f"{known.population}; all tests together. At most {known.false_alarms(LEVEL):.1%} of "
        "honest ones of the population have findings (upper 95 % bound)",
    )


def _oddness(model: Model, known: Calibration) -> float:
    found = model.scores.finish()
    return known.oddness({test.value: places[0].score for test, places in found.items()})


def _odd(model: Model, known: Calibration) -> Iterator[Finding]:
    """What makes a model odder than honest ones, if it is."""
    if not _is_judged(model):
        return
    p_value = _p_value(model, known)
    if p_value.value > max(LEVEL, known.least()):
        return
    severity = Severity.LOW if p_value.value <= LEVEL else Severity.NOTE
    least = known.threshold(LEVEL)
    for test, places in model.scores.finish().items():
        unit = known.units[test.value]
        for place in itertools.islice(places, _MOST_SAID):
            if unit.of(place.score) > least:
                yield _finding(place, severity, p_value, known)


def _finding(place: Place, severity: Severity, p_value: Figure, known: Calibration) -> Finding:
    rule, what = _RULES[place.test]
    along = f"{place.axis}s {spans(place.indices)}: " if place.axis == "column" else ""
    score = Figure(
        name=f"score of {place.test.value}",
        value=place.score,
        definition="credenza.scan.weights.scores; of honest networks a share of "
        f"{known.p_value_of(place.test, place.score):.3g} or less scores as high in this test",
    )
    return Finding(
        rule=rule,
        severity=severity,
        what=what,
        where=Where(
            file=place.file,
            tensor=place.tensor,
            rows=place.indices if place.axis == "row" else (),
        ),
        found=along + place.found,
        figures=(p_value, score),
    )


def _plain(model: Model) -> Iterator[Finding]:
    """What needs no calibration."""
    for held in model.notable:
        if held.sums.nan or held.sums.infinite:
            yield _not_finite(held, model)
        elif _is_absurd(held):
            yield _absurd(held, model)
    yield from _untouched(model)


def _not_finite(held: Summed, model: Model) -> Finding:
    """A mask of minus infinities and zeros is honest, and so are a constant of a graph and what is
    missing from a table.
    """
    sums = held.sums
    zeros_else = not sums.nan and 0 < sums.finite == sums.zeros
    mask = zeros_else and _MASKED * sums.infinite >= sums.size
    honest = mask or sums.size == 1 or is_of_optimizer(held.tensor)
    return Finding(
        rule="scan.weight-not-finite",
        severity=Severity.NOTE if honest or not model.weighs else Severity.HIGH,
        what="a mask of infinities" if mask else "numbers of a tensor are not finite",
        where=Where(file=held.tensor.file, tensor=held.tensor.name),
        expected="finite numbers",
        found=f"{sums.nan} NaN and {sums.infinite} infinite of {sums.size}",
    )


def _is_absurd(held: Summed) -> bool:
    """Whether a few numbers are huge and the others are not, as after a flip of an exponent's
    highest bit. A mask has many huge ones, a buffer of constants nothing else.
    """
    sums = held.sums
    if sums.size < _MANY or is_of_optimizer(held.tensor):
        return False
    steps = itertools.pairwise(sums.largest)
    return any(
        above >= _ABSURD and below > 0 and math.log2(above) - math.log2(below) >= _APART
        for above, below in steps
    )


def _absurd(held: Summed, model: Model) -> Finding:
    largest, tensor = held.sums.largest, held.tensor
    count = next(i for i, (a, b) in enumerate(itertools.pairwise(largest), 1) if a / b >= 2**_APART)
    columns = held.sums.size // tensor.shape[0] if len(tensor.shape) > 1 else 1
    return Finding(
        rule="scan.weight-range",
        severity=Severity.MEDIUM if model.weighs else Severity.NOTE,
        what="a few numbers of a tensor are absurdly large",
        where=Where(
            file=tensor.file,
            tensor=tensor.name,
            rows=tuple(sorted({i // columns for i in held.sums.largest_at[:count]})),
        ),
        expected=f"up to {largest[count]:.3g}, as the others",
        found=f"{count} up to {largest[0]:.3g}",
    )


_MEANS: Final = ("running_mean", "moving_mean")
_VARIANCES: Final = ("running_var", "moving_variance")


def _untouched(model: Model) -> Iterator[Finding]:
    """Batch norms whose running mean is 0 and variance 1 throughout: no data went through."""
    constant = {(h.tensor.file, h.tensor.name): h.sums.maximum for h in model.notable}
    found = [
        (file, name)
        for (file, name), value in constant.items()
        for mean, variance in zip(_MEANS, _VARIANCES, strict=True)
        if name.endswith(mean)
        and value == 0
        and constant.get((file, name.removesuffix(mean) + variance)) == 1
    ]
    if found:
        file, name = found[0]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        yield Finding(
            rule="scan.weight-untouched",
            severity=Severity.NOTE,
            what="a batch norm has never seen data",
            where=Where(file=file, tensor=name),
            found=f"mean 0 and variance 1 throughout{more}",
        )
