"""Act 0: an honest day."""

from __future__ import annotations

from credenza.cheques.acts.interface import Act, Bank
from credenza.cheques.acts.shared import (
    cleared,
    confusion,
    dollars,
    rates_of,
    right,
    sealed_reader,
    test_digits_right,
)
from credenza.cheques.draw import picture
from credenza.cheques.stage import Stage
from credenza.report import Beside, Pictures, Table


def honest_day(bank: Bank, stage: Stage) -> Act:  # noqa: ARG001  every scene has one
    """1,000 cheques that nobody tampered with, read by the sealed reader."""
    pile = bank.day
    reader = sealed_reader(bank)
    reading = pile.read(reader)
    books = cleared(reading)
    digits, amounts = rates_of(reading)
    collected = test_digits_right(bank, reader)
    told = (
        f"{len(pile)} cheques: {right(digits)} of the digits and {right(amounts)} of the amounts "
        f"read right, and {right(collected)} of the test digits as they were collected.",
        f"{books.wrong} cheques posted wrong, {dollars(books.loss)} astray, {books.held} held for "
        "a person: the reader's own error, with Credenza as without. Read the other acts against "
        "it.",
    )
    rows = tuple((f.name, right(f), f.definition) for f in (digits, amounts, collected))
    return Act(
        name="An honest day",
        cheques=len(pile),
        wrong_without=books.wrong,
        wrong_with=books.wrong,
        loss_without=books.loss,
        loss_with=books.loss,
        caught_by="nothing to catch",
        told=told,
        blocks=(
            Pictures(tuple(picture(cheque) for cheque in pile.cheques[:2])),
            Beside(
                (
                    Table(columns=("", "right", "what was counted"), rows=rows),
                    confusion(reading, "Digits written and read on an honest day"),
                )
            ),
        ),
    )
