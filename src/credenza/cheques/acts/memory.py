"""Act 3: parameters changed in the memory of the running reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from credenza.cheques.acts.interface import Act, Bank
from credenza.cheques.acts.shared import (
    cleared,
    confusion,
    dollars,
    edited_head,
    forgeries,
    misread,
    record,
    sealed_reader,
)
from credenza.cheques.pile import Pile, Reading
from credenza.cheques.stage import Stage, each
from credenza.classifier import Classifier
from credenza.dataset import IntArray
from credenza.findings import Report
from credenza.guard import Guard, Pace
from credenza.report import Beside, Findings, Table
from credenza.seal import load_torch, read_seal

BATCH = 50
"""Cheques that are read between two sweeps: the sweep's period, in cheques."""

PERIOD_SECONDS = 0.5
"""The period of the guard that sweeps by itself, in the second half of the act."""


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """What a reader read of a pile, and what its guard saw meanwhile."""

    reading: Reading
    held: tuple[int, ...]
    reports: tuple[Report, ...]


def parameters_changed_in_memory(bank: Bank, stage: Stage) -> Act:
    """Somebody reaches into the process that reads, after the load was verified."""
    pile = bank.day + forgeries(bank, stage, 4, marked=False)
    pile = pile.shuffled(bank.random(5))
    struck = int(bank.random(6).integers(len(pile) // 4, len(pile) // 2))
    without = _unguarded(bank, pile, struck)
    shift = _guarded(bank, stage, pile, struck)
    seconds = _seconds_until_seen(bank)
    lost, kept = cleared(without), cleared(shift.reading)
    told = (
        f"After cheque {struck} the head was edited in memory. Without: {misread(without)} fives "
        f"read as twos from there on, {lost.wrong} of {len(pile)} cheques posted wrong, "
        f"{dollars(lost.loss)} astray.",
        f"With: the next sweep saw it ({shift.reports[0].findings[0].where}) and restored it.",
        f"{len(shift.held)} cheques read since the last good sweep were held and read again: "
        f"{kept.wrong} wrong in all, {dollars(kept.loss)} astray.",
        f"A guard sweeping by itself every {PERIOD_SECONDS} s saw the same edit after "
        f"{seconds:.2f} s.",
    )
    numbers = tuple(str(pile.cheques[i].number) for i in shift.held)
    return Act(
        name="Parameters changed in memory",
        cheques=len(pile),
        wrong_without=lost.wrong,
        wrong_with=kept.wrong,
        loss_without=lost.loss,
        loss_with=kept.loss,
        caught_by="memory sweep (guard)",
        told=told,
        blocks=(
            Beside(
                (
                    confusion(without, "The reader without a guard", mark=True),
                    confusion(shift.reading, "The guarded reader, held cheques read again"),
                )
            ),
            Table(
                columns=("held for review", "cheques"),
                rows=((f"{len(numbers)} cheques", ", ".join(numbers)),),
            ),
            *(Findings(report) for report in shift.reports),
        ),
    )


def _unguarded(bank: Bank, pile: Pile, struck: int) -> Reading:
    reader = sealed_reader(bank)
    before = pile.part(0, struck).read(reader)
    _strike(bank, reader)
    after = pile.part(struck, len(pile)).read(reader)
    return Reading(pile, before.digits + after.digits)


def _guarded(bank: Bank, stage: Stage, pile: Pile, struck: int) -> Shift:
    """Read in batches with a sweep after each; what a bad sweep brings to light is read again."""
    reader = sealed_reader(bank)
    guard = _guard(bank, reader)
    guard.sweep()
    digits: list[IntArray | None] = []
    held: list[int] = []
    reports: list[Report] = []
    starts = range(0, len(pile), BATCH)
    for start in each(stage, "reading under guard", starts, len(starts)):
        part = pile.part(start, start + BATCH)
        cut = min(max(struck - start, 0), len(part))
        read = part.part(0, cut).read(reader).digits
        if start <= struck < start + BATCH:
            _strike(bank, reader)
        read += part.part(cut, len(part)).read(reader).digits
        swept = guard.sweep()
        if swept.incidents:
            held += range(start, start + len(part))
            reports.append(swept.report)
            read = part.read(reader).digits
        digits += read
    return Shift(Reading(pile, tuple(digits)), tuple(held), tuple(reports))


def _seconds_until_seen(bank: Bank) -> float:
    """How long the edit stays under a guard that sweeps in a thread of its own."""
    reader = sealed_reader(bank)
    seen = threading.Event()
    guard = _guard(bank, reader, notify=lambda _: seen.set())
    with guard:
        start = time.monotonic()
        _strike(bank, reader)
        if not seen.wait(timeout=60 * PERIOD_SECONDS):
            raise RuntimeError("the guard did not see the edit")
        return time.monotonic() - start


def _guard(bank: Bank, reader: Classifier, notify: Callable[[Report], None] | None = None) -> Guard:
    root = read_seal(bank.model, bank.trust).value.seal.root.hex()
    return Guard(
        reader.module,
        load_torch(bank.model, bank.trust),
        name="reader",
        root=root,
        pace=Pace(period=PERIOD_SECONDS),
        notify=notify,
        record=lambda incident: record(
            bank, "restored" if incident.restored else "refused", root, what=incident.finding.what
        ),
    )


def _strike(bank: Bank, reader: Classifier) -> None:
    """Edit the head of the running reader, in place."""
    weights = {n: t.detach().numpy() for n, t in reader.module.state_dict().items()}
    edited = edited_head(bank, reader, weights).weights
    with torch.no_grad():
        reader.head.weight.copy_(torch.from_numpy(edited[f"{reader.head_name}.weight"]))
