"""Honest models, and what their owners do to them: none of it may be refused."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import credenza
from credenza.artifact import array
from credenza.attest import Trust
from credenza.errors import CredenzaError
from credenza.seal import Algorithm, seal, seal_path
from tests.seal.alterations import files
from tests.seal.makers import MAKERS, Maker, scratch
from tests.seal.models import KEY, OTHER, TRUST

Variation = Callable[[Path, random.Random], tuple[Path, Trust]]
"""Does something to a sealed model; says where it is then, and who is to be trusted."""


@dataclass(frozen=True, slots=True)
class Honest:
    """One variation of one model; ``wrong`` says how it was refused, or is empty."""

    variation: str
    model: str
    seed: int
    wrong: str


def nothing(model: Path, _: random.Random) -> tuple[Path, Trust]:
    return model, TRUST


def moved(model: Path, _: random.Random) -> tuple[Path, Trust]:
    place = model.parent.rename(model.parent.with_name("elsewhere, with spaces"))
    return place / model.name, TRUST


def copied(model: Path, _: random.Random) -> tuple[Path, Trust]:
    place = shutil.copytree(model.parent, model.parent.with_name("copy"))
    shutil.rmtree(model.parent)
    return place / model.name, TRUST


def renamed_folder(model: Path, _: random.Random) -> tuple[Path, Trust]:
    if model.is_file():  # the file's name is what is sealed
        return model, TRUST
    return model.rename(model.with_name("another")), TRUST


def touched(model: Path, rng: random.Random) -> tuple[Path, Trust]:
    for path in (*files(model), seal_path(model)):
        os.utime(path, (rng.randint(0, 2**31), rng.randint(0, 2**31)))
    return model, TRUST


def read_only(model: Path, _: random.Random) -> tuple[Path, Trust]:
    for path in (*files(model), seal_path(model)):
        path.chmod(0o444)
    return model, TRUST


def hard_linked(model: Path, _: random.Random) -> tuple[Path, Trust]:
    place = model.parent.with_name("links")
    shutil.copytree(model.parent, place, copy_function=os.link)
    return place / model.name, TRUST


def behind_a_link(model: Path, _: random.Random) -> tuple[Path, Trust]:
    """The path that the caller gives may be a link: it is the caller's own word."""
    link = model.parent.with_name("link")
    link.symlink_to(model.parent, target_is_directory=True)
    return link / model.name, TRUST


def with_an_empty_folder(model: Path, _: random.Random) -> tuple[Path, Trust]:
    if model.is_dir():
        (model / "nothing in it").mkdir()
    return model, TRUST


def beside_others(model: Path, rng: random.Random) -> tuple[Path, Trust]:
    """What lies beside a model is no part of it."""
    (model.parent / "notes.txt").write_bytes(rng.randbytes(9))
    return model, TRUST


def resealed(model: Path, rng: random.Random) -> tuple[Path, Trust]:
    seal(credenza.open(model), KEY, algorithm=rng.choice(list(Algorithm)))
    return model, TRUST


def sealed_by_two(model: Path, _: random.Random) -> tuple[Path, Trust]:
    seal(credenza.open(model), OTHER, KEY)
    return model, TRUST


def trusted_with_others(model: Path, _: random.Random) -> tuple[Path, Trust]:
    return model, Trust((OTHER.public, KEY.public))


VARIATIONS: Final[tuple[Variation, ...]] = (
    nothing,
    moved,
    copied,
    renamed_folder,
    touched,
    read_only,
    hard_linked,
    behind_a_link,
    with_an_empty_folder,
    beside_others,
    resealed,
    sealed_by_two,
    trusted_with_others,
)
"""A variation is a line here."""


def honest(count: int, seed: int = 0) -> Iterator[Honest]:
    """So many freshly made models, of each format and with each variation in turn."""
    rng = random.Random(seed)
    for i in range(count):
        maker = MAKERS[i % len(MAKERS)]
        variation = VARIATIONS[i // len(MAKERS) % len(VARIATIONS)]
        yield _tried(maker, variation, rng.getrandbits(64))


def _tried(maker: Maker, variation: Variation, seed: int) -> Honest:
    rng = random.Random(seed)
    with scratch() as name:
        folder = Path(name) / "models"
        folder.mkdir()
        return Honest(
            variation.__name__, maker.__name__, seed, _wrong(folder, maker, variation, rng)
        )


def _wrong(folder: Path, maker: Maker, variation: Variation, rng: random.Random) -> str:
    try:
        model = maker(folder, rng)
        opened = credenza.open(model)
        saved = {tensor.name: array(opened, tensor) for tensor in opened.tensors}
        seal(opened, KEY)
        place, trust = variation(model, rng)
        credenza.verify(place, trust)
        loaded = credenza.load(place, trust)
    except CredenzaError as e:
        return repr(e)
    if loaded.keys() != saved.keys():
        return "other tensors"
    same = all(np.array_equal(loaded[name], value) for name, value in saved.items())
    return "" if same else "other values"
