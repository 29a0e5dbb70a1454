"""What honest networks score: the null distribution that a score is held against."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from credenza.errors import InputError
from credenza.files import read_whole
from credenza.rates import interval
from credenza.scan.weights.scores import Test

_SHIPPED: Final = "networks.json"
_MOST_BYTES: Final = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a test's scores are measured in: on honest networks that developed the tests and are
    in no calibration, ``middle`` is the median of log2(1 + score), and 1 unit above it is the
    95th percentile, or ``LEAST_SPREAD`` if that is further."""

    middle: float
    spread: float

    LEAST_SPREAD = 0.25

    def of(self, score: float) -> float:
        """A score in these units."""
        return (math.log2(1 + score) - self.middle) / self.spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """An honest network: where it is from, and what it scored, 0 for a test that is not named."""

    name: str
    made: str
    scores: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A population of honest networks, what they scored, and the unit of each test.

    All tests of a network are one: its *oddness* is the highest of its scores, each in its unit.
    So there is one p-value a network, however many tests there are (the maximum statistic of
    Westfall and Young, Resampling-Based Multiple Testing, 1993), and nothing to correct for.
    """

    population: str
    made: str
    units: dict[str, Unit]
    networks: tuple[Honest, ...]

    def __post_init__(self) -> None:
        if not self.networks:
            raise InputError("calibration: honest networks expected, none given")

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """The calibration in a file. Raises `InputError` for one that is none."""
        return _parse(read_whole(path, limit=_MOST_BYTES), str(path))

    def oddness(self, scores: Mapping[str, float]) -> float:
        """The highest of the scores, each in its unit."""
        return max(unit.of(scores.get(test, 0.0)) for test, unit in self.units.items())

    def p_value(self, oddness: float) -> float:
        """(1 + honest networks as odd or odder) / (networks + 1).

        A network of the population comes at or under α with probability α at most: a conformal
        p-value (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005).
        """
        odd = sum(o >= oddness for o in _oddnesses(self))
        return (1 + odd) / (len(self.networks) + 1)

    def p_value_of(self, test: Test, score: float) -> float:
        """The same for one test alone, which is one of several: no verdict by itself."""
        odd = sum(n.scores.get(test.value, 0.0) >= score for n in self.networks)
        return (1 + odd) / (len(self.networks) + 1)

    def threshold(self, level: float) -> float:
        """Who is odder has a p-value of ``level`` at most.

        Raises `InputError` where the population is too small for that.
        """
        rank = int(level * (len(self.networks) + 1) + 1e-9)
        if rank < 1:
            raise InputError(f"calibration: {len(self.networks)} networks know no level of {level}")
        return sorted(_oddnesses(self), reverse=True)[rank - 1]

    def false_alarms(self, level: float) -> float:
        """The upper 95 % bound of the rate at which networks of the population are odder than the
        threshold: Clopper and Pearson's, for the networks above it."""
        rank = int(level * (len(self.networks) + 1) + 1e-9)
        return interval(max(0, rank - 1), len(self.networks), confidence=0.9)[1]


@functools.cache
def shipped() -> Calibration:
    """The calibration that comes with the package. docs/results/weights.md has its figures."""
    file = resources.files(__name__.rpartition(".")[0]) / _SHIPPED
    return _parse(file.read_bytes(), _SHIPPED)


def _oddnesses(calibration: Calibration) -> list[float]:
    return [calibration.oddness(n.scores) for n in calibration.networks]


def _parse(data: bytes, name: str) -> Calibration:
    try:
        return msgspec.json.decode(data, type=Calibration)
    except msgspec.MsgspecError as e:
        raise InputError(f"{name}: a calibration expected: {e}") from e
