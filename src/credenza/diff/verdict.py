"""What was done to a whole model, in words.

Most verdicts follow from kinds that are exact up to rounding (`credenza.diff.kinds`). Where a
threshold decides, it was calibrated (`credenza.diff.calibration`); what lies between two
thresholds, and what is a mixture, is "none of these".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from credenza.diff.calibration import Calibration
from credenza.diff.change import Change, precision
from credenza.diff.kinds import (
    BitFlips,
    Converted,
    Exchanged,
    FewRows,
    Kind,
    LowRank,
    NonFinite,
    Quantised,
    RankOne,
    Rounded,
    RowEdit,
    SameValues,
)
from credenza.diff.score import features
from credenza.findings import Severity

IDENTICAL: Final = "identical"
CONVERSION: Final = "dtype conversion"
QUANTISATION: Final = "quantisation"
PRUNING: Final = "pruning"
FINE_TUNE: Final = "fine-tune"
LORA: Final = "LoRA merge"
LAYER_SWAP: Final = "layer swap"
ROW_EDIT: Final = "row edit"
RANK_ONE: Final = "rank-one edit"
BIT_FLIPS: Final = "bit flips"
FOREIGN: Final = "foreign model"
NONE: Final = "none of these"

SEVERITIES: Final = {
    IDENTICAL: Severity.NOTE,
    CONVERSION: Severity.NOTE,
    QUANTISATION: Severity.NOTE,
    PRUNING: Severity.LOW,
    FINE_TUNE: Severity.LOW,
    LORA: Severity.LOW,
    LAYER_SWAP: Severity.HIGH,
    ROW_EDIT: Severity.HIGH,
    RANK_ONE: Severity.HIGH,
    BIT_FLIPS: Severity.HIGH,
    FOREIGN: Severity.HIGH,
    NONE: Severity.MEDIUM,
}
"""Every verdict, with what it weighs: what is done in earnest, and what is done by hand."""

_SIZEABLE: Final = 256
"""Elements from which on the correlation of a matrix says something: ±0.12 at two deviations."""

_EXACT: Final = 24
"""Significant bits from which on rounding hides nothing of a rank that matters: float32."""

_MOST_ZEROED: Final = 0.01
"""Of what changed, the share that training may leave at exactly zero: more was pruned as well."""

_SHOWN: Final = 4
"""How many layers a sentence names."""

_MOST_RANK_ONES: Final = 2
"""Layers up to which changes of rank 1 are edits; an adapter is merged into more."""


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A tensor that changed: its name, how, and the kind that knows the change.

    ``came_from`` is the other tensor of the old model that it now is, bit by bit, if it is one.
    """

    name: str
    change: Change
    kind: Kind
    came_from: str | None = None

    @property
    def layer(self) -> str:
        """The name without its last part: weight and bias of a layer share it."""
        return self.name.rpartition(".")[0] or self.name

    @property
    def is_matrix(self) -> bool:
        """Whether it has a rank to speak of."""
        return min(self.change.rows, self.change.columns) >= 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kind of change, one of `SEVERITIES`, and the sentence that says so.

    ``rank`` is that of a rank-one edit or a merged adapter; ``exact`` whether rounding leaves no
    doubt of it. ``layers`` are those that carry the change where it is not spread over all.
    ``score`` is the log odds of an edit by hand and ``p_value`` its conformal p-value among
    honest changes; both None where nothing changed.
    """

    kind: str
    words: str
    layers: tuple[str, ...] = ()
    rank: int | None = None
    exact: bool = True
    score: float | None = None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """What a verdict is made of."""

    seen: Sequence[Named]
    matrices: int
    elements: int
    odd: int
    calibration: Calibration


def judge(
    seen: Sequence[Named], *, matrices: int, elements: int, odd: int, calibration: Calibration
) -> Verdict:
    """What was done to a model in which those tensors changed.

    It has ``matrices`` of at least 256 elements that both versions have, ``elements`` in all
    tensors of both, and ``odd`` tensors that only one has, or that have another shape.
    """
    case = _Case(seen, matrices, elements, odd, calibration)
    verdict = _verdict(case)
    if not seen:
        return verdict
    score = calibration.score(figures(seen, elements))
    return Verdict(
        kind=verdict.kind,
        words=verdict.words,
        layers=verdict.layers,
        rank=verdict.rank,
        exact=verdict.exact,
        score=score,
        p_value=calibration.p_value(score),
    )


def figures(seen: Sequence[Named], elements: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The figures that the score of these changes is of: `credenza.diff.score.FEATURES`."""
    explained = all(
        isinstance(n.kind, Converted | Rounded | SameValues | Quantised) or _zeroed(n.change)
        for n in seen
    )
    return features([n.change for n in seen], explained, elements)


def _verdict(case: _Case) -> Verdict:
    if case.odd:
        return Verdict(NONE, f"{case.odd} tensors came, went or have another shape")
    if not case.seen:
        return Verdict(IDENTICAL, "every tensor is the same, bit by bit")
    for rule in (_moved, _flipped, _converted, _pruned, _rows, _low_rank, _trained):
        if verdict := rule(case):
            return verdict
    return Verdict(NONE, "no kind of change that is known here explains all of it")


def _moved(case: _Case) -> Verdict | None:
    if any(n.came_from is None for n in case.seen):
        return None
    layers = _layers(case.seen)
    return Verdict(LAYER_SWAP, f"tensors of {_listed(layers)} changed places", layers)


def _flipped(case: _Case) -> Verdict | None:
    changes = [n.change for n in case.seen]
    kinds = all(isinstance(n.kind, BitFlips | NonFinite) for n in case.seen)
    few = BitFlips().most
    if not kinds or any(
        c.single_bits != c.changed or c.changed > max(1, few * c.size) for c in changes
    ):
        return None
    count, layers = sum(c.changed for c in changes), _layers(case.seen)
    text = f"{count} element{'s' if count > 1 else ''} of {_listed(layers)} changed by a single bit"
    return Verdict(BIT_FLIPS, text, layers)


def _converted(case: _Case) -> Verdict | None:
    kinds = [n.kind for n in case.seen]
    if not all(isinstance(k, Converted | Rounded | SameValues | Quantised) for k in kinds):
        return None
    grids = {
        str(n.change.grid) for n in case.seen if n.change.grid and isinstance(n.kind, Quantised)
    }
    if grids:
        return Verdict(QUANTISATION, f"values were rounded to {' and '.join(sorted(grids))}")
    if all(isinstance(k, SameValues) for k in kinds):
        return Verdict(IDENTICAL, "no value differs; bits of zeros or NaNs do")
    return Verdict(CONVERSION, "no value moved further than rounding to another type moves it")


def _pruned(case: _Case) -> Verdict | None:
    if not all(_zeroed(n.change) for n in case.seen):
        return None
    zeroed = sum(n.change.zeroed for n in case.seen)
    return Verdict(PRUNING, f"every element that changed is zero now: {zeroed} of {case.elements}")


def _rows(case: _Case) -> Verdict | None:
    layers = _layers(case.seen)
    if len(layers) > 1 or not all(
        isinstance(n.kind, RowEdit | Exchanged | FewRows) for n in case.seen
    ):
        return None
    widest = max(case.seen, key=lambda n: n.change.columns)
    count = len(widest.change.carrying)
    text = f"{count} of {widest.change.rows} rows of {layers[0]} changed, and nothing else"
    return Verdict(ROW_EDIT, text, layers)


def _low_rank(case: _Case) -> Verdict | None:
    """An edit or a merged adapter: every matrix that changed did so by a low rank."""
    changed = [n for n in case.seen if n.is_matrix]
    known = [r for n in changed if (r := _rank(n, case.calibration)) is not None]
    if not changed or len(known) < len(changed):
        return None
    rank, exact = max(r for r, _ in known), all(e for _, e in known)
    layers, about = _layers(changed), "" if exact else "about "
    beside = [n for n in case.seen if not n.is_matrix]
    if rank == 1 and len(layers) <= _MOST_RANK_ONES:
        text = f"{_listed(layers)} changed by the product of two vectors: {about}rank 1"
        return Verdict(RANK_ONE, text, layers, 1, exact)
    if beside:
        return None
    text = f"{_listed(layers)} changed by low rank, {about}{rank} at most, as a merged adapter does"
    return Verdict(LORA, text, layers, rank, exact)


def _rank(named: Named, calibration: Calibration) -> tuple[int, bool] | None:
    """The low rank of a change, and whether it is exact; None where it has none."""
    change = named.change
    exact = (precision(change.new_dtype) or 0) >= _EXACT
    at, step = change.spectrum.knee if change.spectrum else (0, 1.0)
    if not exact and step >= calibration.step:
        return at, False
    if isinstance(named.kind, RankOne | RowEdit):
        return 1, exact
    if isinstance(named.kind, LowRank) and change.rank:
        return change.rank, exact
    return None


def _trained(case: _Case) -> Verdict | None:
    """Another model, or a descendant: by how the old and the new elements correlate."""
    told = [n for n in case.seen if n.is_matrix and n.change.size >= _SIZEABLE]
    if not told or any(n.change.non_finite > 0 for n in case.seen):
        return None
    found = correlation(told)
    if found <= case.calibration.unrelated and len(told) == case.matrices:
        return Verdict(FOREIGN, f"its matrices correlate with the old ones by {found:.2f} only")
    least = min(n.change.correlation for n in told)
    if least < case.calibration.related or not _throughout(case):
        return None
    if turned(told) < case.calibration.turned:
        return None
    moved = float(np.sqrt(np.average([n.change.relative**2 for n in told])))
    text = f"values changed throughout, by {moved:.2g} of their size, and still correlate by "
    layers = _layers(case.seen)
    return Verdict(FINE_TUNE, f"{text}{found:.2f}", layers if len(layers) < case.matrices else ())


def correlation(told: Sequence[Named]) -> float:
    """The mean correlation of old and new elements over matrices, weighted by their sizes."""
    sizes = [n.change.size for n in told]
    return float(np.average([n.change.correlation for n in told], weights=sizes))


def turned(told: Sequence[Named]) -> float:
    """The least (1 - r) / (‖Δ‖²/2‖old‖²) of those matrices: how much of Δ is no scaling.

    For a small change that is at right angles to the old values it is 1, for a multiple 0.
    """
    return min(2 * (1 - n.change.correlation) / max(n.change.relative**2, 1e-12) for n in told)


def _throughout(case: _Case) -> bool:
    """Most elements moved, but where types are so coarse that a small step moves few; none to 0.

    A part that was quantised makes it a mixture.
    """
    changes = [n.change for n in case.seen]
    size, changed = sum(c.size for c in changes), sum(c.changed for c in changes)
    coarse = all((precision(c.new_dtype) or 64) <= 11 for c in changes)
    zeroed = sum(c.zeroed for c in changes)
    if any(isinstance(n.kind, Quantised) for n in case.seen):
        return False
    return (coarse or 2 * changed > size) and zeroed <= _MOST_ZEROED * changed


def _zeroed(change: Change) -> bool:
    return change.moved > 0 and change.zeroed == change.moved


def _layers(seen: Sequence[Named]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n.layer for n in seen))


def _listed(layers: Sequence[str]) -> str:
    shown = ", ".join(layers[:_SHOWN])
    return f"{shown} and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else shown
