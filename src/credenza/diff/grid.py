"""Whether values were rounded to evenly spaced steps: what quantising and going back leaves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.diff.matrix import Matrix, blocks
from credenza.diff.sums import PRECISION

_MOST_STEPS: Final = 256
"""Steps from 0 to the largest value: 127 of int8, 255 of uint8 with a zero point at one end."""

_SAMPLED: Final = 24
"""Groups that are looked at for their steps; how far values moved is looked at everywhere."""

_LONGEST: Final = 2048
"""Elements of a group that are looked at."""

_CERTAIN: Final = -30.0
"""ln of the chance that values which lie on no grid pass for some: 1e-13."""

_REACH: Final = 1.1
"""Steps that a value may have moved.

Rounding to nearest moves it by half a step; llama.cpp's Q4_0 clips the far end by one
(`quantize_row_q4_0_ref` in ggml-quants.c), and its scales, in 16 bits, add a little.
"""


@dataclass(frozen=True, slots=True)
class Grid:
    """Values that are whole multiples of one step a group.

    ``group`` is ``tensor``, ``row``, or the number of consecutive elements of a row that share a
    step. ``steps`` are those from 0 to the largest value, at most over the groups that were
    looked at: 127 of a symmetric int8, 7 or 8 of an int4.
    """

    group: str
    steps: int

    @property
    def bits(self) -> int:
        """The least integers that hold it, of those that models are quantised to."""
        return next((b for b in (2, 3, 4, 5, 6, 8) if self.steps <= 1 << (b - 1)), 8)

    def __str__(self) -> str:
        per = f"a {self.group}" if self.group in ("tensor", "row") else f"for {self.group} elements"
        return f"{self.bits} bits with one scale {per}"


def grid(old: Matrix, new: Matrix) -> Grid | None:
    """The steps that ``new`` lies on, with no element further from ``old`` than about one.

    The coarsest grouping that fits is given. None where there is no such grid, which is also so
    where most of it could be chance: a group of a few elements, or one stored in few bits.
    """
    if new.dtype.block > 1:
        found = Grid(str(new.dtype.block), 1 << (new.dtype.bits // new.dtype.block - 1))
        return found if _near(old, new, found, 32, found.steps) else None
    unit = 2.0 ** -PRECISION[new.dtype]
    sampled = _sampled(new)
    if new.columns == 1:
        return _tensor_wide(old, new, sampled, unit)
    for name, width in _groupings(new.columns):
        steps = _steps(_groups(sampled, width), unit)
        if steps and name == "row" and (whole := _tensor_wide(old, new, sampled, unit)):
            return whole
        if steps and _near(old, new, Grid(name, max(steps)), width, min(steps)):
            return Grid(name, max(steps))
    return None


def _tensor_wide(
    old: Matrix, new: Matrix, sampled: Sequence[NDArray[np.float64]], unit: float
) -> Grid | None:
    """The grid that all of the tensor lies on; where it does, so does each row."""
    top = max(float(np.abs(b.new).max(initial=0.0)) for b in blocks(new, new))
    values = np.concatenate([*(row[:_LONGEST] for row in sampled), np.array([top])])
    steps = _steps([values], unit)
    found = Grid("tensor", max(steps)) if steps else None
    return found if found and _near(old, new, found, 0, found.steps) else None


def _sampled(new: Matrix) -> list[NDArray[np.float64]]:
    """Some rows, from all over the tensor."""
    chosen = np.unique(np.linspace(0, new.rows - 1, _SAMPLED).astype(np.intp)).tolist()
    if not new.sliceable:
        rows = new.block(0, new.rows)[1]
        return [rows[r].astype(np.float64) for r in chosen]
    return [new.block(r, r + 1)[1][0].astype(np.float64) for r in chosen]


def _groupings(columns: int) -> Iterator[tuple[str, int]]:
    yield "row", columns
    yield from ((str(g), g) for g in (128, 64, 32) if columns % g == 0 and g < columns)


def _groups(sampled: Sequence[NDArray[np.float64]], width: int) -> Iterator[NDArray[np.float64]]:
    for row in sampled:
        for group in row.reshape(-1, width)[:4]:
            yield np.concatenate((group[:_LONGEST], group[[np.abs(group).argmax()]]))


def _steps(groups: Iterable[NDArray[np.float64]], unit: float) -> list[int] | None:
    """How many steps each of the groups has; None where one of them has none."""
    found, log_chance = [], 0.0
    for values in groups:
        top = float(np.abs(values).max(initial=0.0))
        if not top:
            continue
        told = _whole(values / top, unit)
        if told is None:
            return None
        found.append(told[0])
        log_chance += told[1]
    return found if found and log_chance < _CERTAIN else None


def _whole(values: NDArray[np.float64], unit: float) -> tuple[int, float] | None:
    """The fewest steps k such that k · values, of -1 to 1, are whole up to rounding.

    With it the logarithm of the chance that other values pass; the error of a value stored to
    p bits is 2⁻ᵖ of itself, and that of the scale as much again.
    """
    values = values[values != 0]
    for k in range(1, _MOST_STEPS + 1):
        at = values * k
        reach = 2 * unit * np.abs(at) + 1e-9
        if (np.abs(at - np.round(at)) <= reach).all():
            inner = np.abs(at) < k * (1 - 4 * unit)  # the largest is whole by construction
            chances = np.minimum(1.0, 2 * reach[inner])
            return k, float(np.log(chances).sum()) + math.log(_MOST_STEPS)
    return None


def _near(old: Matrix, new: Matrix, found: Grid, width: int, steps: int) -> bool:
    """Whether every element is within about a step of what it was."""
    if found.group == "tensor":
        top = max(float(np.abs(b.old).max(initial=0.0)) for b in blocks(old, old))
        reach = _REACH * top / steps
        return all((np.abs(b.new - b.old) <= reach).all() for b in blocks(old, new))
    for b in blocks(old, new):
        was = b.old.reshape(-1, width)
        top = np.abs(was).max(axis=1)  # the old's: an edit that stretches its own scale is none
        away = np.abs(b.new.reshape(-1, width) - was).max(axis=1)
        if (away > _REACH * top / steps).any():
            return False
    return True
