"""How far a model's weights stand out from themselves: one score a test, the higher the odder.

A score is no verdict. What honest networks score is in `credenza.scan.weights.calibration`.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import Tensor
from credenza.rates import student_tail
from credenza.scan.weights.statistics import Lines, Statistics

Floats = NDArray[np.floating[Any]]

_FEWEST_LINES: Final = 8
_FEWEST_IN_LINE: Final = 4
_FEWEST_MARKED: Final = 8
"""Shorter rows may be equal by chance where numbers are coarse."""
_FEWEST_ELEMENTS: Final = 64
_FEW_TWINS: Final = 8
_MOST_CLASSES: Final = 1 << 10
_MOST_AT_ONCE: Final = 3
_LEAST_SPREAD: Final = 0.05
"""In natural logarithms: norms closer to each other than 5 % are one norm."""
_FLOOR: Final = 1e-6
"""A norm below this times the median is as good as none."""
_MOST_PLACES: Final = 8

HEADS: Final = ("lm_head", "classifier", "classif", "head", "logits", "output", "score", "fc")
"""Names of the layer that decides, the surest first."""
NORMS: Final = ("weight", "gamma", "scale")


class Oddity(enum.Enum):
    """What is scored. The value names it in a calibration; its words are for people."""

    SPIKE = "spike"
    SPIKE_IN_VECTOR = "spike-in-vector"
    LOUD_ROW = "loud-row"
    LOUD_COLUMN = "loud-column"
    LOUD_FILTER = "loud-filter"
    LOUD_CHANNEL = "loud-channel"
    DEAD_ROW = "dead-row"
    DEAD_COLUMN = "dead-column"
    DEAD_FILTER = "dead-filter"
    DEAD_CHANNEL = "dead-channel"
    TWIN_ROWS = "twin-rows"
    TWIN_FILTERS = "twin-filters"
    HEAD_NORM = "head-norm"
    HEAD_ANGLE = "head-angle"
    ZEROED = "zeroed"


_LINES: Final = {
    ("row", True): (Oddity.LOUD_ROW, Oddity.DEAD_ROW),
    ("column", True): (Oddity.LOUD_COLUMN, Oddity.DEAD_COLUMN),
    ("row", False): (Oddity.LOUD_FILTER, Oddity.DEAD_FILTER),
    ("column", False): (Oddity.LOUD_CHANNEL, Oddity.DEAD_CHANNEL),
}
"""The tests of a tensor's norms along an axis, loud and dead, where it is a matrix and where it is
the kernel of a convolution: of those, honest ones have far more dead lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a test scored what: in which tensor, along which axis, at which indices."""

    test: Oddity
    score: float
    file: str
    tensor: str
    axis: str = ""
    indices: tuple[int, ...] = ()
    found: str = ""


@final
class Scores:
    """The scores of a model, tensor by tensor: `add` each, then `finish`."""

    def __init__(self) -> None:
        self._places: dict[Oddity, list[Place]] = defaultdict(list)
        self._head: tuple[tuple[int, int], Tensor, Floats] | None = None

    def add(self, tensor: Tensor, sums: Statistics) -> None:
        """Score one tensor."""
        if sums.size < _FEWEST_IN_LINE or not sums.finite:
            return
        if len(tensor.shape) < 2:
            self._vector(tensor, sums)
        else:
            self._spike(Oddity.SPIKE, tensor, sums)
            if sums.rows is not None:
                self._lines(tensor, sums.rows, "row")
                self._twins(tensor, sums.rows)
            if sums.columns is not None:
                self._lines(tensor, _channels(tensor, sums.columns), "column")
            if len(tensor.shape) == 2 and sums.matrix is not None and sums.finite == sums.size:
                self._maybe_head(tensor, sums.matrix)

    def finish(self) -> dict[Oddity, tuple[Place, ...]]:
        """The highest places of each test, the highest first. A test that found nothing is not
        there: its score is 0.
        """
        if self._head is not None:
            _, tensor, matrix = self._head
            self._head = None
            self._score_head(tensor, matrix)
        return {
            test: tuple(sorted(places, key=lambda p: -p.score)[:_MOST_PLACES])
            for test, places in self._places.items()
        }

    def _put(self, place: Place) -> None:
        if place.score > 0:
            places = self._places[place.test]
            places.append(place)
            if len(places) > 8 * _MOST_PLACES:  # a file may have a million tensors
                places.sort(key=lambda p: -p.score)
                del places[_MOST_PLACES:]

    def _vector(self, tensor: Tensor, sums: Statistics) -> None:
        self._spike(Oddity.SPIKE_IN_VECTOR, tensor, sums)
        name = tensor.name.lower()
        if sums.constant and sums.maximum == 0 and name.endswith(NORMS):
            found = f"{sums.size} zeros"
            self._put(_place(Oddity.ZEROED, 1.0, tensor, found=found))

    def _spike(self, test: Oddity, tensor: Tensor, sums: Statistics) -> None:
        """By how many powers of two the largest few numbers stand above the next."""
        if sums.size < _FEWEST_ELEMENTS:
            return
        largest = sums.largest[: max(2, sums.size // 16)]
        best, count = 0.0, 0
        for k, (above, below) in enumerate(itertools.pairwise(largest), start=1):
            if below > 0 and (gap := math.log2(above / below)) > best:
                best, count = gap, k
        found = f"{count} of {sums.size} are {2 ** min(best, 1000):.3g} times the next"
        at = sums.largest_at[:count]
        columns = sums.size // tensor.shape[0] if len(tensor.shape) > 1 else 1
        rows = tuple(sorted({i // columns for i in at}))
        self._put(_place(test, best, tensor, "row", rows, found))

    def _lines(self, tensor: Tensor, lines: Lines, axis: str) -> None:
        if len(lines) < _FEWEST_LINES or tensor.size < _FEWEST_IN_LINE * len(lines):
            return
        logs = _log_norms(lines.squares)
        loud, dead = _LINES[axis, len(tensor.shape) == 2]
        for test, values in ((loud, logs), (dead, -logs)):
            score, at = outlying(values)
            self._put(_place(test, score, tensor, axis, at, _times(logs, at)))

    def _twins(self, tensor: Tensor, rows: Lines) -> None:
        """A few rows that are the same as another, and not all one number.

        Where many are, it is a fixed transform: the rows of Fourier's mirror each other.
        """
        if rows.marks is None or tensor.size < _FEWEST_MARKED * len(rows):
            return
        pairs = _equal(rows.marks, rows.squares)
        if 0 < len(pairs) <= max(1, len(rows) // _FEW_TWINS):
            at = tuple(sorted({i for pair in pairs for i in pair}))
            score = 1 + math.log2(len(pairs))
            found = f"{len(pairs)} equal to another"
            test = Oddity.TWIN_ROWS if len(tensor.shape) == 2 else Oddity.TWIN_FILTERS
            self._put(_place(test, score, tensor, "row", at[:64], found))

    def _maybe_head(self, tensor: Tensor, matrix: Floats) -> None:
        """Keep the matrix that decides, as far as can be told: by name, else the narrowest."""
        if not 2 < min(matrix.shape) <= _MOST_CLASSES:
            return
        name = tensor.name.lower()
        sure = next((len(HEADS) - i for i, word in enumerate(HEADS) if word in name), 0)
        rank = (sure, -min(matrix.shape))
        if self._head is None or rank >= self._head[0]:
            self._head = (rank, tensor, matrix)

    def _score_head(self, tensor: Tensor, matrix: Floats) -> None:
        """How far one class stands out from the others, by its norm and by its angles."""
        by_rows = matrix.shape[0] <= matrix.shape[1]
        axis = "row" if by_rows else "column"
        classes = np.asarray(matrix if by_rows else matrix.T, np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", classes, classes))
        if len(classes) < 4 or not norms.any():
            return
        logs = _log_norms(norms**2)
        score, at = max(outlying(logs), outlying(-logs))
        self._put(_place(Oddity.HEAD_NORM, score, tensor, axis, at, _times(logs, at)))
        unit = classes / np.maximum(norms, 1e-30)[:, None]
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -1.0)
        i, j = divmod(int(cosines.argmax()), len(classes))
        angles = np.arctanh(np.clip(cosines[np.triu_indices(len(classes), 1)], -0.999, 0.99999))
        score, _ = outlying(angles)
        pair = tuple(sorted((i, j)))
        found = f"cosine {cosines[i, j]:.3g} of two classes"
        self._put(_place(Oddity.HEAD_ANGLE, score, tensor, axis, pair, found))


def outlying(values: Floats) -> tuple[float, tuple[int, ...]]:
    """How far the highest few of ``values`` stand above the rest, and which they are.

    The externally studentised residual of the lowest of the 1, 2 or 3 highest, against the rest
    (Rosner, Percentage points for a generalized ESD many-outlier procedure, Technometrics 25,
    1983), as -log10 of its p-value by Student's t, times the number of values. Were the values
    normal, it would be a p-value; what it is among honest networks, calibration says.
    """
    n = len(values)
    order = np.argsort(-values)
    best: tuple[float, tuple[int, ...]] = (0.0, ())
    for k in range(1, _MOST_AT_ONCE + 1):
        if n - k < 3:
            break
        rest = values[order[k:]]
        spread = max(float(rest.std(ddof=1)), _LEAST_SPREAD)
        t = float(values[order[k - 1]] - rest.mean()) / (spread * math.sqrt(1 + 1 / (n - k)))
        score = -student_tail(t, n - k - 1) - math.log10(n)
        if score > best[0]:
            best = (score, tuple(sorted(int(i) for i in order[:k])))
    return best


def _log_norms(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithms of norms, none of them far below the median."""
    norms = np.sqrt(squares)
    middle = float(np.median(norms)) or float(norms.max()) or 1.0
    return np.asarray(np.log(np.maximum(norms, _FLOOR * middle)))


def _times(logs: NDArray[np.float64], at: tuple[int, ...]) -> str:
    """By how much the norms there stand above or below the others."""
    times = math.exp(float(np.median(logs[list(at)]) - np.median(logs))) if at else 1.0
    return f"norm {times:.3g} times the median"


def _channels(tensor: Tensor, columns: Lines) -> Lines:
    """The columns of one input channel together: a kernel's border is no column of its own."""
    kernel = math.prod(tensor.shape[2:])
    if kernel <= 1 or len(columns) % kernel:
        return columns
    return Lines(columns.squares.reshape(-1, kernel).sum(axis=1))


def _equal(marks: NDArray[np.float32], squares: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs of neighbours, once sorted, that have all marks in common and are not one number."""
    varied = np.flatnonzero(marks[:, 0] > marks[:, 1])
    order = varied[np.lexsort(marks[varied].T)]
    same = (marks[order[1:]] == marks[order[:-1]]).all(axis=1)
    close = np.isclose(squares[order[1:]], squares[order[:-1]], rtol=1e-5, atol=0)
    return [(int(order[i]), int(order[i + 1])) for i in np.flatnonzero(same & close)]


def _place(
    test: Oddity,
    score: float,
    tensor: Tensor,
    axis: str = "",
    indices: tuple[int, ...] = (),
    found: str = "",
) -> Place:
    return Place(
        test=test,
        score=round(score, 4),
        file=tensor.file,
        tensor=tensor.name,
        axis=axis,
        indices=indices,
        found=found,
    )
