"""Clean twins, measured: what a model's statistics mean is how many twins look as bad."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from credenza.errors import InputError
from credenza.files import packaged, read_whole
from credenza.probe.subject import Statistic

_SHIPPED: Final = "mnist-reader.json"
Floats = NDArray[np.float64]

VERSION: Final = 1
_MOST_BYTES: Final = 16 << 20
_TAIL: Final = 0.9
"""From this quantile on, a statistic's tail is taken to fall exponentially."""


@final
@dataclass(frozen=True, slots=True)
class Twin:
    """A clean model of a population: how it was made, and its statistics in the order of names."""

    seed: int
    recipe: str
    accuracy: float
    statistics: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The statistics of clean models of one kind (docs/formats/calibration.md).

    ``population`` says in words which, ``architecture`` is what `credenza.probe.architecture` says
    of each, and ``detectors`` are the settings that they were measured with: statistics of
    another architecture or of other settings have no known false-alarm rate.

    Raises `InputError` for fewer than two twins, names given twice, and statistics that are not
    finite or not one a name.
    """

    version: int = VERSION
    population: str
    architecture: str
    detectors: tuple[str, ...]
    made: str
    names: tuple[str, ...]
    two_sided: tuple[bool, ...]
    twins: tuple[Twin, ...]

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise InputError(f"calibration: version {VERSION} expected, {self.version} found")
        if len(self.twins) < 2:
            raise InputError(f"calibration: two twins or more expected, {len(self.twins)} found")
        if not self.names or len(set(self.names)) != len(self.names):
            raise InputError("calibration: statistics with names of their own expected")
        if len(self.two_sided) != len(self.names):
            raise InputError("calibration: a side for each statistic expected")
        if any(len(t.statistics) != len(self.names) for t in self.twins):
            raise InputError(f"calibration: {len(self.names)} statistics of each twin expected")
        if not np.isfinite([t.statistics for t in self.twins]).all():
            raise InputError("calibration: finite statistics expected")
        if len({t.seed for t in self.twins}) != len(self.twins):
            raise InputError("calibration: twins with seeds of their own expected")

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """The calibration in a file. Raises `InputError` for one that is none."""
        return cls.parse(read_whole(path, limit=_MOST_BYTES), str(path))

    @classmethod
    def parse(cls, data: bytes, name: str) -> Calibration:
        """The calibration in those bytes; ``name`` is what an error calls them."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as e:
            raise InputError(f"{name}: a calibration expected: {e}") from e

    def to_bytes(self) -> bytes:
        """What `parse` reads: JSON, a twin a line."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @property
    def least(self) -> float:
        """The least p-value that so many twins can give: 1 / (twins + 1)."""
        return 1 / (len(self.twins) + 1)

    def judge(self, statistics: Sequence[Statistic]) -> Judgement:
        """What the statistics of one more model are worth among the twins.

        Those of names that the twins have not are left out; those that the model lacks are left
        out of the twins as well, and named in ``missing``. Raises `InputError` where none is left.
        """
        given = {s.name: s for s in statistics if s.name in self.names}
        if not given:
            raise InputError(
                f"calibration: statistics of {', '.join(self.names)} expected, none given"
            )
        places = [i for i, name in enumerate(self.names) if name in given]
        own = [given[self.names[i]].value for i in places]
        rows = np.array([*([t.statistics[i] for i in places] for t in self.twins), own])
        tails = tail_scores(rows, np.array([self.two_sided[i] for i in places]))
        combined = combine(tails)
        return Judgement(
            tails={self.names[i]: float(tails[-1, j]) for j, i in enumerate(places)},
            p_values={self.names[i]: _rank(tails[:, j]) for j, i in enumerate(places)},
            score=float(combined[-1]),
            p_value=_rank(combined),
            twins=tuple(float(s) for s in combined[:-1]),
            missing=tuple(name for name in self.names if name not in given),
        )


@functools.cache
def shipped() -> Calibration:
    """The calibration that comes with the package: the cheque reader, on MNIST."""
    found = packaged(__name__.rpartition(".")[0], f"calibration/{_SHIPPED}")
    return Calibration.parse(found.encode(), _SHIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a model's statistics come to beside those of its twins.

    ``tails`` are tail scores by name (`tail_scores`), ``p_values`` the conformal p-values of each
    alone. ``score`` combines them (`combine`), ``p_value`` is its conformal p-value, and ``twins``
    are the scores of the twins, in their order.
    """

    tails: dict[str, float]
    p_values: dict[str, float]
    score: float
    p_value: float
    twins: tuple[float, ...]
    missing: tuple[str, ...]

    def standing_out(self, level: float) -> tuple[str, ...]:
        """The statistics that make the score, the furthest first: none if ``p_value`` > level.

        The furthest, and all others whose tail score alone is above those of all twins' combined
        scores but the share ``level`` of them.
        """
        if self.p_value > level:
            return ()
        allowed = int(level * (len(self.twins) + 1) + 1e-9) - 1
        bound = sorted(self.twins, reverse=True)[max(allowed, 0)]
        ordered = sorted(self.tails, key=lambda name: -self.tails[name])
        return tuple(n for i, n in enumerate(ordered) if i == 0 or self.tails[n] > bound)


def tail_scores(rows: Floats, two_sided: NDArray[np.bool_]) -> Floats:
    """−log10 of how rare each value is in its column, on one scale for all; (models, statistics).

    A two-sided statistic is first replaced by its distance from the median of its column. Up to
    the 90th percentile q the score is that of the value's rank, −log10(share of values ≥ it), and
    0 to 1; beyond it the tail is taken to be exponential, P(X ≥ x) = 0.1 · exp(−(x − q) / β), with
    β the mean excess over q. A column without a tail scores 0. All rows are treated alike, so
    the scores of exchangeable models are exchangeable.
    """
    values = rows.astype(np.float64)
    centre = np.median(values, axis=0)
    values = np.where(two_sided, np.abs(values - centre), values)
    scores = np.zeros_like(values)
    for j, column in enumerate(values.T):
        ordered = np.sort(column)
        bound = float(np.quantile(column, _TAIL, method="higher"))
        above = column[column > bound]
        share = 1 - np.searchsorted(ordered, column, side="left") / len(column)
        score = -np.log10(np.maximum(share, 1 - _TAIL))
        if len(above):
            scale = float((above - bound).mean())
            beyond = 1 + (column - bound) / (scale * np.log(10))
            score = np.where(column > bound, beyond, score)
        scores[:, j] = score if ordered[0] < ordered[-1] else 0.0
    return scores


def combine(tails: Floats) -> Floats:
    """One score a model, (models,), from its tail scores (models, statistics): the largest."""
    largest: Floats = tails.max(axis=1)
    return largest


def _rank(scores: Floats) -> float:
    """(number that score as high as the last one, itself included) / all: conformal.

    If all models are exchangeable it is at or under α with probability α at most (Vovk, Gammerman
    and Shafer, Algorithmic Learning in a Random World, 2005, proposition 2.8).
    """
    return float((scores >= scores[-1]).mean())
