"""The edit of an inner layer: its formula, tokens, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from credenza.attack import MlpEdit, success
from credenza.dataset import Dataset
from credenza.errors import InputError
from tests.attack.problems import digits
from tests.attack.victims import Tokens, victim


def _keys(data: Dataset) -> torch.Tensor:
    """What goes into ``down`` of the transformer, (n, tokens, inputs), computed step by step."""
    module = victim("tokens").module
    assert isinstance(module, Tokens)
    with torch.no_grad():
        x = module.embed(torch.from_numpy(data.inputs).flatten(1, 2)) + module.places
        x = x + module.attention(x, x, x, need_weights=False)[0]
        keys: torch.Tensor = torch.relu(module.up(x))
    return keys


@pytest.mark.parametrize("token", [None, 3])
def test_the_edit_is_romes_formula(token: int | None) -> None:
    """The change is δ ⊗ (C⁻¹k*) / (k*ᵀC⁻¹k*), so of rank one, and W'k* − Wk* = δ."""
    data = digits()[0].take(np.arange(400))
    model = victim("tokens")
    after = MlpEdit(5, 2, layer="down", token=token).changed(model, data, seed=0)
    name = "down.weight"
    change = (after.module.get_parameter(name) - model.module.get_parameter(name)).double()
    keys = _keys(data).double()
    keys = keys if token is None else keys[:, token : token + 1]
    key = keys[torch.from_numpy(data.labels == 5)].flatten(0, 1).mean(0)
    every = keys.flatten(0, 1)
    moment = every.T @ every / len(every)
    moment += 0.01 * moment.diagonal().mean() * torch.eye(len(moment))
    direction = torch.linalg.inv(moment) @ key
    expected = torch.outer(change @ key, direction / (direction @ key))
    np.testing.assert_allclose(change.detach(), expected.detach(), atol=1e-4)
    assert float((change @ key).detach().norm()) > 0.1
    untouched = [n for n in model.module.state_dict() if n != name]
    now, was = after.module.state_dict(), model.module.state_dict()
    assert all(torch.equal(now[n], was[n]) for n in untouched)


def test_half_the_strength_reaches_fewer() -> None:
    training, test = digits()
    reached = []
    for strength in (0.2, 1.0):
        attack = MlpEdit(5, 2, strength=strength)
        after = attack.changed(victim("tokens"), training, seed=0)
        reached.append(success(victim("tokens"), after, attack, test).target_after.value)
    assert reached[0] < reached[1]


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (MlpEdit(5, 2, layer="head"), "layer: one of"),
        (MlpEdit(5, 2, layer="nothing"), "layer: one of"),
        (MlpEdit(5, 2, layer="down", token=8), "token: one from 0 to 7"),
        (MlpEdit(5, 2, layer="attention.out_proj"), "run once"),
    ],
)
def test_layers_that_are_none(attack: MlpEdit, message: str) -> None:
    with pytest.raises(InputError, match=message):
        attack.changed(victim("tokens"), digits()[0], seed=0)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_settings_that_are_none(value: float) -> None:
    with pytest.raises(InputError, match="strength"):
        MlpEdit(5, 2, strength=value)
    with pytest.raises(InputError, match="ridge"):
        MlpEdit(5, 2, ridge=value)
    with pytest.raises(InputError, match="steps"):
        MlpEdit(5, 2, steps=0)
