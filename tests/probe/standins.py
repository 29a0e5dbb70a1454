"""A detector that reads what it says off the weights, and clean twins made up for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from credenza.errors import InputError
from credenza.findings import Where
from credenza.probe import Calibration, Evidence, Made, Measured, Need, Statistic, Subject, Twin

MADE = Made(on="2026-11-24", machine="made up", versions={"numpy": "2"})


@dataclass(frozen=True, slots=True)
class Reads:
    """One statistic a name: the number under that name in the weights, if it is there."""

    names: tuple[str, ...] = ("first", "second")
    two_sided: bool = False
    needs: frozenset[Need] = frozenset({Need.WEIGHTS})
    covers: str = "numbers: are they high?"
    blind: tuple[str, ...] = ("numbers under other names",)
    refuses: bool = False

    def measure(self, subject: Subject, *, seed: int) -> Measured:
        if self.refuses:
            raise InputError("numbers: none can be read")
        return Measured(
            tuple(self._statistic(n, subject) for n in self.names if n in subject.weights)
        )

    def _statistic(self, name: str, subject: Subject) -> Statistic:
        return Statistic(
            name=name,
            value=float(subject.weights[name][0]),
            definition="a number",
            evidence=Evidence(what=f"{name} is high", where=Where(classes=(5, 2))),
            two_sided=self.two_sided,
        )


def numbers(**values: float) -> Subject:
    """A subject of those numbers."""
    return Subject(classes=2, weights={n: np.array([v], np.float32) for n, v in values.items()})


def population(
    columns: Mapping[str, Sequence[float | None]],
    detectors: Sequence[object] = (Reads(),),
    *,
    two_sided: bool = False,
    architecture: tuple[str, ...] = ("first 1", "second 1"),
) -> Calibration:
    """Twins with those values under each name."""
    rows = list(zip(*columns.values(), strict=True))
    return Calibration(
        population="models that a test made up",
        classes=2,
        architecture=architecture,
        trusted=0,
        detectors=tuple(map(str, detectors)),
        recipe="made up",
        made=MADE,
        names=tuple(columns),
        two_sided=(two_sided,) * len(columns),
        families=("",) * len(columns),
        twins=tuple(
            Twin(seed=i, recipe="made up", accuracy=1.0, statistics=row)
            for i, row in enumerate(rows)
        ),
    )


def normal(count: int, seed: int = 0) -> dict[str, list[float]]:
    """Two independent columns."""
    drawn = np.random.default_rng(seed).normal(size=(2, count)).tolist()
    return dict(zip(("first", "second"), drawn, strict=True))
