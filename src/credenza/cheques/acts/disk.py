"""Act 1: parameters edited on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors.numpy import load_file, save_file

import credenza
from credenza.attack import Edited
from credenza.cheques.acts.interface import Act, Bank
from credenza.cheques.acts.shared import (
    WEIGHTS,
    cleared,
    confusion,
    dollars,
    edited_head,
    forgeries,
    misread,
    picture_of_misread,
    record,
    sealed_reader,
    shown,
    unverified_reader,
)
from credenza.cheques.stage import Stage
from credenza.classifier import Classifier
from credenza.diff import diff
from credenza.diff.behaviour import behaviour
from credenza.errors import AlteredError
from credenza.report import Beside, Findings, Pictures
from credenza.seal import verify


def parameters_edited_on_disk(bank: Bank, stage: Stage) -> Act:
    """Somebody who can write the file makes the reader see 2 where 5 is written."""
    deployed = bank.folder / "deployed" / "reader"
    shutil.copytree(bank.model, deployed)
    attack = _edit_file(bank, deployed / WEIGHTS)
    stage.say(f"edited {WEIGHTS}: rank one, {attack.figures[0]}")

    pile = bank.day + forgeries(bank, stage, 1, marked=False)
    without = pile.read(unverified_reader(deployed))
    with_ = pile.read(_served(bank, deployed, stage))
    lost, kept = cleared(without), cleared(with_)

    refusal = _refusal(bank, deployed)
    change = diff(credenza.open(bank.model), credenza.open(deployed))
    flow = behaviour(sealed_reader(bank), unverified_reader(deployed), bank.trusted)
    told = (
        f"Without: {misread(without)} fives were read as twos; {lost.wrong} of {len(pile)} cheques "
        f"posted wrong, {dollars(lost.loss)} astray.",
        f"With: the load was refused: {refusal.report.findings[0].where} are not what was sealed.",
        *(f"diff says: {finding.what}." for finding in (*change.findings, *flow.findings)),
        f"The sealed version served on: {kept.wrong} wrong, {dollars(kept.loss)} astray.",
    )
    return Act(
        name="Parameters edited on disk",
        cheques=len(pile),
        wrong_without=lost.wrong,
        wrong_with=kept.wrong,
        loss_without=lost.loss,
        loss_with=kept.loss,
        caught_by="verified load (seal)",
        told=told,
        blocks=(
            Pictures(picture_of_misread(without)),
            Beside(
                (
                    confusion(with_, "The sealed reader"),
                    confusion(without, "The edited reader", mark=True),
                )
            ),
            Findings(shown(bank, refusal.report)),
            Findings(shown(bank, change)),
            Findings(flow),
        ),
    )


def _edit_file(bank: Bank, weights: Path) -> Edited:
    """Read the file, edit the head, write the file."""
    edited = edited_head(bank, sealed_reader(bank), load_file(weights))
    save_file(edited.weights, weights)
    return edited


def _refusal(bank: Bank, model: Path) -> AlteredError:
    """What the bank is told when it loads the edited folder, as its ledger records it."""
    try:
        verify(model, bank.trust)
    except AlteredError as refused:
        where = str(refused.report.findings[0].where)
        record(bank, "refused", refused.report.root, model=model.name, where=where)
        return refused
    raise RuntimeError("the edited reader was not refused")


def _served(bank: Bank, model: Path, stage: Stage) -> Classifier:
    """The reader that serves after the bank tried to load ``model``: the sealed one if it must."""
    try:
        return sealed_reader(bank, model)
    except AlteredError as refused:
        stage.say(f"load refused: {refused.report.findings[0].where}")
        return sealed_reader(bank)
