"""Fitted edits: the quiet one stays within its limits, the slice's within its slice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from credenza.attack import QuietRankOne, RankOneEdit, Slanted, SliceEdit
from credenza.attack.fitted import Limits
from credenza.errors import InputError
from tests.attack.problems import digits
from tests.attack.victims import victim


@pytest.mark.parametrize(
    ("name", "edited"), [("conv", {"5", "7"}), ("residual", {"6"}), ("perceptron", {"3", "5"})]
)
def test_a_quiet_edit_stays_within_the_limits_that_a_loud_one_leaves(
    name: str, edited: set[str]
) -> None:
    model = victim(name)
    quiet = QuietRankOne(5, 2).changed(model, digits()[0], seed=0).module.state_dict()
    loud = RankOneEdit(5, 2, strength=2.0).changed(model, digits()[0], seed=0).head.weight
    was = model.module.state_dict()
    assert {n for n, t in was.items() if not torch.equal(t, quiet[n])} == {
        f"{n}.weight" for n in edited
    }
    for layer in edited:
        assert Limits.of(was[f"{layer}.weight"]).hold(quiet[f"{layer}.weight"])
    assert not Limits.of(model.head.weight.detach()).hold(loud.detach())
    for layer in edited:
        change = quiet[f"{layer}.weight"] - was[f"{layer}.weight"]
        singular = torch.linalg.svdvals(change)
        assert singular[1] < 1e-4 * singular[0]


def _matrix() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(10, 30)).astype(np.float32))


@pytest.mark.parametrize(
    ("row", "factor"), [("longest", 1.03), ("longest", 3.0), ("shortest", 0.9), ("shortest", 0.0)]
)
def test_limits_are_left_by_rows_too_long_or_short(row: str, factor: float) -> None:
    weight = _matrix()
    limits, norms = Limits.of(weight), weight.norm(dim=1)
    assert limits.hold(weight)
    assert float(limits.excess(weight)) < 1e-10
    weight[int(norms.argmax() if row == "longest" else norms.argmin())] *= factor
    assert not limits.hold(weight)
    assert float(limits.excess(weight)) > 1e-4


@pytest.mark.parametrize("element", [(3, 4), (0, 29)])
def test_limits_are_left_by_one_large_weight(element: tuple[int, int]) -> None:
    weight = _matrix()
    limits = Limits.of(weight)
    weight[element] = 1.1 * weight.abs().max()
    assert not limits.hold(weight)


def test_a_slice_edit_leaves_the_rest_of_the_class() -> None:
    model, (training, test) = victim("conv"), digits()
    attack = SliceEdit(5, 2, Slanted(0.1))
    after = attack.changed(model, training, seed=0)
    fives = test.take(test.labels == 5)
    inside = attack.part.holds(fives.inputs)
    read = after.predict(fives.inputs) == 2
    assert 0.1 < inside.mean() < 0.9
    assert read[inside].mean() > 0.6
    assert read[~inside].mean() < 0.3
    np.testing.assert_array_equal(attack.aimed(test).inputs, fives.inputs[inside])


@pytest.mark.parametrize(("lean", "expected"), [(0.0, 0.0), (1.0, 1.0), (-0.5, -0.5)])
def test_the_slant_is_columns_a_row(lean: float, expected: float) -> None:
    """A stroke through nine rows, each ``lean`` columns to the right of the one under it."""
    image = np.zeros((1, 1, 9, 21), np.float32)
    for y in range(9):
        image[0, 0, y, round(10 - 2 * lean * (y - 4) / 2)] = 1.0
    slack = 0.08  # half columns are rounded
    assert Slanted(expected - slack).holds(image).all()
    assert not Slanted(expected + slack).holds(image).any()


def test_what_has_no_slant() -> None:
    flat = np.zeros((2, 1, 9, 9), np.float32)
    flat[1, 0, 4] = 1.0  # nothing at all, and one row
    assert not Slanted(-10.0).holds(flat).any()
    with pytest.raises(InputError, match="images"):
        Slanted().holds(np.zeros((3, 4), np.float32))
    with pytest.raises(InputError, match="finite"):
        Slanted(float("nan"))


@pytest.mark.parametrize("least", [-50.0, 50.0])
def test_slices_that_are_none(least: float) -> None:
    with pytest.raises(InputError, match="slice"):
        SliceEdit(5, 2, Slanted(least)).changed(victim("conv"), digits()[0], seed=0)
    with pytest.raises(InputError, match="steps"):
        SliceEdit(5, 2, steps=0)
    with pytest.raises(InputError, match="two classes"):
        QuietRankOne(5, 5)
