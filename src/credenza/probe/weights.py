"""What the parameters alone show of an edit: no data, no torch, nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from credenza.findings import Figure, Where
from credenza.probe.layers import Layer, Values, layers
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject

_MOST_ROWS: Final = 2048
"""Class rows that are compared pair by pair, at most."""


@final
@dataclass(frozen=True, slots=True)
class WeightStatistics:
    """Three logarithms that an honest training, pruning or rounding hardly moves.

    1. the largest weight of the head over its usual one: an edit writes large numbers into it;
    2. how much closer than usual two rows of the head lie: two classes that were made one, by
       labels (a majority flip) or by an edit of rows;
    3. how far the norm of one channel before the head stands above its layer's, together with
       channels that nothing was ever trained through: what is wired by hand.

    All are ratios inside a layer, so that width, weight decay and scale of a model leave them
    where they are; zeros do not count, which honest pruning writes.
    """

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.WEIGHTS})

    @property
    def covers(self) -> str:
        return "parameters: does a weight, a class row or a channel stand out of its layer?"

    @property
    def blind(self) -> tuple[str, ...]:
        return (
            "parameters: a backdoor that was trained in, and an edit that is spread over rows and "
            "channels so thinly that none stands out",
        )

    def measure(self, subject: Subject, *, seed: int) -> Measured:  # noqa: ARG002  no chance here
        *earlier, head = layers(subject.weights, subject.classes)
        statistics = [_entry(head), _alike(head)]
        uncovered = []
        if earlier:
            statistics.append(_channel(earlier))
        else:
            uncovered.append("parameters before the head: there is no other layer")
        if subject.classes > _MOST_ROWS:
            uncovered.append(
                f"parameters: rows of the head beyond {_MOST_ROWS} of {subject.classes} classes "
                "were not compared with others"
            )
        return Measured(statistics=tuple(statistics), uncovered=tuple(uncovered))


def _entry(head: Layer) -> Statistic:
    matrix = head.weight[:, :, 0]
    row, column = np.unravel_index(np.abs(matrix).argmax(), matrix.shape)
    usual = float(np.sqrt((matrix[matrix != 0] ** 2).mean()))
    ratio = float(abs(matrix[row, column])) / usual
    return Statistic(
        name="largest weight of the head",
        value=float(np.log(ratio)),
        definition="log of the largest |w| of the head over the root mean square of its weights "
        "that are not zero",
        evidence=Evidence(
            what=f"one weight of {head.name}, from feature {column} to class {row}, is "
            f"{ratio:.1f} times as large as usual",
            where=Where(tensor=head.name, rows=(int(row),), classes=(_gainer(matrix),)),
            figures=(Figure(name="that weight", value=float(matrix[row, column])),),
        ),
    )


def _gainer(matrix: Values) -> int:
    """The class that the largest weight upwards speaks for, each against the mean of its column."""
    centred = matrix - np.median(matrix, axis=0)
    return int(np.unravel_index(centred.argmax(), matrix.shape)[0])


def _alike(head: Layer) -> Statistic:
    matrix = head.weight[:, :, 0]
    rows = np.unique(np.linspace(0, len(matrix) - 1, min(len(matrix), _MOST_ROWS)).astype(np.intp))
    first, second, distances = _distances(matrix[rows])
    nearest = int(distances.argmin())
    usual = float(np.median(distances))
    ratio = usual / max(float(distances[nearest]), 1e-3 * usual) if usual else 1e3
    one, other = int(rows[first[nearest]]), int(rows[second[nearest]])
    if np.linalg.norm(matrix[one]) > np.linalg.norm(matrix[other]):
        one, other = other, one
    return Statistic(
        name="likeness of two rows of the head",
        value=float(np.log(ratio)),
        definition="log of the median Euclidean distance between two rows of the head over the "
        "least one, 1,000 at most",
        evidence=Evidence(
            what=f"classes {one} and {other} are told apart by {ratio:.2f} times less than two "
            "classes usually are: one may have been made the other",
            where=Where(tensor=head.name, rows=tuple(sorted((one, other))), classes=(one, other)),
        ),
    )


def _distances(matrix: Values) -> tuple[NDArray[np.intp], NDArray[np.intp], Values]:
    """Each pair of rows, and the Euclidean distance between them."""
    squares = (matrix**2).sum(axis=1)
    first, second = np.triu_indices(len(matrix), 1)
    square = squares[first] + squares[second] - 2 * (matrix @ matrix.T)[first, second]
    return first, second, np.sqrt(np.maximum(square, 0))


def _channel(earlier: list[Layer]) -> Statistic:
    scores = [_outlier(layer) for layer in earlier]
    layer = earlier[int(np.argmax([score for score, _ in scores]))]
    score, channel = max(scores)
    untrained = [(la.name, k) for la in earlier for k in _untrained(la)]
    named = f"; {len(untrained)} channels show no training" if untrained else ""
    return Statistic(
        name="outlying channel",
        value=score + float(np.log1p(len(untrained))),
        definition="log of the largest channel norm over its layer's median (Frobenius, with the "
        "batch norm behind it), the largest over the layers before the head; plus log(1 + n), n "
        "channels that hang on a single input where the layer's others do not, or whose batch norm "
        "alone is as it was made",
        evidence=Evidence(
            what=f"channel {channel} of {layer.name} is {np.exp(score):.1f} times as strong as the "
            f"layer's usual one{named}",
            where=Where(tensor=layer.name, rows=(channel,)),
        ),
    )


def _outlier(layer: Layer) -> tuple[float, int]:
    """Log of the largest norm over the median of those that are not zero, and whose it is."""
    norms = layer.norms
    strongest = int(norms.argmax())
    if not norms[strongest]:
        return 0.0, strongest
    return float(np.log(norms[strongest] / np.median(norms[norms > 0]))), strongest


def _untrained(layer: Layer) -> tuple[int, ...]:
    """Channels that something other than training has written.

    Honest pruning by size leaves channels few inputs, but all of them: so one counts only where
    half of the channels have four inputs or more.
    """
    inputs = (layer.weight != 0).any(axis=2).sum(axis=1)
    lone = np.flatnonzero(inputs == 1).tolist() if np.median(inputs) >= 4 else []
    return tuple(sorted({*lone, *layer.untouched}))
