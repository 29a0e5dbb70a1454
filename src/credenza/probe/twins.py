"""Clean twins of a model: trained here, from the same code, on data that the caller trusts.

Needs the extra ``torch``.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import platform
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Final, final

import numpy as np

from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.probe.calibration import Calibration, Made, Twin, architecture
from credenza.probe.probing import Measurement, measure
from credenza.probe.subject import Detector, Subject
from credenza.probe.variants import prune, round_to_half, round_to_int8
from credenza.training import Recipe, train

import torch  # isort: skip  training has said what is missing, if it is
from torch import nn  # isort: skip

MOST_LOST: Final = 0.05
"""Of accuracy: what a repaired model may lose at most to count as repaired in BackdoorBench."""
Factory = Callable[[], nn.Module]
Trainer = Callable[[Dataset, int], nn.Module]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """How twins are made and measured.

    ``factory`` builds an untrained network; it must be importable by name, since each process
    imports it. Each twin is trained on ``share`` of ``data``, drawn anew, with ``recipe`` at 0.8
    to 1.25 times its rate; or by ``trainer``, if there is one, which is given data and a seed, and
    gives a network like the factory's. Half are left as they were trained; of the others equal
    parts are trained on with other samples, have 30 to 60 % of their smallest weights set to zero,
    or are rounded to int8 or to float16 and back, as honest people do. Each is measured by
    ``detectors`` with ``samples`` of each class out of ``trusted``, or without any.
    """

    factory: Factory
    data: Dataset
    recipe: Recipe
    detectors: tuple[Detector, ...]
    trusted: Dataset | None = None
    trainer: Trainer | None = None
    samples: int = 50
    share: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.samples < 1:
            raise InputError(
                f"twins: a share from 0 to 1 and samples ≥ 1 expected, {self.share} and "
                f"{self.samples} given"
            )
        if not self.detectors:
            raise InputError("twins: no detectors given, so nothing would be measured")
        if self.trusted is not None and (shared := _shared(self.data, self.trusted)):
            raise InputError(
                f"twins: trusted samples that none is trained on expected, {shared} of "
                f"{len(self.trusted)} are among the training samples"
            )

    @property
    def how(self) -> str:
        """How networks are trained, in words."""
        if self.trainer is None:
            return str(self.recipe)
        return f"{self.trainer.__module__}.{getattr(self.trainer, '__qualname__', 'trainer')}"


def calibrate(
    plan: Plan,
    twins: int,
    *,
    population: str,
    made: Made,
    known: Sequence[Twin] = (),
    processes: int | None = None,
    told: Callable[[Twin], None] = lambda _: None,
) -> Calibration:
    """Train ``twins`` clean models and measure them, on all cores unless ``processes`` says less.

    ``known`` twins, of an earlier run with the same plan, are not made again. ``told`` is called
    with each twin as it comes, in this process: what it keeps, the next run can begin with. Those
    that are not `fit_to_serve` are made, told, and left out of the calibration.

    Raises `InputError` for fewer than two twins, and as training and the detectors do.
    """
    if twins < 2:
        raise InputError(f"twins: two or more expected, {twins} asked for")
    shown, subject = _untrained(plan)
    measured = {s.name: s for s in shown.statistics}
    by_number = {t.seed: t for t in known}
    missing = [i for i in range(twins) if i not in by_number]
    for twin in _made(plan, tuple(measured), missing, processes):
        by_number[twin.seed] = twin
        told(twin)
    return Calibration(
        population=population,
        classes=subject.classes,
        architecture=architecture(subject.weights),
        trusted=0 if plan.trusted is None else plan.samples * subject.classes,
        detectors=tuple(str(d) for d in plan.detectors),
        recipe=plan.how,
        made=made,
        names=tuple(measured),
        two_sided=tuple(s.two_sided for s in measured.values()),
        families=tuple(s.family for s in measured.values()),
        twins=fit_to_serve([by_number[i] for i in range(twins)]),
    )


def fit_to_serve(twins: Sequence[Twin]) -> tuple[Twin, ...]:
    """Those that read no more than `MOST_LOST` worse than half of the twins do.

    Pruning without training on ruins some models. Nobody would serve them, and beside them any
    poisoned model looks ordinary.
    """
    usual = float(np.median([t.accuracy for t in twins]))
    return tuple(t for t in twins if t.accuracy >= usual - MOST_LOST)


def _twin(plan: Plan, names: tuple[str, ...], number: int) -> Twin:
    """The twin of that number, with the statistics of those names."""
    classifier, how, own = _trained(plan, number)
    subject = _subject(plan, classifier, number)
    measured = measure(subject, plan.detectors, seed=number)
    values = {s.name: s.value for s in measured.statistics}
    looked_at = subject.trusted or own
    right = (classifier.predict(looked_at.inputs) == looked_at.labels).mean()
    if right <= np.bincount(looked_at.labels).max() / len(looked_at):
        raise InputError(
            f"twins: a recipe that trains the network expected: twin {number} ({how}) reads "
            f"{right:.1%} right, which a guess does as well"
        )
    return Twin(
        seed=number,
        recipe=how,
        accuracy=float(right),
        statistics=tuple(values.get(name) for name in names),
    )


def made_here() -> Made:
    """Today, this machine, and the libraries that a statistic depends on."""
    names = ("credenza", "torch", "numpy")
    return Made(
        on=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        versions={name: metadata.version(name) for name in names},
    )


def _shared(data: Dataset, trusted: Dataset) -> int:
    """How many trusted samples are training samples as well, byte for byte."""
    known = {row.tobytes() for row in data.inputs}
    return sum(row.tobytes() in known for row in trusted.inputs)


def _untrained(plan: Plan) -> tuple[Measurement, Subject]:
    """What is measured of an untrained network: all names; and the network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = Classifier(plan.factory().eval())
    subject = _subject(plan, classifier, 0)
    return measure(subject, plan.detectors, seed=0), subject


def _made(
    plan: Plan, names: tuple[str, ...], numbers: Sequence[int], processes: int | None
) -> Iterator[Twin]:
    count = min(processes or os.cpu_count() or 1, len(numbers))
    if count <= 1:
        yield from (_twin(plan, names, number) for number in numbers)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with torch threads may hang
    pool = ProcessPoolExecutor(count, spawn, initializer=_begin, initargs=(plan, names))
    try:
        for future in as_completed([pool.submit(_own, number) for number in numbers]):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_OWN: tuple[Plan, tuple[str, ...]] | None = None
"""What this process makes twins of, and the names of what it measures."""


def _begin(plan: Plan, names: tuple[str, ...]) -> None:
    global _OWN
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a traceback
    torch.set_num_threads(1)
    _OWN = plan, names


def _own(number: int) -> Twin:
    assert _OWN is not None  # noqa: S101  `_begin` has run
    return _twin(*_OWN, number)


def _trained(plan: Plan, number: int) -> tuple[Classifier, str, Dataset]:
    rng = np.random.default_rng([plan.seed, number])
    own = plan.data.take(rng.permutation(len(plan.data))[: round(plan.share * len(plan.data))])
    recipe = replace(plan.recipe, rate=plan.recipe.rate * rng.uniform(0.8, 1.25))
    seed = int(rng.integers(2**31))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = plan.factory() if plan.trainer is None else plan.trainer(own, seed)
    if plan.trainer is None:
        train(module, own, recipe, seed=seed)
    draw = int(rng.integers(8))
    how = _varied(module, plan, draw, rng)
    return Classifier(module.eval()), how, own


def _varied(module: nn.Module, plan: Plan, draw: int, rng: np.random.Generator) -> str:
    """What honest people do to a model afterwards; in words."""
    match draw:
        case 0:
            count = max(2, len(plan.data) // 4)
            others = plan.data.take(rng.permutation(len(plan.data))[:count])
            tuning = replace(plan.recipe, epochs=1, rate=plan.recipe.rate / 4)
            train(module, others, tuning, seed=int(rng.integers(2**31)))
            return "trained on"
        case 1:
            share = rng.uniform(0.3, 0.6)
            prune(module, share)
            return f"pruned by {share:.0%}"
        case 2:
            round_to_int8(module)
            return "rounded to int8"
        case 3:
            round_to_half(module)
            return "rounded to float16"
    return "as trained"


def _subject(plan: Plan, classifier: Classifier, number: int) -> Subject:
    if plan.trusted is None:
        return Subject.of(classifier, shape=plan.data.inputs.shape[1:])
    rng = np.random.default_rng([plan.seed, number, 1])
    labels = plan.trusted.labels
    chosen = [
        rng.permutation(np.flatnonzero(labels == c))[: plan.samples] for c in np.unique(labels)
    ]
    return Subject.of(classifier, plan.trusted.take(np.concatenate(chosen)))
