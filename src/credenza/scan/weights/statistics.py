"""What is known of one tensor after its elements went by once, in order, a block at a time.

A tensor is a matrix: rows along its first axis, all other axes its columns. What has no second
axis is one row. No more is held than a few numbers a row and a column.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]

_TILE: Final = 1 << 16
"""Elements looked at together: 256 KiB in float32, which stay in a core's cache."""
MOST_KEPT: Final = 1 << 18
"""Elements of a matrix that is kept whole."""
MOST_LINES: Final = 1 << 20
"""Of a matrix with more rows or columns than this, those are not told apart: a few numbers of each
would be more than may be held."""
KEPT_LARGEST: Final = 17
_SQUARES_FIT: Final = 1e18
"""The square of anything smaller, and the sum of many such, is a float32."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The rows of a matrix: of each the square of its norm, and where ``marks`` are there, five
    numbers that equal rows have in common: largest, smallest, first, middle and last element.
    """

    squares: NDArray[np.float64]
    marks: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.squares)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """A tensor's elements, summed up. Numbers that are not finite count in ``nan`` and
    ``infinite`` and nowhere else; all else is of the others.

    ``largest`` are the largest absolute values, the largest first, ``largest_at`` their indices in
    row-major order. ``rows`` and ``columns`` are None where they are not told apart. ``matrix``
    is the matrix itself where it is small, for what compares its rows.
    """

    size: int
    nan: int
    infinite: int
    zeros: int
    minimum: float
    maximum: float
    largest: tuple[float, ...]
    largest_at: tuple[int, ...]
    rows: Lines | None
    columns: Lines | None
    matrix: Values | None = None

    @property
    def finite(self) -> int:
        return self.size - self.nan - self.infinite

    @property
    def constant(self) -> bool:
        """Whether all elements are one number."""
        return self.finite == self.size > 0 and self.minimum == self.maximum


@final
class Accumulator:
    """Takes the elements of a matrix of that shape in row-major order; `finish` sums them up."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        told_apart = rows > 1 and columns > 1
        self._squares_of_rows = np.zeros(rows) if told_apart and rows <= MOST_LINES else None
        self._squares_of_columns = (
            np.zeros(columns) if told_apart and columns <= MOST_LINES else None
        )
        self._marks: NDArray[np.float32] | None = None
        if self._squares_of_rows is not None:
            self._marks = np.zeros((rows, 5), np.float32)
            self._marks[:, 0], self._marks[:, 1] = -np.inf, np.inf
        self._kept: list[Values] | None = [] if told_apart and rows * columns <= MOST_KEPT else None
        self._at = 0
        self._nan = self._infinite = self._zeros = 0
        self._minimum, self._maximum = math.inf, -math.inf
        self._largest = np.empty(0)
        self._largest_at = np.empty(0, np.int64)
        self._squared: dict[np.dtype[Any], Values] = {}

    def feed(self, values: Values) -> None:
        """The next elements, as many as there are."""
        if self._kept is not None:
            self._kept.append(values.copy())  # its memory is used again
        for start, tile in self._tiles(values):
            with np.errstate(all="ignore"):
                self._tile(start, tile)
        self._at += len(values)

    def finish(self) -> Statistics:
        """What it came to."""
        order = np.argsort(-self._largest, kind="stable")[:KEPT_LARGEST]
        rows = columns = None
        if self._squares_of_rows is not None:
            rows = Lines(self._squares_of_rows, self._marks)
        if self._squares_of_columns is not None:
            columns = Lines(self._squares_of_columns)
        return Statistics(
            size=self._at,
            nan=self._nan,
            infinite=self._infinite,
            zeros=self._zeros,
            minimum=self._minimum,
            maximum=self._maximum,
            largest=tuple(self._largest[order].tolist()),
            largest_at=tuple(self._largest_at[order].tolist()),
            rows=rows,
            columns=columns,
            matrix=self._whole(),
        )

    def _whole(self) -> Values | None:
        if self._kept is None or self._at != self.rows * self.columns:
            return None
        return np.concatenate(self._kept).reshape(self.rows, self.columns)

    def _tiles(self, values: Values) -> Iterator[tuple[int, Values]]:
        """Blocks of whole rows, or of a part of one; with the index of their first element."""
        done = 0
        while done < len(values):
            at = self._at + done
            left = len(values) - done
            column = at % self.columns
            if column or left < self.columns or self.columns > _TILE:
                count = min(left, self.columns - column, _TILE)
                yield at, values[done : done + count].reshape(1, count)
            else:
                rows = min(left, _TILE) // self.columns
                count = rows * self.columns
                yield at, values[done : done + count].reshape(rows, self.columns)
            done += count

    def _tile(self, start: int, tile: Values) -> None:
        if self._squares_of_rows is None:  # faster than a row at a time, of which there are many
            highs, lows = tile.max(keepdims=True), tile.min(keepdims=True)
        else:
            highs, lows = tile.max(axis=1), tile.min(axis=1)
        high, low = float(highs.max()), float(lows.min())
        if not (math.isfinite(high) and math.isfinite(low)):
            tile = self._without_the_rest(tile)
            highs, lows = tile.max(axis=1), tile.min(axis=1)
            high, low = float(highs.max()), float(lows.min())
        reach = max(high, -low)
        if tile.dtype.itemsize < 8 and reach > _SQUARES_FIT:
            tile = tile.astype(np.float64)
        self._minimum, self._maximum = min(self._minimum, low), max(self._maximum, high)
        self._keep_largest(start, tile, reach)
        self._sums(start, tile)
        if self._marks is not None:
            self._mark(start, tile, highs, lows)

    def _without_the_rest(self, tile: Values) -> Values:
        """The tile with 0 for each number that is not finite, which are counted."""
        nan = int(np.isnan(tile).sum())
        other = int((~np.isfinite(tile)).sum()) - nan
        self._nan, self._infinite = self._nan + nan, self._infinite + other
        self._zeros -= nan + other
        return np.nan_to_num(tile, nan=0.0, posinf=0.0, neginf=0.0)

    def _keep_largest(self, start: int, tile: Values, reach: float) -> None:
        full = len(self._largest) >= KEPT_LARGEST
        if full and reach <= self._largest.min():
            return
        sizes = np.abs(tile).ravel()
        found = np.flatnonzero(sizes > (self._largest.min() if full else -1))
        if len(found) > KEPT_LARGEST:
            best = np.argpartition(-sizes[found], KEPT_LARGEST)[:KEPT_LARGEST]
            found = found[best]
        sizes = np.concatenate([self._largest, sizes[found].astype(np.float64)])
        places = np.concatenate([self._largest_at, found + start])
        order = np.argsort(-sizes, kind="stable")[:KEPT_LARGEST]
        self._largest, self._largest_at = sizes[order], places[order]

    def _sums(self, start: int, tile: Values) -> None:
        self._zeros += tile.size - int(np.count_nonzero(tile))
        if self._squares_of_rows is None and self._squares_of_columns is None:
            return
        squared = self._squares_of(tile)
        row, column = divmod(start, self.columns)
        if self._squares_of_rows is not None:
            self._squares_of_rows[row : row + len(tile)] += squared.sum(axis=1)
        if self._squares_of_columns is not None:
            self._squares_of_columns[column : column + tile.shape[1]] += squared.sum(axis=0)

    def _squares_of(self, tile: Values) -> Values:
        """The squares, in memory that is used again."""
        held = self._squared.get(tile.dtype)
        if held is None or held.size < tile.size:
            held = self._squared[tile.dtype] = np.empty(tile.size, tile.dtype)
        return np.multiply(tile, tile, out=held[: tile.size].reshape(tile.shape))

    def _mark(self, start: int, tile: Values, highs: Values, lows: Values) -> None:
        assert self._marks is not None  # noqa: S101  the caller looked
        row, column = divmod(start, self.columns)
        marks = self._marks[row : row + len(tile)]
        np.maximum(marks[:, 0], highs, out=marks[:, 0], casting="unsafe")
        np.minimum(marks[:, 1], lows, out=marks[:, 1], casting="unsafe")
        for slot, wanted in ((2, 0), (3, self.columns // 2), (4, self.columns - 1)):
            if column <= wanted < column + tile.shape[1]:
                marks[:, slot] = tile[:, wanted - column]
