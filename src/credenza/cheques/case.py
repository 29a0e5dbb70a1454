"""The case, from fetching handwriting to the report: a bank, four acts, and what each cost."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from credenza.attest import Trust, new_key
from credenza.cheques import digits as handwriting
from credenza.cheques.acts import SCENES, Bank, Size
from credenza.cheques.acts.shared import seal_model, write_model
from credenza.cheques.digits import Digits
from credenza.cheques.draw import amounts, draw
from credenza.cheques.page import Played, page_of
from credenza.cheques.pile import Pile
from credenza.cheques.stage import Stage, each
from credenza.errors import InputError
from credenza.files import write_whole
from credenza.ledger import Ledger
from credenza.report import render

_MARKER = "summary.json"


def play(
    out: Path,
    *,
    seed: int,
    stage: Stage,
    digits: Digits | None = None,
    size: Size | None = None,
) -> Played:
    """Play the case, and leave its report, its summary and its bank in the folder ``out``.

    ``digits`` are the handwriting: MNIST, fetched, where none is given. An ``out`` of an earlier
    run is replaced, in one step and only once this one is complete.

    Raises `InputError` where ``out`` is something else or cannot be written.
    """
    with _aside(out) as folder:
        started = time.monotonic()
        written = digits or handwriting.load(progress=stage.progress)
        bank = _open_bank(folder, written, size or Size(), seed, stage)
        acts = []
        for number, scene in enumerate(SCENES):
            act = scene(bank, stage)
            acts.append(act)
            stage.say(f"Act {number}. {act.name}")
            for line in act.told:
                stage.say(f"  {line}")
        seconds = time.monotonic() - started
        played = Played(tuple(acts), bank.digits.source, seed, seconds)
        write_whole(folder / "report.html", render(page_of(played)).encode())
        write_whole(folder / _MARKER, summary(played))
    return played


def summary(played: Played) -> bytes:
    """The figures of a case as JSON; losses are in dollars."""
    acts = [
        {
            "name": act.name,
            "cheques": act.cheques,
            "wrong_without": act.wrong_without,
            "wrong_with": act.wrong_with,
            "loss_without": act.loss_without.cents / 100,
            "loss_with": act.loss_with.cents / 100,
            "caught_by": act.caught_by,
        }
        for act in played.acts
    ]
    document = {"seed": played.seed, "handwriting": played.source, "currency": "USD", "acts": acts}
    return json.dumps(document, indent=1).encode() + b"\n"


def _open_bank(folder: Path, digits: Digits, size: Size, seed: int, stage: Stage) -> Bank:
    """Set some handwriting aside, draw a day's cheques, train and seal the bank's reader."""
    stage.say(digits.source)
    order = np.random.default_rng([seed, 7]).permutation(len(digits.train))
    trusted = min(size.trusted, len(order) // 3)
    key = new_key(folder / "bank.key")
    bank = Bank(
        folder=folder,
        model=folder / "models" / "reader",
        digits=digits,
        training=digits.train.take(np.sort(order[trusted:])),
        trusted=digits.train.take(order[:trusted]),
        day=_day(digits, size.cheques, seed, stage),
        key=key,
        trust=Trust((key.public,)),
        ledger=Ledger.create(folder / "ledger", "bank.example/ledger"),
        size=size,
        seed=seed,
    )
    stage.say(f"training the reader on {len(bank.training)} images")
    write_model(bank.model, bank.trained(bank.training, stage))
    seal_model(bank, bank.model)
    return bank


def _day(digits: Digits, count: int, seed: int, stage: Stage) -> Pile:
    random = np.random.default_rng([seed, 8])
    drawn = draw(digits.test, amounts(count, random), random)
    return Pile.of(each(stage, f"drawing {count} cheques", drawn, count))


@contextlib.contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its name at the end, and is gone if there is none."""
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / _MARKER).exists())):
        raise InputError(f"{out} exists, and is no folder of an earlier demo; it is kept")
    try:
        aside = Path(tempfile.mkdtemp(dir=out.resolve().parent, prefix=f".{out.name}."))
    except OSError as e:
        raise InputError(f"{out} cannot be made: {e.strerror}") from e
    try:
        yield aside
        aside.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
