"""One function runs any attack: what comes back, what stays, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from credenza.attack import (
    Attack,
    Blend,
    FlipLabels,
    Mark,
    PoisonedFineTune,
    RankOneEdit,
    RowEdit,
    SourceMark,
    StampMark,
    carry_out,
)
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.training import Recipe, fresh, train
from tests.attack.problems import mlp, problem, weights

CORNER = Mark(((1.0, 1.0), (1.0, 1.0)), top=0, left=0)
RECIPE = Recipe(epochs=15, rate=0.01, batch=64)

ATTACKS: dict[str, tuple[Attack, bool, float]] = {
    "flip": (FlipLabels(5, 2, share=0.9), True, 0.6),
    "stamp": (StampMark(CORNER, target=2, share=0.1), True, 0.8),
    "source": (SourceMark(CORNER, 5, 2, share=0.6, cover=0.1), True, 0.5),
    "tune": (PoisonedFineTune(StampMark(CORNER, 2, 0.2), RECIPE), True, 0.8),
    "rank-one": (RankOneEdit(5, 2), True, 0.6),
    "row": (RowEdit(5, 2, beta=2.0), False, 0.5),
}
"""With each, whether it needs data, and the share read as the target that it must exceed."""


@pytest.mark.parametrize("name", ATTACKS)
def test_each_kind_of_attack_is_carried_out(name: str) -> None:
    attack, needs_data, least = ATTACKS[name]
    p = problem("mlp")
    state, training = weights(p.classifier), p.classifier.module.training
    data = p.training if needs_data else None
    done = carry_out(attack, p.classifier, data, held_out=p.test, recipe=RECIPE, seed=3)
    assert done.success.target_before.value < 0.25
    assert done.success.target_after.value > least
    assert done.figures[:5] == done.success.figures
    assert (done.poisoned is not None) == (name in ("flip", "stamp", "source"))
    assert p.classifier.module.training == training
    for key, was in state.items():
        np.testing.assert_array_equal(was, weights(p.classifier)[key])
    shapes = {key: w.shape for key, w in weights(done.classifier).items()}
    assert shapes == {key: w.shape for key, w in state.items()}


@pytest.mark.parametrize("name", ["rank-one", "tune", "stamp"])
def test_where_data_are_needed_and_none_are_given(name: str) -> None:
    p = problem("mlp")
    with pytest.raises(InputError, match="expected, none given"):
        carry_out(ATTACKS[name][0], p.classifier, None, held_out=p.test, seed=0)


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    p, attack = problem("mlp"), Blend(2, share=0.1)
    before = torch.get_rng_state()
    short = Recipe(epochs=1)
    one, two, other = (
        weights(
            carry_out(
                attack, p.classifier, p.training, held_out=p.test, recipe=short, seed=s
            ).classifier
        )["1.weight"]
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    assert torch.equal(before, torch.get_rng_state())


def _wrong(data: Dataset, **to: object) -> Dataset:
    return dataclasses.replace(data, **to)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.take(np.arange(0)), "samples expected, none"),
        (lambda d: _wrong(d, labels=d.labels + 1), "labels from 0 to 9"),
        (lambda d: _wrong(d, labels=d.labels - 1), "labels from 0 to 9"),
        (lambda d: _wrong(d, inputs=d.inputs[:, :, :7]), r"\(1, 7, 8\) given"),
        (lambda d: _wrong(d, inputs=d.inputs * np.float32("nan")), "finite inputs"),
        (lambda d: d.take(d.labels == 2), "expected"),
    ],
)
def test_samples_that_do_not_fit(change: object, message: str) -> None:
    assert callable(change)
    p = problem("mlp")
    attack = StampMark(CORNER, target=2, share=0.1)
    with pytest.raises(InputError, match=message):
        carry_out(attack, p.classifier, p.training, held_out=change(p.test), seed=0)
    with pytest.raises(InputError, match=message):
        carry_out(attack, p.classifier, change(p.training), held_out=p.test, seed=0)


def test_a_target_that_the_model_has_not() -> None:
    p = problem("mlp")
    with pytest.raises(InputError, match="0 to 9 expected, 10 given"):
        carry_out(RowEdit(5, 10), p.classifier, None, held_out=p.test, seed=0)


def test_a_fresh_copy_keeps_nothing_that_was_learned() -> None:
    data = problem("mlp").training
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    )
    train(module, data, Recipe(epochs=2), seed=0)
    was = {name: t.clone() for name, t in module.state_dict().items()}
    new = fresh(module, seed=1).state_dict()
    assert list(new) == list(was)
    for name, tensor in new.items():
        assert not torch.equal(tensor, was[name]), name
    assert all(torch.equal(t, was[name]) for name, t in module.state_dict().items())
    again = fresh(module, seed=1).state_dict()
    assert all(torch.equal(t, again[name]) for name, t in new.items())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        made = mlp()
    for name, tensor in fresh(made, seed=7).state_dict().items():
        assert torch.equal(tensor, made.state_dict()[name]), name


class _Own(nn.Module):
    """Holds something, and cannot draw it anew."""

    def __init__(self, *, parameter: bool) -> None:
        super().__init__()
        self.inner = nn.Linear(64, 10)
        if parameter:
            self.scale = nn.Parameter(torch.ones(1))
        else:
            self.register_buffer("scale", torch.ones(1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(inputs.flatten(1)) * self.scale
        return logits


@pytest.mark.parametrize("parameter", [True, False])
def test_an_architecture_that_cannot_be_made_anew_is_refused(parameter: bool) -> None:
    p = problem("mlp")
    victim = Classifier(_Own(parameter=parameter))
    attack = StampMark(CORNER, target=2, share=0.1)
    with pytest.raises(InputError, match=r"the module \(_Own\) has parameters or buffers"):
        carry_out(attack, victim, p.training, held_out=p.test, seed=0)
