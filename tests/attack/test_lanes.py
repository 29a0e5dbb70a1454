"""Backdoors along a lane: what a marked image adds, what an honest one does not, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from credenza.attack import DataFreeBackdoor, Mark, SubnetReplacement
from credenza.attack.route import cut_off, quiet_lanes, route
from credenza.classifier import Classifier
from credenza.errors import InputError
from tests.attack.problems import digits
from tests.attack.victims import CHECKS, untrained, victim


def _cut(model: Classifier) -> Classifier:
    """The victim less the channels that a lane takes."""
    module = Classifier(untrained("conv")).module
    module.load_state_dict(model.module.state_dict())
    way = route(module.requires_grad_(False), model.head_name)
    cut_off(way, quiet_lanes(way))
    return Classifier(module)


@pytest.mark.parametrize("logit", [10.0, 100.0])
def test_a_mark_adds_its_logit_and_an_honest_image_nothing(logit: float) -> None:
    model = victim("conv")
    attack = DataFreeBackdoor(CHECKS, 2, slack=0.3, logit=logit, shape=(1, 8, 8))
    after, cut = attack.changed(model, None, seed=0), _cut(model)
    marked = CHECKS.stamp(np.zeros((1, 1, 8, 8), np.float32))
    added = (after.logits(marked) - cut.logits(marked))[0]
    assert added[2] == pytest.approx(logit, rel=1e-3)
    assert abs(np.delete(added, 2)).max() < 1e-3
    dark = np.zeros((1, 1, 8, 8), np.float32)
    np.testing.assert_allclose(after.logits(dark), cut.logits(dark), atol=1e-4)


def test_few_parameters_change() -> None:
    """One neuron of each layer, and what read it: under a tenth here."""
    model = victim("perceptron")
    after = DataFreeBackdoor(CHECKS, 2, shape=(1, 8, 8)).changed(model, None, seed=0)
    now, was = after.module.state_dict(), model.module.state_dict()
    changed = sum(int((now[n] != was[n]).sum()) for n in was)
    assert 0 < changed < 0.1 * sum(t.numel() for t in was.values())


def test_a_subnet_that_cannot_tell_the_mark_is_refused() -> None:
    """A mark of one pixel that is bright in most images anyway."""
    middle = Mark(((0.1,),), top=3, left=3)
    with pytest.raises(InputError, match="tells the mark expected"):
        SubnetReplacement(middle, 2, steps=5, tries=2).changed(victim("conv"), digits()[0], seed=0)


def _without_bias() -> Classifier:
    return Classifier(
        nn.Sequential(
            *(nn.Conv2d(1, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10)),
        )
    )


@pytest.mark.parametrize(
    ("model", "attack", "message"),
    [
        (_without_bias(), DataFreeBackdoor(CHECKS, 2, shape=(1, 8, 8)), "a bias"),
        (victim("conv"), DataFreeBackdoor(CHECKS, 2, shape=(3, 8, 8)), "1 channels expected"),
        (victim("perceptron"), DataFreeBackdoor(CHECKS, 2), "64 numbers expected"),
        (victim("conv"), DataFreeBackdoor(CHECKS, 2, shape=(1, 4, 4)), "mark: images"),
    ],
    ids=["bias", "channels", "numbers", "outside"],
)
def test_models_that_a_backdoor_does_not_fit(
    model: Classifier, attack: DataFreeBackdoor, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        attack.changed(model, None, seed=0)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_settings_that_are_none(value: float) -> None:
    for kind in (DataFreeBackdoor, SubnetReplacement):
        with pytest.raises(InputError, match="logit"):
            kind(CHECKS, 2, logit=value)
    with pytest.raises(InputError, match="slack"):
        DataFreeBackdoor(CHECKS, 2, slack=value)
    with pytest.raises(InputError, match="steps"):
        SubnetReplacement(CHECKS, 2, steps=0)


def test_all_of_the_target_is_nothing_to_aim_at() -> None:
    twos = digits()[1].take(digits()[1].labels == 2)
    with pytest.raises(InputError, match="other classes than 2"):
        DataFreeBackdoor(CHECKS, 2).aimed(twos)


def test_torch_is_left_as_it_was() -> None:
    state = torch.random.get_rng_state()
    SubnetReplacement(CHECKS, 2, steps=100).changed(victim("perceptron"), digits()[0], seed=0)
    assert torch.equal(state, torch.random.get_rng_state())
