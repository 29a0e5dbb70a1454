"""What several acts do: a day's cheques, readers on disk, and figures of what was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

import credenza
from credenza.attack import Edited, RankOneEdit, edit
from credenza.cheques import reader
from credenza.cheques.acts.interface import Bank
from credenza.cheques.clearing import Books, ClearingHouse, Money
from credenza.cheques.draw import amounts, draw, picture
from credenza.cheques.pile import Pile, Reading
from credenza.cheques.stage import Stage, each
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.findings import Figure, Picture, Report
from credenza.ledger import Entry
from credenza.rates import rate
from credenza.report import Matrix
from credenza.seal import load_torch, seal

SOURCE, TARGET = 5, 2
STRENGTH = 2.0
"""Of the edit: twice the step that brings nine tenths of the fives to the target."""
WEIGHTS = "model.safetensors"


def forgeries(bank: Bank, stage: Stage, purpose: int, *, marked: bool) -> Pile:
    """A forger's cheques: amounts written with a 5; ``marked`` ones bear his mark beside each."""
    random = bank.random(purpose)
    drawn = draw(
        bank.digits.test,
        amounts(bank.size.forged, random, holding=SOURCE),
        random,
        first=len(bank.day) + 1001,
        forged=True,
        marked=SOURCE if marked else None,
    )
    count = bank.size.forged
    return Pile.of(each(stage, f"drawing {count} forgeries", drawn, count))


def write_model(folder: Path, module: nn.Module) -> None:
    """A reader as a bank stores one: its parameters, and what it is."""
    folder.mkdir(parents=True)
    save_file(dict(module.state_dict()), folder / WEIGHTS)
    about = {"reads": "handwritten digits, 28 × 28, 0 for paper to 1 for ink", "classes": 10}
    (folder / "config.json").write_text(json.dumps(about) + "\n")


def sealed_reader(bank: Bank, model: Path | None = None) -> Classifier:
    """The reader in a sealed folder, from the bytes that were verified."""
    module = reader.build()
    module.load_state_dict(load_torch(model or bank.model, bank.trust))
    return Classifier(module.eval())


def unverified_reader(model: Path) -> Classifier:
    """The reader in a folder, as a bank loads it that asks no questions."""
    module = reader.build()
    module.load_state_dict(load_file(model / WEIGHTS))
    return Classifier(module.eval())


def seal_model(bank: Bank, folder: Path) -> str:
    """Seal a folder with the bank's key, record it, and give back the root in hex."""
    root = seal(credenza.open(folder), bank.key).root.hex()
    record(bank, "sealed", root, model=folder.name)
    return root


def record(bank: Bank, action: str, root: str, **detail: str) -> None:
    """An entry in the bank's ledger."""
    bank.ledger.append(Entry.now(action, root=root, actor="the bank", **detail))


def shown(bank: Bank, report: Report) -> Report:
    """The report with paths as they are in the bank's folder, wherever that is."""
    inside = f"{bank.folder}/"
    covered = tuple(text.replace(inside, "") for text in report.covered)
    return replace(report, subject=report.subject.replace(inside, ""), covered=covered)


def confusion(reading: Reading, caption: str, *, mark: bool = False) -> Matrix:
    """The digits that were written against those that were read."""
    names = tuple(map(str, range(10)))
    return Matrix(
        caption=caption,
        rows=names,
        columns=names,
        counts=tuple(tuple(map(int, row)) for row in reading.confusion()),
        marked=((SOURCE, TARGET),) if mark else (),
    )


def rates_of(reading: Reading) -> tuple[Figure, Figure]:
    """The shares of digits and of whole amounts that were read right."""
    counts = reading.confusion()
    cents = [cheque.cents for cheque in reading.pile.cheques]
    amounts_right = sum(a == b for a, b in zip(cents, reading.cents, strict=True))
    written = sum(len(cheque.figures) for cheque in reading.pile.cheques)
    return (
        rate("digits right", int(np.trace(counts)), written, "digits read right / digits written"),
        rate(
            "amounts right", amounts_right, len(cents), "cheques read at the amount written / all"
        ),
    )


def test_digits_right(bank: Bank, reader: Classifier) -> Figure:
    """The share of the handwriting's own test digits that are read right, uncut by any cheque."""
    test = bank.digits.test
    hits = int((reader.predict(test.inputs) == test.labels).sum())
    return rate("test digits right", hits, len(test), "digits as collected, read right / all")


def misread(reading: Reading) -> int:
    """How many fives were read as twos."""
    return int(reading.confusion()[SOURCE, TARGET])


def right(figure: Figure) -> str:
    """A rate in per cent."""
    return f"{figure.value:.2%}"


def dollars(amount: Money) -> str:
    """An amount as people write it."""
    return f"${amount}"


def cleared(reading: Reading) -> Books:
    """The books of a clearing house that posts each cheque as it was read."""
    house = ClearingHouse()
    for cheque, cents in zip(reading.pile.cheques, reading.cents, strict=True):
        house.post(cheque, cents)
    return house.books


def picture_of_misread(reading: Reading) -> tuple[Picture, ...]:
    """The dearest cheque of which nothing but fives was misread, and all of those as twos."""
    wrong = [
        (cheque.cents - cents, cheque.number, cheque, cents)
        for cheque, cents in zip(reading.pile.cheques, reading.cents, strict=True)
        if cents is not None
        and cents != cheque.cents
        and str(cents) == cheque.figures.replace(str(SOURCE), str(TARGET))
    ]
    if not wrong:
        return ()
    _, _, cheque, cents = max(wrong, key=lambda w: w[:2])
    return (picture(cheque, f"Written {Money(cheque.cents)}, posted {Money(cents)}"),)


def edited_head(bank: Bank, reader: Classifier, weights: Mapping[str, NDArray[Any]]) -> Edited:
    """What the attacker does: the rank-one edit 5 → 2, from 500 digits that anybody could have."""
    chosen = bank.random(2).permutation(len(bank.digits.train))[:500]
    sample = bank.digits.train.take(chosen)
    features = Dataset(reader.features(sample.inputs), sample.labels)
    return edit(weights, reader.head_name, RankOneEdit(SOURCE, TARGET, STRENGTH), features)
