from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from credenza.cheques.clearing import Books, ClearingHouse, Entry, Money
from credenza.cheques.draw import Cheque
from credenza.errors import InputError


def cheque(number: int, cents: int) -> Cheque:
    image = np.zeros((1, 1), np.uint8)
    return Cheque(
        number=number, payee="", date=dt.date(2026, 1, 5), cents=cents, digits=(), image=image
    )


def test_money_is_written_as_people_do() -> None:
    assert [str(Money(c)) for c in (0, 5, -5, 123456, -100_000_000)] == [
        "0.00",
        "0.05",
        "-0.05",
        "1,234.56",
        "-1,000,000.00",
    ]


def test_money_sums() -> None:
    assert Money(3) + Money(4) - Money(10) == Money(-3)
    assert abs(Money(-3)) == Money(3)
    assert Money(-3) < Money(2)


def test_books() -> None:
    house = ClearingHouse()
    house.post(cheque(1, 50_00), 50_00)
    house.post(cheque(2, 50_00), 20_00)
    house.post(cheque(3, 20_00), 50_00)
    house.post(cheque(4, 99_00), None)
    assert house.books == Books(posted=3, held=1, wrong=2, loss=Money(60_00))
    assert [e.wrong for e in house.entries] == [False, True, True, False]


def test_nothing_posted() -> None:
    assert ClearingHouse().books == Books(posted=0, held=0, wrong=0, loss=Money(0))


def test_entry_is_what_was_posted() -> None:
    entry = ClearingHouse().post(cheque(7, 50_00), 0)
    assert entry == Entry(number=7, written=Money(50_00), posted=Money(0))
    assert entry.loss == Money(50_00)


def test_posted_once() -> None:
    house = ClearingHouse()
    house.post(cheque(1, 50_00), 50_00)
    with pytest.raises(InputError, match="cheque 1: posted already"):
        house.post(cheque(1, 50_00), 50_00)
    assert house.books.posted == 1


def test_negative_amount() -> None:
    with pytest.raises(InputError, match="-1 read"):
        ClearingHouse().post(cheque(1, 50_00), -1)
