"""Whether values were rounded to evenly spaced steps: what quantising and going back leaves."""

from __future__ import annotations

import math
from collections.abc import Iterator
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
    for name, width in _groupings(new.columns):
        steps = _steps(new, name, width, unit)
        if steps and _near(old, new, Grid(name, max(steps)), width, min(steps)):
            return Grid(name, max(steps))
    return None


def _groupings(columns: int) -> Iterator[tuple[str, int]]:
    yield "tensor", 0
    yield "row", columns
    yield from ((str(g), g) for g in (128, 64, 32) if columns % g == 0 and g < columns)


def _steps(new: Matrix, name: str, width: int, unit: float) -> list[int] | None:
    """How many steps some groups of the tensor have; None where one of them has none."""
    found, log_chance = [], 0.0
    for values in _groups(new, name, width):
        top = float(np.abs(values).max(initial=0.0))
        if not top:
            continue
        told = _whole(values / top, unit)
        if told is None:
            return None
        found.append(told[0])
        log_chance += told[1]
    return found if found and log_chance < _CERTAIN else None


def _groups(new: Matrix, name: str, width: int) -> Iterator[NDArray[np.float64]]:
    """Some groups, from all over the tensor; of the whole tensor, a part with its largest."""
    chosen = np.unique(np.linspace(0, new.rows - 1, _SAMPLED).astype(np.intp))
    parts, largest = [], np.zeros(1)
    for block in blocks(new, new):
        rows = chosen[(chosen >= block.start) & (chosen < block.start + len(block.new))]
        parts += list(block.new[rows - block.start])
        if name == "tensor":
            at = np.unravel_index(np.abs(block.new).argmax(), block.new.shape)
            largest = max(largest, block.new[at].reshape(1), key=lambda v: abs(float(v[0])))
    if name == "tensor":
        share = max(1, _LONGEST // max(1, len(parts)))
        yield np.concatenate([*(p[:share] for p in parts), largest])
        return
    for part in parts:
        if name == "row":
            top = part[[np.abs(part).argmax()]]
            yield np.concatenate((part[:_LONGEST], top))
        else:
            yield from part.reshape(-1, width)[:4]


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
        tops = [float(np.abs(b.old).max(initial=0.0)) for b in blocks(old, old)]
        reach = _REACH * max(tops) / steps
        return all((np.abs(b.new - b.old) <= reach).all() for b in blocks(old, new))
    for b in blocks(old, new):
        was = b.old.reshape(-1, width)
        top = np.abs(was).max(axis=1)  # the old's: an edit that stretches its own scale is none
        away = np.abs(b.new.reshape(-1, width) - was).max(axis=1)
        if (away > _REACH * top / steps).any():
            return False
    return True
