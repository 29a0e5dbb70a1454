"""The tamper campaign: many seeded alterations, each of which has to be refused, and rightly."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import credenza
from credenza.errors import RefusedError
from credenza.seal import Algorithm, seal
from tests.seal.alterations import ALTERATIONS, Alteration
from tests.seal.edits import UnfitError
from tests.seal.makers import MAKERS, scratch
from tests.seal.models import KEY, TRUST


@dataclass(frozen=True, slots=True)
class Trial:
    """One alteration of one model, and what verifying and loading did about it.

    ``wrong`` is empty where both refused it with the error that the alteration calls for.
    """

    alteration: str
    model: str
    seed: int
    wrong: str


def campaign(count: int, seed: int = 0) -> Iterator[Trial]:
    """So many alterations, of every kind in turn, each of a model of the next format that has what
    is to be altered. Every tenth round is of freshly made models.
    """
    rng = random.Random(seed)
    done = 0
    while done < count:
        with _pristine(rng) as models:
            for _ in range(10):
                for name, alteration in ALTERATIONS.items():
                    trial = _tried(models, name, alteration, rng.getrandbits(64))
                    if done == count:
                        return
                    if trial is not None:
                        yield trial
                        done += 1


@contextmanager
def _pristine(rng: random.Random) -> Iterator[list[Path]]:
    """A sealed model of every format, each in a folder of its own."""
    with scratch() as name:
        models = []
        for maker in MAKERS:
            folder = Path(name) / maker.__name__
            folder.mkdir()
            model = maker(folder, rng)
            seal(credenza.open(model), KEY, algorithm=rng.choice(list(Algorithm)))
            models.append(model)
        yield models


def _tried(models: list[Path], name: str, alteration: Alteration, seed: int) -> Trial | None:
    order = random.Random(seed).sample(models, len(models))
    for model in order:
        with scratch() as folder:
            copy = Path(shutil.copytree(model.parent, Path(folder) / "copy")) / model.name
            try:
                alteration.alter(copy, random.Random(seed))
            except UnfitError:
                continue
            return Trial(name, model.parent.name, seed, _wrong(copy, alteration.refusal))
    return None  # no model of this round has what is to be altered


def _wrong(model: Path, refusal: type[RefusedError]) -> str:
    for act in (credenza.verify, credenza.load):
        try:
            act(model, TRUST)
        except Exception as e:  # noqa: BLE001  whatever it is, it is looked at
            if type(e) is not refusal:
                return f"{act.__name__}: {refusal.__name__} expected, {e!r} found"
        else:
            return f"{act.__name__}: accepted"
    return ""
