"""How one tensor changed, in figures: no data needed, and one block of rows in memory at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import Dtype
from credenza.diff.grid import Grid, grid
from credenza.diff.matrix import Matrix, blocks
from credenza.diff.spectrum import Spectrum, parallel, spectrum
from credenza.diff.sums import PRECISION, Sums
from credenza.findings import Figure

_MOST_EXCHANGED: Final = 1024
"""Up to so many changed rows it is looked whether they changed places."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Change:
    """What differs between two tensors of one shape (rows, columns).

    ``rows`` and ``columns`` count those of the tensor; ``changed`` counts elements whose bits
    differ (whose values differ, where the types do), ``moved`` those whose values do, and
    ``zeroed`` those of them that are zero now. ``single_bits`` counts elements that differ in one
    bit only, ``exponents`` those of them where that bit is of the exponent. ``flips`` counts
    elements of which bits differ in the sign, in the exponent, in the mantissa.
    ``correlation`` is Pearson's of the old and new elements, ``gini`` that coefficient of |Δ|.
    ``grid`` are the steps that the new elements lie on, where they do and are rounded old ones.
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
    flips: tuple[int, int, int]
    non_finite: int
    relative: float
    correlation: float
    gini: float
    largest: float
    within_rounding: frozenset[Dtype]
    changed_rows: tuple[int, ...]
    carrying: tuple[int, ...]
    changed_columns: int
    top_rows: float
    top_columns: float
    energy: float
    old_energy: float
    grid: Grid | None
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
            ("Gini", self.gini, "Gini coefficient of the absolute changes; near 1: few moved"),
            ("correlation", self.correlation, "Pearson's, of the old and the new elements"),
        ]
        if any(self.flips):
            named += [
                (f"{part} bits", count / self.size, f"elements whose {part} differs / all elements")
                for part, count in zip(("sign", "exponent", "mantissa"), self.flips, strict=True)
            ]
        if self.non_finite:
            named.append(
                ("non-finite", self.non_finite, "NaN or infinite elements, more than were")
            )
        if self.spectrum and self.spectrum.energy:
            text = "the largest squared singular value / the sum of all; of a sketch at least this"
            named.append(("top singular energy", self.spectrum.top_share, text))
            text = "exp of the entropy of σ/Σσ (Roy and Vetterli 2007); of a sketch at most this"
            named.append(("effective rank", self.spectrum.effective_rank, text))
        if self.rank is not None:
            text = "singular values of the change above what rounding to the type can explain"
            named.append(("rank", self.rank, text))
        return tuple(Figure(name=n, value=v, definition=d) for n, v, d in named)


def measure(old: Matrix, new: Matrix) -> Change:
    """How ``new`` differs from ``old``, a matrix of the same shape with one element or more."""
    sums = Sums(old, new)
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
        flips=(sums.flips[0], sums.flips[1], sums.flips[2]),
        non_finite=sums.bad_new - sums.bad_old,
        relative=math.sqrt(energy / sums.old_energy) if sums.old_energy else math.inf,
        correlation=sums.correlation,
        gini=sums.gini,
        largest=sums.largest,
        within_rounding=frozenset(sums.within),
        changed_rows=tuple(changed.tolist()),
        carrying=tuple(_carrying(found, changed, new.dtype, sums.row_norm).tolist()),
        changed_columns=int(np.count_nonzero(sums.column_energy)),
        top_rows=_top(sums.row_energy),
        top_columns=_top(sums.column_energy),
        energy=energy,
        old_energy=sums.old_energy,
        grid=grid(old, new) if _may_be_rounded(sums, new.dtype) else None,
        spectrum=found,
        parallel=parallel(old, found) if found and found.rank == 1 else (),
        exchanged=_exchanged(old, new, changed),
    )


def precision(dtype: Dtype) -> int | None:
    """Significant bits of a floating-point type; None for every other type."""
    return PRECISION.get(dtype)


def _carrying(
    found: Spectrum | None, changed: NDArray[np.intp], dtype: Dtype, row_norm: NDArray[np.float64]
) -> NDArray[np.intp]:
    if found is None or found.rank != 1:
        return changed
    rounding = _tolerance(dtype, 1.0) * np.sqrt(row_norm[changed])
    return changed[np.abs(found.along) > rounding]


def _may_be_rounded(sums: Sums, dtype: Dtype) -> bool:
    """Whether a grid is worth looking for: most moved, none to NaN, and not all of them to 0."""
    size = len(sums.row_norm) * len(sums.column_energy)
    known = dtype in PRECISION or dtype.block > 1
    return (
        known
        and not sums.bad_new
        and sums.moved > size / 2
        and sums.moved != sums.zeroed
        and not sums.within
    )


def _tolerance(dtype: Dtype, norm: float) -> float:
    """How long a rounding error of rows of that Frobenius norm can be: 2 · 2⁻ᵖ · norm.

    2⁻ᵖ of each element for the rounding of the result; twice that, since who edits a model
    computes in its own type, and rounds what is added too.
    """
    return 2 * 2.0 ** -PRECISION.get(dtype, 53) * norm


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
