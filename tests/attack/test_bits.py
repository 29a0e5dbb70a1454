"""Bit flips: which bits, how many, and what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from credenza.attack import BitSearch, ExponentFlip, TargetedBitSearch
from credenza.attack.bits import _best
from credenza.classifier import Classifier
from credenza.errors import InputError
from tests.attack.problems import digits
from tests.attack.victims import victim


def _moves(before: Classifier, after: Classifier) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    now = after.module.state_dict()
    return [(n, t, now[n]) for n, t in before.module.state_dict().items()]


def test_one_exponent_bit_is_flipped() -> None:
    model = victim("conv")
    after = ExponentFlip(2).changed(model, None, seed=0)
    flipped = {
        n: (was.numpy().view(np.uint32) ^ now.numpy().view(np.uint32))
        for n, was, now in _moves(model, after)
        if was.dtype == torch.float32
    }
    total = sum(int(np.bitwise_count(x).sum()) for x in flipped.values())
    at = np.argwhere(flipped[f"{model.head_name}.weight"])
    assert total == 1
    assert at[0][0] == 2
    assert flipped[f"{model.head_name}.weight"].max() == 1 << 30
    assert torch.isfinite(after.head.weight).all()
    assert after.head.weight.max() > 1e30


@pytest.mark.parametrize("attack", [BitSearch(2, flips=4), TargetedBitSearch(5, 2, flips=4)])
def test_every_change_is_a_flip_of_the_8_bit_view(attack: BitSearch | TargetedBitSearch) -> None:
    model = victim("perceptron")
    after = attack.changed(model, digits()[0], seed=0)
    count = 0
    for name, was, now in _moves(model, after):
        changed = was != now
        if not changed.any():
            continue
        assert name.endswith("weight")
        scale = float(was.abs().max()) / 127
        steps = (now - was)[changed] / scale
        codes = (was[changed] / scale).round().to(torch.int64)
        for code, step in zip(codes.tolist(), steps.tolist(), strict=True):
            bits = (code ^ round(code + step)) & 0xFF
            assert step == pytest.approx(round(step), abs=1e-3)
            assert -128 <= round(code + step) <= 127
            assert bits.bit_count() <= 4
            count += bits.bit_count()
    assert 1 <= count <= 4


@pytest.mark.parametrize(
    ("code", "slope", "step"),
    [(1, -1.0, 64), (1, 1.0, -128), (-3, -1.0, 128), (-3, 1.0, -64), (127, 1.0, -128)],
)
def test_the_best_bit_is_the_one_that_promises_most(code: int, slope: float, step: int) -> None:
    """−128 sets the sign bit and +128 clears it; 64 is the largest other."""
    weight = torch.tensor([[127.0, float(code)]]) * 0.01
    gradient = torch.tensor([[0.0, slope]])
    at, move = _best(weight, 0.01, gradient)
    assert at == 1
    assert move == pytest.approx(step * 0.01)


def test_more_flips_reach_further() -> None:
    model, (training, test) = victim("perceptron"), digits()
    fives = test.take(test.labels == 5)
    reached = []
    for flips in (1, 3, 10):
        after = TargetedBitSearch(5, 2, flips).changed(model, training, seed=0)
        reached.append(float((after.predict(fives.inputs) == 2).mean()))
    assert reached[0] < reached[-1]
    assert reached[-1] > 0.7


def test_models_and_settings_that_are_refused() -> None:
    model = Classifier(copy.deepcopy(victim("conv").module))
    with torch.no_grad():
        model.head.weight[2] = -1.0
    with pytest.raises(InputError, match="between 0 and 1"):
        ExponentFlip(2).changed(model, None, seed=0)
    half = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 10).half()))
    with pytest.raises(InputError, match="float32 expected"):
        ExponentFlip(2).changed(half, None, seed=0)
    for wrong in (lambda: BitSearch(2, flips=0), lambda: TargetedBitSearch(5, 2, flips=0)):
        with pytest.raises(InputError, match="flips"):
            wrong()


def test_what_is_read_so_already_needs_no_flip() -> None:
    model = Classifier(copy.deepcopy(victim("conv").module))
    with torch.no_grad():
        model.head.bias[2] = 1e4
    with pytest.raises(InputError, match="some flip"):
        BitSearch(2).changed(model, digits()[0], seed=0)
