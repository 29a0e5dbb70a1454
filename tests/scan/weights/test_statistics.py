"""Sums a block at a time are those of the whole; each against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from credenza.scan.weights import statistics
from credenza.scan.weights.statistics import KEPT_LARGEST, Accumulator, Statistics, Values

SHAPES = ((1, 1), (1, 1000), (40, 25), (3, 70_000), (70_000, 3), (300, 300))


def summed(values: Values, rows: int, columns: int, step: int) -> Statistics:
    sums = Accumulator(rows, columns)
    for at in range(0, len(values), step):
        sums.feed(values[at : at + step])
    return sums.finish()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("step", [997, 1 << 19])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_numpy(
    shape: tuple[int, int], step: int, dtype: type[np.float32 | np.float64]
) -> None:
    matrix: Values = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    matrix[0, 0] = 0
    got = summed(matrix.ravel(), *shape, step=step)
    assert (got.size, got.nan, got.infinite) == (matrix.size, 0, 0)
    assert got.zeros == int((matrix == 0).sum())
    assert (got.minimum, got.maximum) == (matrix.min(), matrix.max())
    sizes = np.abs(matrix).ravel()
    order = np.argsort(-sizes)[:KEPT_LARGEST]
    assert np.allclose(got.largest, sizes[order])
    assert np.allclose(sizes[list(got.largest_at)], got.largest)
    if min(shape) == 1:
        assert got.rows is None
        assert got.columns is None
        return
    assert got.rows is not None
    assert got.columns is not None
    assert np.allclose(got.rows.squares, (matrix**2).sum(axis=1), rtol=1e-4)
    assert np.allclose(got.columns.squares, (matrix**2).sum(axis=0), rtol=1e-4)
    assert got.rows.marks is not None
    middle, last = shape[1] // 2, shape[1] - 1
    marks = [matrix.max(axis=1), matrix.min(axis=1), matrix[:, 0], matrix[:, middle]]
    assert np.array_equal(got.rows.marks, np.stack([*marks, matrix[:, last]], 1).astype("f4"))


def test_numbers_that_are_not_finite_count_and_do_nothing_else() -> None:
    matrix = np.ones((20, 10), np.float32)
    matrix[3, 3], matrix[4, 4], matrix[5, 5], matrix[6, 6] = np.nan, np.inf, -np.inf, 0
    got = summed(matrix.ravel(), 20, 10, step=64)
    assert (got.nan, got.infinite, got.zeros, got.finite) == (1, 2, 1, 197)
    assert (got.minimum, got.maximum) == (0, 1)
    assert got.rows is not None
    assert np.isfinite(got.rows.squares).all()


def test_squares_of_huge_numbers_do_not_overflow() -> None:
    matrix = np.full((10, 10), 1e-3, np.float32)
    matrix[2, 3] = 3e38
    got = summed(matrix.ravel(), 10, 10, step=100)
    assert got.rows is not None
    assert got.rows.squares[2] == pytest.approx(9e76, rel=1e-5)
    assert got.largest[0] == pytest.approx(3e38)
    assert got.largest_at[0] == 23


def test_a_matrix_of_too_many_rows_is_not_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MOST_LINES", 100)
    got = summed(np.ones(2020, np.float32), 101, 20, step=100)
    assert got.rows is None
    assert got.columns is not None
    assert np.allclose(got.columns.squares, 101)
    assert got.constant


def test_a_small_matrix_is_kept() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    got = summed(matrix.ravel(), 3, 4, step=5)
    assert got.matrix is not None
    assert np.array_equal(got.matrix, matrix)
