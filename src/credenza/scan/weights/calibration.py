"""What honest networks score: the null distribution that a score is held against."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from credenza.errors import InputError
from credenza.files import packaged, read_whole
from credenza.rates import interval
from credenza.scan.weights.scores import Oddity

LARGE: Final = 1 << 20
"""How many numbers a large network has at least."""

_SHIPPED: Final = "networks.json"
_MOST_BYTES: Final = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a test's scores are measured in: on honest networks that developed the tests and are
    in no calibration, ``middle`` is the median of log2(1 + score), and 1 unit above it is the
    highest, or ``LEAST_SPREAD`` above it if that is more.
    """

    middle: float
    spread: float

    LEAST_SPREAD: ClassVar = 0.25

    def of(self, score: float) -> float:
        """A score in these units."""
        return (math.log2(1 + score) - self.middle) / self.spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """An honest network: where it is from, how many numbers it has, and what it scored, 0 for a
    test that is not named.
    """

    name: str
    made: str
    elements: int
    scores: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A population of honest networks, what they scored, and the unit of each test.

    All tests of a network are one: its *oddness* is the highest of its scores, each in its unit.
    So there is one p-value a network, however many tests there are (the maximum statistic of
    Westfall and Young, Resampling-Based Multiple Testing, 1993), and nothing to correct for.

    Large networks are odder than small ones, so each is held against those on its side of `LARGE`
    (`like`): a p-value holds for each kind by itself (Vovk et al., below, section 4.5).
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

    def like(self, elements: int) -> Calibration:
        """The networks that one of so many numbers is held against.

        Raises `InputError` where there are none.
        """
        kind = tuple(n for n in self.networks if (n.elements >= LARGE) == (elements >= LARGE))
        return replace(self, networks=kind)

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

    def p_value_of(self, test: Oddity, score: float) -> float:
        """The same for one test alone, which is one of several: no verdict by itself."""
        odd = sum(n.scores.get(test.value, 0.0) >= score for n in self.networks)
        return (1 + odd) / (len(self.networks) + 1)

    def threshold(self, level: float) -> float:
        """Who is odder has a p-value of ``level`` at most.

        Where the population is too small for that, it is the highest oddness of all: the p-values
        above it are then the least that the population can give, 1 / (networks + 1).
        """
        return sorted(_oddnesses(self), reverse=True)[self._rank(level) - 1]

    def false_alarms(self, level: float) -> float:
        """The upper 95 % bound of the rate at which networks of the population are odder than the
        threshold: Clopper and Pearson's, for the networks above it.
        """
        return interval(self._rank(level) - 1, len(self.networks), confidence=0.9)[1]

    def least(self) -> float:
        """The least p-value that so few networks can give."""
        return 1 / (len(self.networks) + 1)

    def _rank(self, level: float) -> int:
        """Which of the highest is the threshold, from 1."""
        return max(1, int(level * (len(self.networks) + 1) + 1e-9))  # 0.29 * 100 is 28.999…


@functools.cache
def shipped() -> Calibration:
    """The calibration that comes with the package. docs/results/weights.md has its figures."""
    shipped = packaged(__name__.rpartition(".")[0], _SHIPPED)
    return _parse(shipped.encode(), _SHIPPED)


def _oddnesses(calibration: Calibration) -> list[float]:
    return [calibration.oddness(n.scores) for n in calibration.networks]


def _parse(data: bytes, name: str) -> Calibration:
    try:
        return msgspec.json.decode(data, type=Calibration)
    except msgspec.MsgspecError as e:
        raise InputError(f"{name}: a calibration expected: {e}") from e
