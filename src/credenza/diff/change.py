"""How one tensor changed, in figures: no data needed, and one block of rows in memory at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import Dtype
from credenza.diff.matrix import Block, Matrix, blocks
from credenza.diff.spectrum import Spectrum, parallel, spectrum
from credenza.findings import Figure

_PRECISION: Final = {
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

_MOST_EXCHANGED: Final = 1024
"""Up to so many changed rows it is looked whether they changed places."""

_EXPONENT: Final = {
    Dtype.F64: 0x7FF << 52,
    Dtype.F32: 0xFF << 23,
    Dtype.F16: 0x1F << 10,
    Dtype.BF16: 0xFF << 7,
    Dtype.F8_E4M3: 0xF << 3,
    Dtype.F8_E5M2: 0x1F << 2,
}
"""The bits of each type that hold the exponent."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Change:
    """What differs between two tensors of one shape (rows, columns).

    ``rows`` and ``columns`` count those of the tensor; ``changed`` counts elements whose bits
    differ (whose values differ, where the types do), ``moved`` those whose values do, and
    ``zeroed`` those of them that are zero now. ``single_bits`` counts elements that differ in one
    bit only, ``exponents`` those of them where that bit is of the exponent.
    ``relative`` is ‖Δ‖/‖old‖ over the elements that are finite in both, ``largest`` the greatest
    |Δ|, and ``non_finite`` how many more elements are NaN or infinite than were.
    ``within_rounding`` are the types, of those a model is kept in, to which rounding moves every
    element at least as far as it moved.
    ``changed_rows`` are the indices of rows with a changed element. ``carrying`` are the same but
    for a change of rank 1, where they are the rows that moved along it further than rounding
    explains, since a conversion moves the others. ``parallel`` are the old rows that are multiples
    of the direction of a change of rank 1. ``exchanged`` is true where the changed rows hold the
    old ones in another order.
    """

    old_dtype: Dtype
    new_dtype: Dtype
    rows: int
    columns: int
    changed: int
    moved: int
    zeroed: int
    single_bits: int
    exponents: int
    non_finite: int
    relative: float
    largest: float
    within_rounding: frozenset[Dtype]
    changed_rows: tuple[int, ...]
    carrying: tuple[int, ...]
    changed_columns: int
    top_rows: float
    top_columns: float
    spectrum: Spectrum | None
    parallel: tuple[int, ...]
    exchanged: bool

    @property
    def size(self) -> int:
        """How many elements the tensor has."""
        return self.rows * self.columns

    @property
    def rank(self) -> int | None:
        """The numerical rank of the change; None where it could not be told."""
        return self.spectrum.rank if self.spectrum else None

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What a report shows of it."""
        named = [
            ("changed share", self.changed / self.size, "elements that differ / all elements"),
            ("relative change", self.relative, "Frobenius norms: of the change / of the old"),
            ("largest change", self.largest, "the largest absolute change of an element"),
            (
                "top two rows",
                self.top_rows,
                "share of the change's energy in the two rows with most",
            ),
            ("top two columns", self.top_columns, "the same for columns"),
        ]
        if self.spectrum and self.spectrum.energy:
            text = "the largest squared singular value / the sum of all; of a sketch at least this"
            named.append(("top singular energy", self.spectrum.top_share, text))
        if self.rank is not None:
            text = "singular values of the change above what rounding to the type can explain"
            named.append(("rank", self.rank, text))
        return tuple(Figure(name=n, value=v, definition=d) for n, v, d in named)


def measure(old: Matrix, new: Matrix) -> Change:
    """How ``new`` differs from ``old``, a matrix of the same shape with one element or more."""
    sums = _Sums(old, new)
    for block in blocks(old, new):
        sums.add(block)
    changed = np.flatnonzero(sums.row_changed)
    energy = float(sums.row_energy.sum())
    found = None
    if energy > 0 and not (sums.bad_old or sums.bad_new):
        tolerance = _tolerance(new.dtype, math.sqrt(float(sums.row_norm[changed].sum())))
        found = spectrum(old, new, changed, energy, tolerance)
    return Change(
        old_dtype=old.dtype,
        new_dtype=new.dtype,
        rows=new.rows,
        columns=new.columns,
        changed=sums.changed,
        moved=sums.moved,
        zeroed=sums.zeroed,
        single_bits=sums.single_bits,
        exponents=sums.exponents,
        non_finite=sums.bad_new - sums.bad_old,
        relative=math.sqrt(energy / sums.old_energy) if sums.old_energy else math.inf,
        largest=sums.largest,
        within_rounding=frozenset(sums.within),
        changed_rows=tuple(changed.tolist()),
        carrying=tuple(_carrying(found, changed, new.dtype, sums.row_norm).tolist()),
        changed_columns=int(np.count_nonzero(sums.column_energy)),
        top_rows=_top(sums.row_energy),
        top_columns=_top(sums.column_energy),
        spectrum=found,
        parallel=parallel(old, found) if found and found.rank == 1 else (),
        exchanged=_exchanged(old, new, changed),
    )


def precision(dtype: Dtype) -> int | None:
    """Significant bits of a floating-point type; None for every other type."""
    return _PRECISION.get(dtype)


def _carrying(
    found: Spectrum | None, changed: NDArray[np.intp], dtype: Dtype, row_norm: NDArray[np.float64]
) -> NDArray[np.intp]:
    if found is None or found.rank != 1:
        return changed
    rounding = _tolerance(dtype, 1.0) * np.sqrt(row_norm[changed])
    return changed[np.abs(found.along) > rounding]


def _tolerance(dtype: Dtype, norm: float) -> float:
    """How long a rounding error of rows of that Frobenius norm can be: 2 · 2⁻ᵖ · norm.

    2⁻ᵖ of each element for the rounding of the result; twice that, since who edits a model
    computes in its own type, and rounds what is added too.
    """
    return 2 * 2.0 ** -_PRECISION.get(dtype, 53) * norm


def _exchanged(old: Matrix, new: Matrix, changed: NDArray[np.intp]) -> bool:
    if old.dtype is not new.dtype or not 2 <= len(changed) <= _MOST_EXCHANGED:
        return False
    was: list[bytes] = []
    now: list[bytes] = []
    for block in blocks(old, new):
        inside = [
            r - block.start for r in changed.tolist() if 0 <= r - block.start < len(block.new)
        ]
        was += [block.old_bits[r].tobytes() for r in inside]
        now += [block.new_bits[r].tobytes() for r in inside]
    return sorted(was) == sorted(now)


def _top(energy: NDArray[np.float64]) -> float:
    total = float(energy.sum())
    return float(np.sort(energy)[-2:].sum()) / total if total else 0.0


class _Sums:
    """What one pass over both matrices adds up."""

    def __init__(self, old: Matrix, new: Matrix) -> None:
        self._dtype = new.dtype if old.dtype is new.dtype else None
        self.changed = self.moved = self.zeroed = 0
        self.single_bits = self.exponents = 0
        self.bad_old = self.bad_new = 0
        self.largest = self.old_energy = 0.0
        self.row_changed = np.zeros(new.rows, bool)
        self.row_energy = np.zeros(new.rows)
        self.row_norm = np.zeros(new.rows)
        self.column_energy = np.zeros(new.columns)
        self.within = set(_SMALLEST)

    def add(self, block: Block) -> None:
        rows = slice(block.start, block.start + len(block.new))
        differ = self._differ(block)
        self.changed += int(differ.sum())
        self.row_changed[rows] = differ.any(axis=1)
        finite_old, finite_new = np.isfinite(block.old), np.isfinite(block.new)
        self.bad_old += int((~finite_old).sum())
        self.bad_new += int((~finite_new).sum())
        moved = (block.old != block.new) & ~(np.isnan(block.old) & np.isnan(block.new))
        self.moved += int(moved.sum())
        self.zeroed += int((moved & (block.new == 0)).sum())
        finite = finite_old & finite_new
        if (moved & ~finite).any():
            self.within.clear()
        old, new = np.where(finite, block.old, 0), np.where(finite, block.new, 0)
        self._distances(old, new - old)
        self.row_energy[rows] = ((new - old) ** 2).sum(axis=1)
        self.row_norm[rows] = (new**2).sum(axis=1)
        self.column_energy += ((new - old) ** 2).sum(axis=0)

    def _differ(self, block: Block) -> NDArray[np.bool_]:
        if self._dtype is None:
            return np.not_equal(block.old, block.new)
        flipped = block.old_bits ^ block.new_bits
        differ: NDArray[np.bool_] = flipped != 0
        single = differ & ((flipped & (flipped - flipped.dtype.type(1))) == 0)
        self.single_bits += int(single.sum())
        exponent = flipped.dtype.type(_EXPONENT.get(self._dtype, 0))
        self.exponents += int((single & ((flipped & exponent) != 0)).sum())
        return differ

    def _distances(self, old: NDArray[np.float64], delta: NDArray[np.float64]) -> None:
        away = np.abs(delta)
        self.largest = max(self.largest, float(away.max()))
        self.old_energy += float((old**2).sum())
        for dtype in tuple(self.within):
            reach = np.maximum(2.0 ** -_PRECISION[dtype] * np.abs(old), 2.0 ** _SMALLEST[dtype] / 2)
            if (away > reach).any():
                self.within.discard(dtype)
