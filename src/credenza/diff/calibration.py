"""Where a threshold decides: what it is, and the population that it was taken from.

`benchmarks/diff/calibrate.py` makes the file: thresholds and weights from development changes,
rates and scores from others, whose seeds are none of theirs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from credenza.errors import InputError
from credenza.files import packaged
from credenza.rates import interval

_SHIPPED: Final = "calibration.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """Of ``of`` calibrating changes of a kind, ``right`` were called so."""

    kind: str
    right: int
    of: int

    @property
    def least(self) -> float:
        """The lower end of the exact 95 % interval of the rate (Clopper and Pearson)."""
        return interval(self.right, self.of)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Thresholds of `credenza.diff.verdict`, weights of the score, and how both did.

    A correlation up to ``unrelated`` is that of another model, one from ``related`` on that of a
    descendant; between them nothing is said. ``step`` is how steeply a spectrum has to fall to be
    called a merged adapter's where rounding hides its rank. ``turned`` is the least part of a
    change that is no scaling. ``means``, ``scales``, ``weights`` and ``bias`` are of a logistic
    regression over `credenza.diff.score.FEATURES`; ``honest`` are the scores of calibrating
    changes that are fine-tunes, conversions or prunings, ascending.
    """

    population: str
    made: str
    unrelated: float
    related: float
    step: float
    turned: float
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    honest: tuple[float, ...]
    confirmed: tuple[Confirmed, ...]

    def __post_init__(self) -> None:
        if not self.honest or not self.unrelated < self.related:
            raise InputError("calibration: honest scores, and unrelated < related, expected")
        if {len(self.means), len(self.scales), len(self.weights)} != {len(self.means)}:
            raise InputError("calibration: one mean, scale and weight a feature expected")

    def score(self, features: NDArray[np.float64]) -> float:
        """The log odds of an edit made by hand, in the development population."""
        scaled = (features - np.array(self.means)) / np.array(self.scales)
        return float(scaled @ np.array(self.weights)) + self.bias

    def p_value(self, score: float) -> float:
        """(1 + honest changes that score as high or higher) / (honest changes + 1).

        Of further honest changes of the population a share of at most p scores so high, in the
        mean over populations (Vovk, Gammerman and Shafer 2005).
        """
        return (1 + sum(s >= score for s in self.honest)) / (len(self.honest) + 1)

    def of(self, kind: str) -> Confirmed | None:
        """How calibrating changes of that kind were named; None where there were none."""
        return next((c for c in self.confirmed if c.kind == kind), None)


def parse(data: bytes) -> Calibration:
    """Raises `InputError` for bytes that are no calibration."""
    try:
        return msgspec.json.decode(data, type=Calibration)
    except msgspec.DecodeError as e:
        raise InputError(f"calibration: {e}") from e


@functools.cache
def shipped() -> Calibration:
    """The calibration that comes with credenza."""
    return parse(packaged("credenza.diff", _SHIPPED).encode())
