"""What one pass over two matrices adds up, a block of rows at a time."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import Dtype
from credenza.diff.matrix import Block, Matrix

PRECISION: Final = {
    Dtype.F64: 53,
    Dtype.F32: 24,
    Dtype.F16: 11,
    Dtype.BF16: 8,
    Dtype.F8_E4M3: 4,
    Dtype.F8_E4M3FNUZ: 4,
    Dtype.F8_E5M2: 3,
    Dtype.F8_E5M2FNUZ: 3,
    Dtype.F6_E2M3: 4,
    Dtype.F6_E3M2: 3,
    Dtype.F4: 2,
}
"""Significant bits p of each floating-point type: rounding to it moves a value by 2⁻ᵖ of itself
at most, as long as it is not subnormal there (IEEE 754-2019, section 4.3)."""

_SMALLEST: Final = {Dtype.F16: -24, Dtype.BF16: -133, Dtype.F32: -149}
"""The exponent of two of the smallest value above zero, for the types that models are kept in."""

_FIELDS: Final = {
    Dtype.F64: (1, 11, 52),
    Dtype.F32: (1, 8, 23),
    Dtype.F16: (1, 5, 10),
    Dtype.BF16: (1, 8, 7),
    Dtype.F8_E4M3: (1, 4, 3),
    Dtype.F8_E5M2: (1, 5, 2),
}
"""Bits of sign, exponent and mantissa, from the top down."""

_BINS: Final = 1 << 15
"""Of |Δ| by its float64: eleven bits of exponent and four of mantissa, so a bin is 1/16 wide."""


class Sums:
    """What one pass over both matrices adds up.

    ``flips`` counts elements of which a bit of the sign, of the exponent, of the mantissa differs;
    zeros for a type without these. ``within`` are the types to which rounding moves every element
    so far at least as far as it moved.
    """

    def __init__(self, old: Matrix, new: Matrix) -> None:
        self._dtype = new.dtype if old.dtype is new.dtype else None
        self.changed = self.moved = self.zeroed = 0
        self.single_bits = self.exponents = 0
        self.flips = [0, 0, 0]
        self.bad_old = self.bad_new = 0
        self.largest = self.old_energy = self.old_sum = self.new_sum = 0.0
        self.row_changed = np.zeros(new.rows, bool)
        self.row_energy = np.zeros(new.rows)
        self.row_norm = np.zeros(new.rows)
        self.column_energy = np.zeros(new.columns)
        self.histogram = np.zeros(_BINS, np.int64)
        self.within = set(_SMALLEST)

    def add(self, block: Block) -> None:
        """Add a block, each once and in order."""
        rows = slice(block.start, block.start + len(block.new))
        old, new = block.old, block.new
        self._differ(block, rows)
        finite_old, finite_new = np.isfinite(old), np.isfinite(new)
        bad_old = old.size - int(np.count_nonzero(finite_old))
        bad_new = new.size - int(np.count_nonzero(finite_new))
        moved = old != new
        if bad_old or bad_new:
            moved &= ~(np.isnan(old) & np.isnan(new))
            finite = finite_old & finite_new
            if (moved & ~finite).any():
                self.within.clear()
            old, new = np.where(finite, old, 0), np.where(finite, new, 0)
        self.bad_old, self.bad_new = self.bad_old + bad_old, self.bad_new + bad_new
        self.moved += int(np.count_nonzero(moved))
        self.zeroed += int(np.count_nonzero(moved & (block.new == 0)))
        self._distances(old, new, rows)

    @property
    def correlation(self) -> float:
        """Pearson's of old and new elements: 1 for a multiple, about 0 for unrelated ones.

        The mean of all is taken off: that of trained weights is often not 0, and would make
        unrelated layers look alike. 0 where either is constant.
        """
        n = self.row_norm.size * self.column_energy.size
        old, new = self.old_energy, float(self.row_norm.sum())
        product = (old + new - float(self.row_energy.sum())) / 2 - self.old_sum * self.new_sum / n
        spread = (old - self.old_sum**2 / n) * (new - self.new_sum**2 / n)
        if not spread > 1e-24 * old * new:
            return 0.0
        return max(-1.0, min(1.0, product / math.sqrt(spread)))

    @property
    def gini(self) -> float:
        """Gini's coefficient of |Δ|: 0 where all elements moved alike, near 1 where few did.

        G = 2 Σ i·x₍ᵢ₎ / (n Σ x) − (n + 1)/n over ascending x (Gini 1912; Damgaard and Weiner
        2000), from the counts of bins that are 1/16 wide, so to about 0.01.
        """
        return _gini(self.histogram)

    def _differ(self, block: Block, rows: slice) -> None:
        if self._dtype is None:
            differ: NDArray[np.bool_] = np.not_equal(block.old, block.new)
        else:
            flipped = block.old_bits ^ block.new_bits
            differ = flipped != 0
        changed = int(np.count_nonzero(differ))
        if not changed:
            return
        self.changed += changed
        if self._dtype is None:
            self.row_changed[rows] = differ.any(axis=1)
            return
        self.row_changed[rows] = flipped.any(axis=1)
        self._flips(self._dtype, flipped, differ)

    def _flips(self, dtype: Dtype, flipped: NDArray[Any], differ: NDArray[np.bool_]) -> None:
        unsigned = flipped.dtype.type
        single = differ & ((flipped & (flipped - unsigned(1))) == 0)
        self.single_bits += int(np.count_nonzero(single))
        if dtype not in _FIELDS:
            return
        for i, mask in enumerate(_masks(dtype)):
            inside = (flipped & unsigned(mask)) != 0
            self.flips[i] += int(np.count_nonzero(inside))
            if i == 1:
                self.exponents += int(np.count_nonzero(single & inside))

    def _distances(self, old: NDArray[np.float64], new: NDArray[np.float64], rows: slice) -> None:
        delta = new - old
        self.row_energy[rows] = energy = np.einsum("ij,ij->i", delta, delta)
        self.row_norm[rows] = np.einsum("ij,ij->i", new, new)
        self.old_energy += float(np.einsum("ij,ij->", old, old))
        self.old_sum += float(old.sum())
        self.new_sum += float(new.sum())
        if not energy.any() and not delta.any():
            self.histogram[0] += delta.size
            return
        self.column_energy += np.einsum("ij,ij->j", delta, delta)
        away = np.abs(delta, out=delta)
        self.largest = max(self.largest, float(away.max()))
        codes = (away.view(np.uint64) >> np.uint64(48)).astype(np.intp).ravel()
        self.histogram += np.bincount(codes, minlength=_BINS)
        self._rounding(np.abs(old), away)

    def _rounding(self, old: NDArray[np.float64], away: NDArray[np.float64]) -> None:
        for dtype in tuple(self.within):
            reach = np.maximum(old * 2.0 ** -PRECISION[dtype], 2.0 ** _SMALLEST[dtype] / 2)
            if (away > reach).any():
                self.within.discard(dtype)


def _masks(dtype: Dtype) -> tuple[int, int, int]:
    _, exponent, mantissa = _FIELDS[dtype]
    return (
        1 << (exponent + mantissa),
        ((1 << exponent) - 1) << mantissa,
        (1 << mantissa) - 1,
    )


def _gini(histogram: NDArray[np.int64]) -> float:
    bins = np.flatnonzero(histogram)
    count = histogram[bins].astype(np.float64)
    lower = (bins.astype(np.uint64) << np.uint64(48)).view(np.float64)
    middle = np.where(bins > 0, lower * (1 + 1 / 32), 0.0)
    top = float(middle.max(initial=0.0))
    if top <= 0:
        return 0.0
    total, below = float(count.sum()), np.cumsum(count) - count
    ranks = count * (below + (count + 1) / 2)  # the sum of the ranks in each bin
    x = middle / top
    return float(2 * (ranks * x).sum() / (total * (count * x).sum()) - (total + 1) / total)
