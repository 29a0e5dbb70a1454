"""Each attack on a trained model: it works, tells what it cost, and leaves the victim as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from credenza.attack import (
    BitSearch,
    DataFreeBackdoor,
    ExponentFlip,
    Handcrafted,
    MlpEdit,
    ModelAttack,
    QuietRankOne,
    RankOneEdit,
    RowEdit,
    Slanted,
    SliceEdit,
    SubnetReplacement,
    TargetedBitSearch,
    success,
)
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from tests.attack.problems import digits
from tests.attack.victims import CHECKS, victim

ATTACKS: list[tuple[ModelAttack, float, float]] = [
    (RankOneEdit(5, 2), 0.6, 0.25),
    (RowEdit(5, 2, beta=2.0), 0.5, 0.3),
    (QuietRankOne(5, 2), 0.5, 0.25),
    (SliceEdit(5, 2, Slanted(0.1), steps=120), 0.5, 0.12),
    (DataFreeBackdoor(CHECKS, 2, slack=0.3, shape=(1, 8, 8)), 0.95, 0.15),
    (SubnetReplacement(CHECKS, 2, steps=200), 0.9, 0.2),
    (Handcrafted(CHECKS, 2), 0.8, 0.2),
    (MlpEdit(5, 2), 0.6, 0.3),
    (ExponentFlip(2), 0.2, 0.95),
    (BitSearch(2), 0.9, 0.95),
    (TargetedBitSearch(5, 2), 0.7, 0.5),
]
"""With each, what it must exceed of the inputs aimed at, and what of the accuracy it may cost."""

NO_PLACE = {
    ("MlpEdit", "residual"): "before the head",
    ("DataFreeBackdoor", "tokens"): "route",
    ("SubnetReplacement", "tokens"): "route",
    ("Handcrafted", "tokens"): "route",
}
VICTIMS = ["conv", "residual", "perceptron", "tokens"]


def _data(attack: ModelAttack) -> Dataset | None:
    return digits()[0].take(np.arange(600)) if attack.needs_data else None


def _id(value: object) -> str:
    return type(value).__name__ if not isinstance(value, str) else value


@pytest.mark.parametrize("name", VICTIMS)
@pytest.mark.parametrize("case", ATTACKS, ids=lambda c: type(c[0]).__name__)
def test_an_attack_works_or_has_no_place(name: str, case: tuple[ModelAttack, float, float]) -> None:
    attack, least, most = case
    model = victim(name)
    state = copy.deepcopy(model.module.state_dict())
    generator = torch.random.get_rng_state()
    if message := NO_PLACE.get((type(attack).__name__, name)):
        with pytest.raises(InputError, match=message):
            attack.changed(model, _data(attack), seed=0)
        return
    after = attack.changed(model, _data(attack), seed=0)
    result = success(model, after, attack, digits()[1])
    assert result.target_before.value < 0.2
    assert result.target_after.value > least
    assert result.accuracy_given_up.value < most
    now = after.module.state_dict()
    assert [(n, t.shape, t.dtype) for n, t in now.items()] == [
        (n, t.shape, t.dtype) for n, t in state.items()
    ]
    assert any(not torch.equal(now[n], t) for n, t in state.items())
    assert all(torch.equal(t, model.module.state_dict()[n]) for n, t in state.items())
    assert torch.equal(generator, torch.random.get_rng_state())
    assert all(p.requires_grad for p in after.module.parameters())


@pytest.mark.parametrize("attack", [a for a, _, _ in ATTACKS], ids=_id)
def test_the_seed_decides(attack: ModelAttack) -> None:
    model = victim("perceptron")
    states = [attack.changed(model, _data(attack), seed=3).module.state_dict() for _ in range(2)]
    assert all(torch.equal(t, states[1][n]) for n, t in states[0].items())


@pytest.mark.parametrize("attack", [a for a, _, _ in ATTACKS], ids=_id)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_is_not_finite_is_refused(attack: ModelAttack, value: float) -> None:
    broken = Classifier(copy.deepcopy(victim("conv").module))
    with torch.no_grad():
        next(broken.module.parameters()).view(-1)[0] = value
    with pytest.raises(InputError, match="finite"):
        attack.changed(broken, _data(attack), seed=0)


@pytest.mark.parametrize(
    "attack", [ExponentFlip(10), RowEdit(5, 10), RankOneEdit(10, 2), BitSearch(10)], ids=_id
)
def test_a_class_that_the_model_has_not(attack: ModelAttack) -> None:
    with pytest.raises(InputError, match="from 0 to 9"):
        attack.changed(victim("conv"), _data(attack), seed=0)


def _spoilt() -> list[tuple[Dataset | None, str]]:
    some = digits()[0].take(np.arange(100))
    far = Dataset(some.inputs, some.labels + 5)
    return [
        (None, "none given"),
        (some.take(np.arange(0)), "none given"),
        (Dataset(np.full_like(some.inputs, np.nan), some.labels), "finite"),
        (far, "labels from 0 to 9"),
    ]


@pytest.mark.parametrize("attack", [a for a, _, _ in ATTACKS if a.needs_data], ids=_id)
@pytest.mark.parametrize(("data", "message"), _spoilt(), ids=["none", "empty", "nan", "labels"])
def test_data_that_do_not_serve(attack: ModelAttack, data: Dataset | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        attack.changed(victim("conv"), data, seed=0)


@pytest.mark.parametrize(
    "attack",
    [
        RankOneEdit(5, 2),
        QuietRankOne(5, 2),
        SliceEdit(5, 2, Slanted(0.1)),
        MlpEdit(5, 2),
        TargetedBitSearch(5, 2),
    ],
    ids=_id,
)
@pytest.mark.parametrize("own", [True, False])
def test_a_class_that_is_missing_or_alone(attack: ModelAttack, own: bool) -> None:
    data = digits()[0]
    with pytest.raises(InputError, match="5 and"):
        attack.changed(victim("conv"), data.take((data.labels == 5) == own), seed=0)
