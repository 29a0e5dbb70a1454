"""A pile of cheques on the reading desk: cut into digits once, read as often as one likes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from credenza.cheques.draw import Cheque
from credenza.cheques.segment import segment
from credenza.classifier import Classifier
from credenza.dataset import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Pile:
    """Cheques, and the digits that were cut out of each: (n, 1, 28, 28), or None where none were
    found and a person has to read it.
    """

    cheques: tuple[Cheque, ...]
    crops: tuple[FloatArray | None, ...]

    @classmethod
    def of(cls, cheques: Iterable[Cheque]) -> Pile:
        """Cut the amount of each cheque into its digits."""
        kept = tuple(cheques)
        return cls(kept, tuple(_crops(cheque) for cheque in kept))

    def __len__(self) -> int:
        return len(self.cheques)

    def __add__(self, other: Pile) -> Pile:
        return Pile(self.cheques + other.cheques, self.crops + other.crops)

    def part(self, start: int, stop: int) -> Pile:
        """The cheques of those positions."""
        return Pile(self.cheques[start:stop], self.crops[start:stop])

    def shuffled(self, random: np.random.Generator) -> Pile:
        """The same cheques in another order."""
        order = random.permutation(len(self))
        return Pile(tuple(self.cheques[i] for i in order), tuple(self.crops[i] for i in order))

    def read(self, reader: Classifier) -> Reading:
        """What the reader makes of each cheque, all of them in one go."""
        found = [crops for crops in self.crops if crops is not None]
        digits = reader.predict(np.concatenate(found)) if found else np.zeros(0, np.int64)
        ends = np.cumsum([len(crops) for crops in found])
        parts = iter(np.split(digits, ends[:-1]) if found else [])
        return Reading(self, tuple(None if c is None else next(parts) for c in self.crops))


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The digits that were read of each cheque of a pile; None where a person has to read it."""

    pile: Pile
    digits: tuple[IntArray | None, ...]

    @property
    def cents(self) -> tuple[int | None, ...]:
        """The amount that was read of each cheque."""
        return tuple(None if d is None else int("".join(map(str, d))) for d in self.digits)

    def confusion(self) -> IntArray:
        """Counts (10, 10): digit written, digit read; of cheques whose digits were all found."""
        counts = np.zeros((10, 10), np.int64)
        for cheque, read in zip(self.pile.cheques, self.digits, strict=True):
            if read is not None and len(read) == len(cheque.figures):
                np.add.at(counts, (np.array([int(c) for c in cheque.figures]), read), 1)
        return counts


def _crops(cheque: Cheque) -> FloatArray | None:
    found = segment(cheque.image)
    return None if found is None else np.concatenate(found)
