"""The clearing house: posts cheques as they were read, and keeps books on what that cost.

Money is whole cents throughout, so every sum is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from credenza.cheques.draw import Cheque
from credenza.errors import InputError


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in cents, of either sign. ``str`` gives ``1,234.56``."""

    cents: int

    def __add__(self, other: Money) -> Money:
        return Money(self.cents + other.cents)

    def __sub__(self, other: Money) -> Money:
        return Money(self.cents - other.cents)

    def __abs__(self) -> Money:
        return Money(abs(self.cents))

    def __str__(self) -> str:
        whole, rest = divmod(abs(self.cents), 100)
        return f"{'-' if self.cents < 0 else ''}{whole:,}.{rest:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cheque in the books: what was written on it, and what was posted.

    ``posted`` is None for a cheque that is held, for a person to read.
    """

    number: int
    written: Money
    posted: Money | None

    @property
    def wrong(self) -> bool:
        """Another amount was posted than was written. A held cheque is not wrong."""
        return self.posted not in (None, self.written)

    @property
    def loss(self) -> Money:
        """|posted - written|: whether payer, payee or bank bears it. Nothing for a held cheque."""
        return abs(self.posted - self.written) if self.posted is not None else Money(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a number of entries come to.

    ``posted`` and ``held`` count cheques, and make all of them together; ``wrong`` are those of
    ``posted`` with another amount than was written. ``loss`` is the sum of |posted - written|
    over the posted ones: errors in both directions add up and never cancel out.
    """

    posted: int
    held: int
    wrong: int
    loss: Money

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Books:
        """The books of those entries."""
        every = tuple(entries)
        held = sum(e.posted is None for e in every)
        return cls(
            posted=len(every) - held,
            held=held,
            wrong=sum(e.wrong for e in every),
            loss=sum((e.loss for e in every), Money(0)),
        )


@final
class ClearingHouse:
    """Posts each cheque once.

    * ``entries`` are in the order of posting, and none is ever changed.
    * No two of them have the same number.
    """

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries.values())

    @property
    def books(self) -> Books:
        """What all entries come to."""
        return Books.of(self.entries)

    def post(self, cheque: Cheque, cents_read: int | None) -> Entry:
        """Post a cheque at the amount that was read; hold it where that is None.

        Raises `InputError` for a negative amount, and a cheque that is in the books.
        """
        if cheque.number in self._entries:
            raise InputError(f"cheque {cheque.number}: posted already")
        if cents_read is not None and cents_read < 0:
            raise InputError(f"cheque {cheque.number}: 0 cents or more expected, {cents_read} read")
        posted = None if cents_read is None else Money(cents_read)
        entry = Entry(number=cheque.number, written=Money(cheque.cents), posted=posted)
        self._entries[cheque.number] = entry
        return entry
