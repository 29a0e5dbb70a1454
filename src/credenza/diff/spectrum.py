"""The singular values of a change, exactly where it is small and by a sketch where it is large."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.diff.matrix import Matrix, blocks

_EXACT_SIDE: Final = 512
_EXACT_SIZE: Final = 1 << 22
"""A change whose changed rows have a side, and a size, up to these is decomposed exactly."""

_LEAST_SIDE: Final = 16
"""The shorter side from which on a step in a spectrum says something."""

_SKETCH: Final = 32
"""Directions of a sketch. Halko, Martinsson and Tropp (arXiv:0909.4061), algorithm 4.1."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Singular values of a change Δ (rows, columns), largest first.

    ``side`` is the shorter side of the changed rows. ``direction`` is the first right singular
    vector v (columns,), and ``along`` = Δv for the changed rows. ``rest`` is the energy Σσ² that
    no value of ``values`` accounts for: 0 for an exact decomposition. ``tolerance`` is what
    rounding alone, the tensor's or ours, can raise a singular value to.
    """

    values: NDArray[np.float64]
    side: int
    direction: NDArray[np.float64]
    along: NDArray[np.float64]
    energy: float
    rest: float
    tolerance: float

    @property
    def rank(self) -> int | None:
        """How many singular values rounding cannot explain; None if more than could be counted.

        By Weyl's inequality a rounding error E moves no singular value further than ‖E‖₂, which
        is at most ``tolerance``. What a sketch has missed is counted by its energy: the rank is
        stated only where all of it could be rounding.
        """
        if self.rest > self.tolerance**2:
            return None
        return int((self.values > self.tolerance).sum())

    @property
    def top_share(self) -> float:
        """σ₁² / Σσ². Of a sketch it is a lower bound."""
        return float(self.values[0] ** 2 / self.energy) if self.energy else 0.0

    @property
    def effective_rank(self) -> float:
        """exp(−Σ pᵢ log pᵢ) with pᵢ = σᵢ/Σσ (Roy and Vetterli, EUSIPCO 2007).

        What a sketch has missed counts as spread evenly over all values that it left, which makes
        it an upper bound.
        """
        left = self.side - len(self.values)
        unseen = [math.sqrt(self.rest / left)] * left if left > 0 and self.rest else []
        values = np.concatenate((self.values, unseen))
        p = values[values > 0] / values.sum()
        return float(np.exp(-(p * np.log(p)).sum()))

    @property
    def knee(self) -> tuple[int, float]:
        """After how many values the spectrum falls most steeply, and by which factor.

        Looked for up to a quarter of the side, as `credenza.diff.kinds.LowRank` does, and where
        all that follows could be rounding. A merged adapter leaves such a step where rounding
        hides some of its singular values, and with them its exact rank. (0, 1.0) where there is
        none, or the side is under 16.
        """
        most = min(self.side // 4, len(self.values) - 1)
        if self.side < _LEAST_SIDE or self.rest > self.tolerance**2:
            return 0, 1.0
        floor = max(float(self.values[0]) * 1e-9, 1e-300)
        steps = np.maximum(self.values[:most], floor) / np.maximum(self.values[1 : most + 1], floor)
        steps = np.where(self.values[1 : most + 1] <= self.tolerance, steps, 1.0)
        at = int(steps.argmax())
        return (at + 1, float(steps[at])) if steps[at] > 1 else (0, 1.0)


def spectrum(
    old: Matrix, new: Matrix, changed: NDArray[np.intp], energy: float, tolerance: float
) -> Spectrum:
    """The spectrum of new - old, of which only the rows ``changed`` are not zero.

    ``energy`` is ‖Δ‖² (Frobenius). The sketch draws from a fixed seed, so that a report can be
    made again; who knows the seed can hide from it no more than what ``rest`` then shows.
    """
    shape = (len(changed), new.columns)
    if min(shape) <= _EXACT_SIDE and shape[0] * shape[1] <= _EXACT_SIZE:
        delta = np.concatenate([d for _, d in _deltas(old, new, changed)])
        u, s, vt = np.linalg.svd(delta, full_matrices=False)
        floor = max(tolerance, _floor(shape, s))
        return Spectrum(s, min(shape), vt[0], u[:, 0] * s[0], energy, 0.0, floor)
    probes = np.random.default_rng(0).standard_normal((new.columns, _SKETCH))
    sketch = np.concatenate([d @ probes for _, d in _deltas(old, new, changed)])
    basis, _ = np.linalg.qr(sketch)
    inner = np.zeros((basis.shape[1], new.columns))
    for at, delta in _deltas(old, new, changed):
        inner += basis[at : at + len(delta)].T @ delta
    u, s, vt = np.linalg.svd(inner, full_matrices=False)
    rest = max(0.0, energy - float((s**2).sum()))
    # Sums of as many squares as there are elements agree to some 1e-12 of themselves.
    rest = rest if rest > 1e-12 * energy else 0.0
    floor = max(tolerance, _floor(shape, s))
    return Spectrum(s, min(shape), vt[0], basis @ u[:, 0] * s[0], energy, rest, floor)


def _floor(shape: tuple[int, int], values: NDArray[np.float64]) -> float:
    """What the decomposition itself may err by: max(m, n) · ε · σ₁, as in numpy's matrix_rank."""
    return max(shape) * float(np.finfo(np.float64).eps) * float(values[0])


def _deltas(
    old: Matrix, new: Matrix, changed: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The changed rows of new - old block by block, each with its place among them."""
    at = 0
    for block in blocks(old, new):
        inside = (changed >= block.start) & (changed < block.start + len(block.new))
        rows = changed[inside] - block.start
        if len(rows):
            yield at, block.new[rows] - block.old[rows]
            at += len(rows)


def parallel(old: Matrix, found: Spectrum) -> tuple[int, ...]:
    """The rows of ``old`` that are multiples of the change's first direction, up to rounding.

    A row w is taken for parallel to the unit vector v where the part of w across v is no longer
    than ‖w‖ · 2 · tolerance / σ₁: so far can rounding have turned v (Wedin, 1972).
    """
    slack = max(2 * found.tolerance / float(found.values[0]), 1e-12)
    rows: list[int] = []
    for block in blocks(old, old):
        along = block.old @ found.direction
        norms = np.linalg.norm(block.old, axis=1)
        across = np.linalg.norm(block.old - np.outer(along, found.direction), axis=1)
        rows += (block.start + np.flatnonzero((norms > 0) & (across <= slack * norms))).tolist()
    return tuple(rows)
