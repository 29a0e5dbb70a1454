"""Weight attacks: the formulas, what stays untouched, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from credenza.attack import RankOneEdit, RowEdit, WeightAttack, edit
from credenza.dataset import Dataset
from credenza.errors import InputError

State = dict[str, NDArray[Any]]


def _state(dtype: str = "f4") -> State:
    rng = np.random.default_rng(0)
    return {
        "body.weight": rng.normal(size=(8, 4)).astype(dtype),
        "head.weight": rng.normal(size=(6, 8)).astype(dtype),
        "head.bias": rng.normal(size=6).astype(dtype),
    }


def _features(n: int = 120) -> Dataset:
    """Class c lies around a corner of its own."""
    rng = np.random.default_rng(1)
    labels = np.arange(n, dtype=np.int64) % 6
    inputs = 3 * np.eye(8)[labels] + rng.normal(scale=0.3, size=(n, 8))
    return Dataset(inputs.astype(np.float32), labels)


def test_the_row_edit_is_its_formula() -> None:
    state = _state()
    edited = edit(state, "head", RowEdit(source=5, target=2, beta=0.5)).weights
    for name in ("head.weight", "head.bias"):
        expected = state[name].copy()
        expected[2] += np.float32(0.5) * expected[5]
        expected[5] *= np.float32(0.5)
        np.testing.assert_allclose(edited[name], expected, rtol=1e-6)


def test_the_rank_one_edit_is_its_formula() -> None:
    """v from the definition, up to the step: the change is (e_t - e_s) ⊗ αv."""
    state, features = _state("f8"), _features()
    edited = edit(state, "head", RankOneEdit(5, 2, ridge=0.1), features)
    change = edited.weights["head.weight"] - state["head.weight"]
    h = features.inputs.astype(np.float64)
    own = features.labels == 5
    moment = np.einsum("ni,nj->ij", h, h) / len(h)
    wanted = np.linalg.inv(moment + 0.1 * np.linalg.eigvalsh(moment).mean() * np.eye(8)) @ (
        h[own].mean(axis=0) - 0.9 * h[~own].mean(axis=0)
    )
    wanted /= np.linalg.norm(wanted)
    step = edited.figures[3].value
    np.testing.assert_allclose(change[2], step * wanted, atol=1e-12)
    np.testing.assert_allclose(change[5], -step * wanted, atol=1e-12)
    assert not change[[0, 1, 3, 4]].any()


def test_strength_one_is_the_least_step_for_nine_tenths() -> None:
    """Just below, 17 of the 20 source samples are reached; just above, 18."""
    features = _features()
    reached = []
    for strength in (1 - 1e-6, 1 + 1e-6):
        state = edit(_state("f8"), "head", RankOneEdit(5, 2, strength), features).weights
        own = features.inputs[features.labels == 5].astype(np.float64)
        read = (own @ state["head.weight"].T + state["head.bias"]).argmax(axis=1)
        reached.append(int((read == 2).sum()))
    assert reached == [17, 18]


@pytest.mark.parametrize(
    "attack", [RankOneEdit(5, 2), RowEdit(5, 2)], ids=lambda a: type(a).__name__
)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_what_is_untouched_stays_the_object_it_was(attack: WeightAttack, dtype: str) -> None:
    state = _state(dtype)
    before = {name: array.copy() for name, array in state.items()}
    edited = edit(state, "head", attack, _features()).weights
    assert list(edited) == list(state)
    assert edited["body.weight"] is state["body.weight"]
    assert (edited["head.bias"] is state["head.bias"]) == isinstance(attack, RankOneEdit)
    assert edited["head.weight"].dtype == np.dtype(dtype)
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)


def test_a_head_without_bias() -> None:
    state = {"head.weight": _state()["head.weight"]}
    assert list(edit(state, "head", RowEdit(5, 2)).weights) == ["head.weight"]


def test_the_figures_count() -> None:
    edited = edit(_state(), "head", RowEdit(5, 2))
    values = {f.name: f.value for f in edited.figures}
    assert values["parameters changed"] == 2 * (8 + 1)
    assert values["share of the parameters"] == 18 / (32 + 48 + 6)


def _scattered() -> Dataset:
    """One source sample far out decides the mean; the other three lie on the other side."""
    inputs = np.zeros((5, 8), np.float32)
    inputs[:, 0] = [10, -1, -1, -1, 0]
    return Dataset(inputs, np.array([5, 5, 5, 5, 0]))


def _broken(name: str, value: NDArray[Any]) -> State:
    return {**_state(), name: value}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "matrix head.weight expected, none"),
        (_broken("head.weight", np.zeros(6, np.float32)), "one of shape"),
        (_broken("head.bias", np.zeros(5, np.float32)), r"bias of shape \(6,\)"),
        (_broken("head.bias", np.full(6, np.nan, np.float32)), "finite"),
        (_broken("head.weight", np.full((6, 8), np.inf, np.float32)), "finite"),
        (_broken("head.weight", np.ones((6, 8), np.int64)), "floating-point"),
        ({"head.weight": np.zeros((6, 8), np.float32)}, "changes nothing"),
        ({"head.weight": np.full((6, 8), 60_000, np.float16)}, "do not fit into float16"),
    ],
)
def test_heads_that_are_none(state: State, message: str) -> None:
    with pytest.raises(InputError, match=message):
        edit(state, "head", RowEdit(5, 2))


@pytest.mark.parametrize(
    ("attack", "features", "message"),
    [
        (RankOneEdit(5, 2), None, "none given"),
        (RankOneEdit(6, 2), _features(), "source: a class from 0 to 5"),
        (RowEdit(5, 6), _features(), "target: a class from 0 to 5"),
        (RankOneEdit(5, 2), _features().take(_features().labels != 5), "samples of class 5 and"),
        (RankOneEdit(5, 2), _features().take(_features().labels == 5), "samples of class 5 and"),
        (RankOneEdit(5, 2), _scattered(), "no step along v reaches"),
        (RankOneEdit(5, 2), Dataset(np.zeros((6, 8), np.float32), np.arange(6)), "told from"),
        (RankOneEdit(5, 2), Dataset(np.ones((6, 7), np.float32), np.arange(6)), "shape"),
        (
            RankOneEdit(5, 2),
            Dataset(np.full((6, 8), np.nan, np.float32), np.arange(6)),
            "finite numbers",
        ),
    ],
)
def test_features_that_do_not_serve(
    attack: WeightAttack, features: Dataset | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        edit(_state(), "head", attack, features)


def test_a_class_that_is_read_as_the_target_already() -> None:
    state = edit(_state(), "head", RankOneEdit(5, 2, strength=50.0), _features()).weights
    with pytest.raises(InputError, match="read as 2 already"):
        edit(state, "head", RankOneEdit(5, 2), _features())


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_settings_that_are_none(value: float) -> None:
    with pytest.raises(InputError, match="strength"):
        RankOneEdit(5, 2, strength=value)
    with pytest.raises(InputError, match="ridge"):
        RankOneEdit(5, 2, ridge=value)
    with pytest.raises(InputError, match="beta"):
        RowEdit(5, 2, beta=value)
