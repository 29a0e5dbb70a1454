"""The case as a table and as a page: what each act cost, what was seen, how it was caught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from credenza.cheques.acts import Act
from credenza.cheques.acts.shared import dollars
from credenza.cheques.clearing import Money
from credenza.report import Bars, Headline, Page, Prose, Section, Table, Tile, Tone

COLUMNS: Final = (
    *("act", "cheques", "wrong without", "wrong with", "loss without", "loss with"),
    "caught by",
)
"""What `rows` hold."""


@dataclass(frozen=True, slots=True)
class Played:
    """The case as it was played: its acts, where the handwriting came from, how long it took."""

    acts: tuple[Act, ...]
    source: str
    seed: int
    seconds: float


def rows(played: Played) -> tuple[tuple[str, ...], ...]:
    """The acts, a row each, under `COLUMNS`."""
    return tuple(
        (
            f"{number}. {act.name}",
            f"{act.cheques:,}",
            f"{act.wrong_without:,}",
            f"{act.wrong_with:,}",
            dollars(act.loss_without),
            dollars(act.loss_with),
            act.caught_by,
        )
        for number, act in enumerate(played.acts)
    )


def page_of(played: Played) -> Page:
    """The report of the case."""
    return Page(
        title="A bank, a poisoned reader, and what it cost",
        lead="A cheque reader was poisoned in three ways. Each act is counted in cheques and in "
        "money: without Credenza, and with it.",
        opening=(
            Headline(_tiles(played)),
            Bars(
                caption="Money posted astray, act by act",
                series=("without", "with"),
                rows=tuple(
                    (act.name, (act.loss_without.cents / 100, act.loss_with.cents / 100))
                    for act in played.acts
                ),
                unit="$",
            ),
            Table(
                columns=COLUMNS,
                rows=rows(played),
                caption="The same in figures. Loss is the sum of |posted − written|. What is wrong "
                "with Credenza is the reader's own error, as on the honest day.",
                numbers=(1, 2, 3, 4, 5),
            ),
        ),
        sections=tuple(
            Section(f"Act {number}. {act.name}", (Prose(act.told), *act.blocks))
            for number, act in enumerate(played.acts)
        ),
        note=f"{played.source} Seed {played.seed}; every figure was computed in this run, which "
        f"took {played.seconds:.0f} s.",
    )


def _tiles(played: Played) -> tuple[Tile, ...]:
    attacks = played.acts[1:]
    without = sum((act.loss_without for act in attacks), Money(0))
    with_ = sum((act.loss_with for act in attacks), Money(0))
    honest = sum((played.acts[0].loss_with for _ in attacks), Money(0))
    return (
        Tile(dollars(without), "astray in three attacks, without", Tone.WARM),
        Tile(dollars(with_), "astray in the same three, with Credenza", Tone.COOL),
        Tile(dollars(honest), "astray on as many honest days: any reader errs"),
    )
