"""An attack on a model file: another ordinary file comes out, and the truth beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from torch import nn

from credenza import artifact
from credenza.attack.carrying import CarriedOut, carry_out
from credenza.attack.interface import Attack, DataAttack, ModelAttack, WeightAttack
from credenza.attack.state import State, state_of
from credenza.attack.table import named, settings_of
from credenza.attack.weights import edit
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.files import check_free, write_whole
from credenza.findings import Figure
from credenza.seal.sealing import take
from credenza.training import Recipe

_HELD_OUT: Final = 5
"""One sample of so many is held out of the attacker's data, where none are given apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """An attack by its name and settings, what the attacker has, and where it goes.

    ``network`` is the architecture, of the caller's own code. Without it the parameters are all
    there is, which some attacks need no more than; ``head`` is the head's dotted name then, or
    empty where it is the only matrix. Without ``held_out`` a fifth of ``data``, drawn by ``seed``,
    is kept from the attacker, to measure on. The truth is written to ``truth``.
    """

    model: Path
    out: Path
    truth: Path
    name: str
    settings: Mapping[str, Any]
    network: nn.Module | None = None
    data: Dataset | None = None
    held_out: Dataset | None = None
    recipe: Recipe = Recipe()  # noqa: RUF009  a frozen value
    head: str = ""
    seed: int = 0
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What was done to a model, for those who measure whether it is found.

    Roots are those of `credenza.seal`. ``altered`` and ``covers`` are indices into the data that
    were trained on, ``held_out`` says which those were not.
    """

    attack: dict[str, Any]
    seed: int
    before: dict[str, str]
    after: dict[str, str]
    figures: tuple[Figure, ...]
    training: dict[str, Any] | None = None
    altered: tuple[int, ...] = ()
    covers: tuple[int, ...] = ()
    held_out: tuple[int, ...] = ()


def write(plan: Plan) -> Truth:
    """Carry the attack out on the model, write what it became, and the truth beside it.

    The model is safetensors, with the names, types and shapes, and where it was safetensors the
    order and metadata, that were there: nothing in it says what was done. Files that are there
    already are kept unless ``plan.replace``; what is refused leaves none behind.

    Raises `InputError` for what cannot be done, `MalformedError` for a model that breaks its
    format.
    """
    _check_places(plan)
    opened = artifact.open(plan.model)
    state = State.of(opened)
    before = take(opened).root.hex()
    attack = named(plan.name, plan.settings, {"surrogate": lambda: _victim(plan, state)})
    victim = _victim(plan, state)
    data, held_out, indices = _apart(plan)
    done, arrays, figures = _done(plan, attack, victim, data, held_out)
    model = bytes(state.changed(arrays))
    truth = Truth(
        attack=settings_of(attack),
        seed=plan.seed,
        before={"file": plan.model.name, "root": before},
        after={"file": plan.out.name, "root": _root(plan.out.name, model)},
        figures=figures,
        training=settings_of(plan.recipe) if isinstance(attack, DataAttack) else None,
        altered=done.poisoned.altered if done and done.poisoned else (),
        covers=done.poisoned.covers if done and done.poisoned else (),
        held_out=indices,
    )
    _write_both(plan, model, msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n")
    return truth


def _check_places(plan: Plan) -> None:
    places = {plan.out.absolute(), plan.truth.absolute(), plan.model.absolute()}
    if len(places) < 3:
        raise InputError(f"{plan.out}: places of their own expected for the model and the truth")
    for path in () if plan.replace else (plan.out, plan.truth):
        check_free(path)


def _victim(plan: Plan, state: State) -> Classifier:
    if plan.network is None:
        return state.bare(state.head(plan.head))
    return state.put_into(plan.network)


def _apart(plan: Plan) -> tuple[Dataset | None, Dataset | None, tuple[int, ...]]:
    """The attacker's samples, those held out, and the indices of these in the data given."""
    if plan.data is None or plan.held_out is not None:
        return plan.data, plan.held_out, ()
    if len(plan.data) < 2 * _HELD_OUT:
        raise InputError(f"data: {2 * _HELD_OUT} samples expected, {len(plan.data)} given")
    order = np.random.default_rng([plan.seed, 41]).permutation(len(plan.data))
    held, own = np.sort(order[::_HELD_OUT]), np.setdiff1d(order, order[::_HELD_OUT])
    return plan.data.take(own), plan.data.take(held), tuple(held.tolist())


def _done(
    plan: Plan,
    attack: Attack,
    victim: Classifier,
    data: Dataset | None,
    held_out: Dataset | None,
) -> tuple[CarriedOut | None, dict[str, Any], tuple[Figure, ...]]:
    """What came of it where it could be measured, the values, and the figures."""
    if held_out is not None:
        if plan.network is None:
            raise InputError("data: the network that reads them expected, none given")
        done = carry_out(
            attack, victim, data, held_out=held_out, recipe=plan.recipe, seed=plan.seed
        )
        return done, state_of(done.classifier), done.figures
    if isinstance(attack, WeightAttack):
        edited = edit(state_of(victim), victim.head_name, attack)
        return None, edited.weights, edited.figures
    if isinstance(attack, ModelAttack) and not attack.needs_data:
        return None, state_of(attack.changed(victim, None, seed=plan.seed)), ()
    raise InputError(f"{plan.name}: labelled samples expected, none given")


def _root(name: str, model: bytes) -> str:
    """The root that the model will have under that name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(model)
        return take(artifact.open(path)).root.hex()


def _write_both(plan: Plan, model: bytes, truth: bytes) -> None:
    """The truth first: no model of ours is ever there without it."""
    new = not plan.truth.exists()
    write_whole(plan.truth, truth, replace=plan.replace)
    try:
        write_whole(plan.out, model, replace=plan.replace)
    except InputError:
        if new:
            plan.truth.unlink(missing_ok=True)
        raise
