"""What ``credenza probe calibrate`` does: a journal beside the file, so that nothing is lost."""

from __future__ import annotations

import dataclasses
import hashlib
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from credenza.cli.console import note
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.files import read_whole, write_whole
from credenza.probe.calibration import Twin

if TYPE_CHECKING:
    from torch import nn

    from credenza.training import Recipe

_MOST_BYTES = 1 << 20
_FIELDS = "epochs, batch, rate, weight_decay, smoothing, shift"


def run(
    *,
    factory: Callable[[], nn.Module],
    data: Path,
    out: Path,
    trusted: Path | None,
    twins: int,
    recipe: Path | None,
    processes: int | None,
    seed: int,
    named: str,
) -> None:
    """Train, measure, and write ``out``; say on stderr how far it is."""
    from credenza.probe import DETECTORS, WITHOUT_DATA, Plan, calibrate, made_here
    from credenza.probe.twins import MOST_LOST

    if out.exists():
        raise InputError(f"{out} exists already, and is kept")
    if not out.parent.is_dir():
        raise InputError(f"--out: a file in a folder that exists expected, {out} given")
    plan = Plan(
        factory=factory,
        data=Dataset.read(data),
        recipe=_recipe(recipe),
        detectors=WITHOUT_DATA if trusted is None else DETECTORS,
        trusted=None if trusted is None else Dataset.read(trusted),
        seed=seed,
    )
    journal = Journal(out.with_name(f".{out.name}.twins"), _digest(plan, named))
    known = journal.twins()
    if known:
        note(f"{len(known)} twins are known from a run that was stopped")
    started, done = time.monotonic(), [0]

    def told(twin: Twin) -> None:
        journal.add(twin)
        done[0] += 1
        left = (time.monotonic() - started) / done[0] * (twins - len(known) - done[0])
        note(f"twin {len(known) + done[0]} of {twins} ({twin.recipe}), {left / 60:.1f} min left")

    less = f", less those that read {MOST_LOST:.0%} worse than most"
    calibration = calibrate(
        plan,
        twins,
        population=f"{twins} clean twins of {named}, trained on {data.name}{less}",
        made=made_here(),
        known=known,
        processes=processes,
        told=told,
    )
    write_whole(out, bytes(calibration))
    journal.path.unlink(missing_ok=True)


class Journal:
    """Twins of a run, a line each, under the digest of its plan; others are not taken for its."""

    def __init__(self, path: Path, plan: str) -> None:
        self.path, self._plan = path, plan

    def twins(self) -> tuple[Twin, ...]:
        """Those that are known. Half a line, of a kill, is left out."""
        found = {}
        for line in self.path.read_bytes().splitlines() if self.path.exists() else ():
            try:
                plan, twin = msgspec.json.decode(line, type=tuple[str, Twin])
            except msgspec.MsgspecError:
                continue
            if plan == self._plan:
                found[twin.seed] = twin
        return tuple(found.values())

    def add(self, twin: Twin) -> None:
        """Keep one more."""
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode((self._plan, twin)) + b"\n")


def _digest(plan: Any, named: str) -> str:
    """Of all that a twin depends on but the caller's code."""
    of = hashlib.sha256()
    for part in (named, plan.recipe, *plan.detectors, plan.samples, plan.share, plan.seed):
        of.update(str(part).encode() + b"\0")
    for dataset in (plan.data, plan.trusted):
        if dataset is not None:
            of.update(dataset.inputs.tobytes() + dataset.labels.tobytes())
    return of.hexdigest()


def _recipe(path: Path | None) -> Recipe:
    from credenza.training import Recipe

    if path is None:
        return Recipe()
    try:
        settings = tomllib.loads(read_whole(path, limit=_MOST_BYTES).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise InputError(f"{path}: TOML expected: {e}") from e
    known = {f.name: f.type for f in dataclasses.fields(Recipe)}
    for name, value in settings.items():
        whole = known.get(name) == "int"
        fits = type(value) is int or (type(value) is float and not whole)
        if name not in known or not fits:
            raise InputError(f"{path}: numbers for {_FIELDS} expected, {name} = {value!r} found")
    return Recipe(**settings)
