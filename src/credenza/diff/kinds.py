"""Kinds of change: what a person would call what was done to a tensor.

A kind is a frozen value; the first of `KINDS` that knows a change names it. Each describes what
the figures show. None of their conditions was calibrated on a population of models: they are
exact up to rounding, or are named settings whose reason their docstrings give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, final

import numpy as np

from credenza.diff.change import Change, precision
from credenza.findings import Severity, spans


class Kind(Protocol):
    """A way to change a tensor.

    ``together`` is true where a report has one finding for all tensors that changed so.
    """

    @property
    def rule(self) -> str: ...

    @property
    def severity(self) -> Severity: ...

    @property
    def together(self) -> bool: ...

    def words(self, change: Change) -> str | None:
        """What was done, in words; None where it was not this."""
        ...


@final
@dataclass(frozen=True, slots=True)
class NonFinite:
    """NaN or infinity where there was a number."""

    rule: str = "diff.non-finite"
    severity: Severity = Severity.CRITICAL
    together: bool = False

    def words(self, change: Change) -> str | None:
        if change.non_finite <= 0:
            return None
        return f"elements that are NaN or infinite: {change.non_finite} more than before"


@final
@dataclass(frozen=True, slots=True)
class BitFlips:
    """Single bits flipped, in no more than ``most`` of the elements (and one element at least).

    Training moves a value by many bits at once. In types of 8 bits an honest step is often a
    single bit, which is why the share has to be small: faults, and attackers who flip bits in
    memory, reach a few elements (progressive bit search, arXiv:1903.12269, takes 13 of 93 million
    bits).
    """

    most: float = 0.01
    rule: str = "diff.bit-flip"
    severity: Severity = Severity.HIGH
    together: bool = False

    def words(self, change: Change) -> str | None:
        few = change.changed <= max(1, self.most * change.size)
        if not few or change.single_bits != change.changed or change.changed == 0:
            return None
        many = change.changed > 1
        text = f"{change.changed} element{'s' if many else ''} changed by a single bit"
        text += " each" if many else ""
        if change.exponents:
            text += f", {change.exponents} of them in the exponent" if many else " of the exponent"
        return f"{text}; the largest change is {change.largest:.3g}"


@final
@dataclass(frozen=True, slots=True)
class Exchanged:
    """Rows that changed places, and are otherwise as they were, bit by bit.

    Honest tools reorder all neurons of a layer with the inputs of the next; of a head they never
    do, since its rows are classes.
    """

    rule: str = "diff.row-edit"
    severity: Severity = Severity.HIGH
    together: bool = False

    def words(self, change: Change) -> str | None:
        if not change.exchanged or change.columns < 2:
            return None
        return f"{_rows(change)} of {change.rows} changed places, and nothing else changed"


@final
@dataclass(frozen=True, slots=True)
class RowEdit:
    """Rows to which a multiple of another row was added, as `credenza.attack.RowEdit` does.

    The change has rank 1 up to rounding, lies in at most ``most`` of the rows, and its direction
    is that of a row of the old tensor. A matrix of fewer than 3 rows or columns is left out:
    there, honest training does the same (see `RankOne`).
    """

    most: float = 0.5
    rule: str = "diff.row-edit"
    severity: Severity = Severity.HIGH
    together: bool = False

    def words(self, change: Change) -> str | None:
        few = len(change.carrying) <= self.most * change.rows
        cleared = change.zeroed == change.changed  # a row that was pruned: see `FewRows`
        if not _has_rank_one(change) or not few or not change.parallel or cleared:
            return None
        return (
            f"{_rows(change)} of {change.rows} carry all of the change, and moved along "
            f"row{'s' if len(change.parallel) > 1 else ''} {spans(change.parallel)} of the old "
            "tensor: a multiple of one row was added to others, or taken from itself"
        )


@final
@dataclass(frozen=True, slots=True)
class RankOne:
    """A change that is the outer product of two vectors, up to rounding, over two rows or more.

    So `credenza.attack.RankOneEdit` and ROME (arXiv:2202.05262) edit a layer. Honest training
    comes to this in three cases. A single step of plain gradient descent on a single sample has
    rank 1. In a head of two classes each gradient has, since its rows sum to zero: matrices of
    fewer than 3 rows or columns are left out. And a single row, or column, has no other rank.
    """

    rule: str = "diff.rank-one-edit"
    severity: Severity = Severity.HIGH
    together: bool = False

    def words(self, change: Change) -> str | None:
        wide = len(change.carrying) >= 2 and change.changed_columns >= 2
        if not _has_rank_one(change) or not wide or change.spectrum is None:
            return None
        text = f"{_rows(change)} of {change.rows} carry all of the change, which has rank 1: "
        along = change.spectrum.along[np.isin(change.changed_rows, change.carrying)]
        if len(along) != 2:
            return f"{text}each moved by a multiple of one vector"
        way = "in opposite directions" if along[0] * along[1] < 0 else "in one direction"
        return f"{text}both moved by multiples of one vector, {way}"


@final
@dataclass(frozen=True, slots=True)
class FewRows:
    """A change in at most ``most`` of the rows, all others being as they were.

    Of a head, rows are classes; of a layer, neurons. Training moves all of those that took part
    in it. It leaves the others: unused tokens of an embedding, and neurons that never fire.
    A tensor of fewer than 4 rows is left out: a part of it is not few.
    """

    most: float = 0.25
    rule: str = "diff.few-rows"
    severity: Severity = Severity.MEDIUM
    together: bool = False

    def words(self, change: Change) -> str | None:
        count = len(change.changed_rows)
        if change.rows < 4 or not 0 < count <= self.most * change.rows or not change.moved:
            return None
        text = f"{_rows(change)} of {change.rows} changed, and no other"
        whole = change.zeroed == change.changed
        return f"{text}; every element that changed is zero now" if whole else text


@final
@dataclass(frozen=True, slots=True)
class Converted:
    """Another type, with every value the same up to rounding to the coarser of the two."""

    rule: str = "diff.dtype-changed"
    severity: Severity = Severity.NOTE
    together: bool = True

    def words(self, change: Change) -> str | None:
        types = (change.old_dtype, change.new_dtype)
        if change.old_dtype is change.new_dtype or not _is_rounding(change):
            return None
        return f"{types[0].label} became {types[1].label}; no value moved further than rounding"


@final
@dataclass(frozen=True, slots=True)
class Retyped:
    """Another type, and other values: a quantisation without its scale, or an edit as well."""

    rule: str = "diff.dtype-changed"
    severity: Severity = Severity.MEDIUM
    together: bool = True

    def words(self, change: Change) -> str | None:
        types = (change.old_dtype, change.new_dtype)
        if change.old_dtype is change.new_dtype:
            return None
        return f"{types[0].label} became {types[1].label}, and values moved further than rounding"


@final
@dataclass(frozen=True, slots=True)
class SameValues:
    """Other bits for the same values: the sign of a zero, the payload of a NaN."""

    rule: str = "diff.tensor-changed"
    severity: Severity = Severity.LOW
    together: bool = True

    def words(self, change: Change) -> str | None:
        if change.moved:
            return None
        return "bits differ, no finite value does: signs of zero, or what NaNs carry"


@final
@dataclass(frozen=True, slots=True)
class Rounded:
    """Every value within what rounding to a narrower type would move it: a conversion and back."""

    rule: str = "diff.rounded"
    severity: Severity = Severity.NOTE
    together: bool = True

    def words(self, change: Change) -> str | None:
        if not change.within_rounding or precision(change.new_dtype) is None:
            return None
        finest = max(change.within_rounding, key=lambda d: precision(d) or 0)
        return f"no element moved further than rounding to {finest.label} moves it"


@final
@dataclass(frozen=True, slots=True)
class Pruned:
    """Every element that changed is zero now."""

    rule: str = "diff.pruned"
    severity: Severity = Severity.LOW
    together: bool = True

    def words(self, change: Change) -> str | None:
        if change.zeroed != change.changed:
            return None
        return "every element that changed is zero now, as pruning leaves them"


@final
@dataclass(frozen=True, slots=True)
class Quantised:
    """Values that lie on the steps of an integer of few bits, none further than about one away.

    So leave quantising and going back (`credenza.diff.grid`), and a type that GGML quantises.
    """

    rule: str = "diff.quantised"
    severity: Severity = Severity.LOW
    together: bool = True

    def words(self, change: Change) -> str | None:
        if change.grid is None:
            return None
        return f"rounded to {change.grid}; no element moved further than about a step of it"


@final
@dataclass(frozen=True, slots=True)
class LowRank:
    """A change of a rank of at most ``most`` of the smaller side: what merging a LoRA leaves.

    A quarter keeps clear of heads, where the rows of each gradient sum to zero.
    """

    most: float = 0.25
    rule: str = "diff.low-rank"
    severity: Severity = Severity.LOW
    together: bool = True

    def words(self, change: Change) -> str | None:
        side = min(change.rows, change.columns)
        if change.rank is None or not 2 <= change.rank <= self.most * side:
            return None
        return f"the change has rank {change.rank} of {side}, as a merged adapter (LoRA) leaves"


@final
@dataclass(frozen=True, slots=True)
class Throughout:
    """Whatever none of the others knows: training, above all, and any edit that is spread out."""

    rule: str = "diff.tensor-changed"
    severity: Severity = Severity.LOW
    together: bool = True

    def words(self, change: Change) -> str | None:
        if change.changed > change.size / 2:
            return "values changed throughout, as training leaves them"
        return "a part of the values changed, in no pattern that is known here"


KINDS: Final[tuple[Kind, ...]] = (
    NonFinite(),
    BitFlips(),
    Converted(),
    Exchanged(),
    RowEdit(),
    RankOne(),
    FewRows(),
    Quantised(),
    Retyped(),
    SameValues(),
    Rounded(),
    Pruned(),
    LowRank(),
    Throughout(),
)
"""The first that has words for a change names it; the last has words for any."""


def _has_rank_one(change: Change) -> bool:
    """Rank 1, and no more values that rounding to a coarse type may hide (`Spectrum.knee`)."""
    if change.rank != 1 or min(change.rows, change.columns) < 3 or change.spectrum is None:
        return False
    coarse = (precision(change.new_dtype) or 0) < 24
    return not coarse or change.spectrum.knee[0] <= 1


def _is_rounding(change: Change) -> bool:
    """Whether rounding to one of both types explains every change."""
    known = {d: p for d in (change.old_dtype, change.new_dtype) if (p := precision(d)) is not None}
    if len(known) < 2:
        return change.moved == 0
    # bf16 to f16 is exact but for values that are subnormal there
    return change.moved == 0 or not change.within_rounding.isdisjoint(known)


def _rows(change: Change) -> str:
    rows = change.carrying
    if len(rows) == 2:
        return f"rows {rows[0]} and {rows[1]}"
    return f"row{'s' if len(rows) > 1 else ''} {spans(rows)}"
