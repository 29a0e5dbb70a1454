"""Clean models, scored: what a score means is how many of them score as badly."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from torch import nn

from credenza.errors import InputError
from credenza.files import packaged, read_whole
from credenza.rates import interval

_SHIPPED: Final = "mnist-reader.json"
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A clean model of a population: how it was made, how well it reads, what it scored."""

    seed: int
    recipe: str
    accuracy: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A population of clean models and the scores of `TriggerSearch` on them.

    ``architecture`` is what `architecture` says of each, ``search`` the detector's settings as
    text: a score of another architecture or of other settings has no known false-alarm rate.
    ``twins`` calibrate; ``held_out`` are clean models of seeds that are not among theirs.
    """

    population: str
    architecture: str
    search: str
    made: str
    twins: tuple[Twin, ...]
    held_out: tuple[Twin, ...] = ()

    def __post_init__(self) -> None:
        if not self.twins:
            raise InputError("calibration: clean models expected, none given")
        if {t.seed for t in self.twins} & {t.seed for t in self.held_out}:
            raise InputError("calibration: a model that calibrates is also held out")

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """The calibration in a file. Raises `InputError` for one that is none."""
        return _parse(read_whole(path, limit=_MOST_BYTES), str(path))

    def p_value(self, score: float) -> float:
        """(1 + clean models that score as low or lower) / (models + 1).

        A clean model of the population falls at or under α with probability α at most: a
        conformal p-value (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World,
        2005).
        """
        return (1 + sum(t.score <= score for t in self.twins)) / (len(self.twins) + 1)

    def threshold(self, level: float) -> float:
        """Scores below it have a p-value of ``level`` at most.

        Where the population is too small for that, it is the lowest score of all: the p-values
        below it are then the least that the population can give, 1 / (models + 1).
        """
        return sorted(t.score for t in self.twins)[self._rank(level) - 1]

    def false_alarms(self, level: float) -> float:
        """The upper 95 % bound of the rate at which clean models fall below the threshold.

        Of n twins the k-th lowest is the threshold, so that the rate is distributed as
        Beta(k, n + 1 − k): its bound is that of Clopper and Pearson for k − 1 of n.
        """
        return interval(self._rank(level) - 1, len(self.twins), confidence=0.9)[1]

    def _rank(self, level: float) -> int:
        """Which of the lowest scores is the threshold, from 1."""
        most = len(self.twins)
        return min(most, max(1, int(level * (most + 1) + 1e-9)))  # 0.07 * 100 is 7.000000000000001


@functools.cache
def shipped() -> Calibration:
    """The calibration that comes with the package: the cheque reader, on MNIST."""
    shipped = packaged(__name__.rpartition(".")[0], f"calibration/{_SHIPPED}")
    return _parse(shipped.encode(), _SHIPPED)


def architecture(module: nn.Module) -> str:
    """The layers that have parameters, and their shapes: ``Conv2d 16×1×3×3, Linear 10×64``.

    Models that differ in nothing but their weights have one architecture.
    """
    layers = ((m, dict(m.named_parameters(recurse=False))) for m in module.modules())
    return ", ".join(
        f"{type(m).__name__} {'×'.join(str(n) for n in p.shape)}"
        for m, own in layers
        for name, p in own.items()
        if name == "weight" or "weight" not in own
    )


def _parse(data: bytes, name: str) -> Calibration:
    try:
        return msgspec.json.decode(data, type=Calibration)
    except msgspec.MsgspecError as e:
        raise InputError(f"{name}: a calibration expected: {e}") from e
