"""What the parameters alone show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from credenza import artifact
from credenza.errors import InputError
from credenza.probe.layers import layers
from credenza.probe.subject import Measured, Need, Statistic, Subject
from credenza.probe.weights import WeightStatistics

Weights = dict[str, NDArray[Any]]


def network(seed: int = 0, classes: int = 10) -> Weights:
    """Two convolutions, the second with a batch norm, and a head: as if trained."""
    rng = np.random.default_rng(seed)
    return {
        "0.weight": rng.normal(0, 0.3, (8, 1, 3, 3)),
        "0.bias": rng.normal(0, 0.1, 8),
        "1.weight": rng.normal(0, 0.1, (16, 8, 3, 3)),
        "2.weight": rng.uniform(0.9, 1.1, 16),
        "2.bias": rng.normal(0, 0.1, 16),
        "2.running_mean": rng.normal(0, 0.1, 16),
        "2.running_var": rng.uniform(0.9, 1.1, 16),
        "2.num_batches_tracked": np.array(9),
        "3.weight": rng.normal(0, 0.1, (classes, 64)),
        "3.bias": np.zeros(classes),
    }


def measured(weights: Weights, classes: int = 10) -> Measured:
    return WeightStatistics().measure(Subject(classes=classes, weights=weights), seed=0)


def statistic(weights: Weights, name: str) -> Statistic:
    return next(s for s in measured(weights).statistics if s.name == name)


CLEAN = [network(seed) for seed in range(12)]


def clean_most(name: str) -> float:
    return max(statistic(w, name).value for w in CLEAN)


def test_a_large_entry_of_the_head_stands_out_and_names_its_class() -> None:
    weights = network()
    weights["3.weight"][4, 7] = 2.0
    seen = statistic(weights, "largest weight of the head")
    assert seen.value > clean_most(seen.name) + 1
    assert seen.evidence.where.classes == (4,)
    assert seen.evidence.where.tensor == "3.weight"


def test_two_rows_that_were_made_one_stand_out_and_are_named() -> None:
    weights = network()
    weights["3.weight"][5] = 0.9 * weights["3.weight"][2]
    seen = statistic(weights, "likeness of two rows of the head")
    assert seen.value > clean_most(seen.name) + 0.5
    assert seen.evidence.where.classes == (5, 2)  # the weaker one is the source


def test_equal_rows_have_the_largest_value_there_is() -> None:
    weights = network()
    weights["3.weight"][5] = weights["3.weight"][2]
    seen = statistic(weights, "likeness of two rows of the head")
    assert seen.value == pytest.approx(np.log(1000), abs=1e-6)


@pytest.mark.parametrize(
    ("tensor", "index", "layer"),
    [("1.weight", 3, "1.weight"), ("0.weight", 6, "0.weight"), ("2.weight", 11, "1.weight")],
    ids=["kernel", "first layer", "gamma"],
)
def test_a_strong_channel_stands_out(tensor: str, index: int, layer: str) -> None:
    weights = network()
    weights[tensor][index] *= 10
    seen = statistic(weights, "outlying channel")
    assert seen.value > clean_most(seen.name) + 1
    assert (seen.evidence.where.tensor, seen.evidence.where.rows) == (layer, (index,))


def test_a_channel_that_hangs_on_one_input_stands_out_however_weak() -> None:
    weights = network()
    weights["1.weight"][3, 1:] = 0
    weights["1.weight"][3, 0] *= 2
    seen = statistic(weights, "outlying channel")
    assert seen.value == pytest.approx(statistic(network(), seen.name).value + np.log(2), abs=0.05)


def test_a_single_norm_as_it_was_made_stands_out() -> None:
    weights = network()
    for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        weights[f"2.{part}"][9] = value
    assert layers(weights, 10)[1].untouched == (9,)
    untrained = network()
    for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        untrained[f"2.{part}"][:] = value
    assert layers(untrained, 10)[1].untouched == ()


@pytest.mark.parametrize("honest", ["pruned", "int8", "fp16", "twice as large"])
def test_honest_changes_hardly_move_anything(honest: str) -> None:
    before = measured(network())
    weights = network()
    for name in ("0.weight", "1.weight", "3.weight"):
        w = weights[name]
        if honest == "pruned":
            w[np.abs(w) < np.quantile(np.abs(w), 0.5)] = 0
        elif honest == "int8":
            scale = np.abs(w).max() / 127
            weights[name] = np.round(w / scale) * scale
        elif honest == "fp16":
            weights[name] = w.astype(np.float16)
        else:
            weights[name] = w * 2
    after = measured(weights)
    for was, now in zip(before.statistics, after.statistics, strict=True):
        assert abs(was.value - now.value) < 0.4, was.name  # pruning takes small weights off the rms


def test_sigma_is_that_of_the_definition() -> None:
    weights = network()
    layer = layers(weights, 10)[1]
    kernel = weights["1.weight"][3]
    expected = np.sqrt((kernel**2).sum()) * abs(weights["2.weight"][3])
    expected /= np.sqrt(weights["2.running_var"][3] + 1e-5)
    assert layer.norms[3] == pytest.approx(expected)


def test_a_head_that_lies_on_its_side_is_the_same_head() -> None:
    weights = network()
    lying = {**weights, "3.weight": np.ascontiguousarray(weights["3.weight"].T)}
    ours, theirs = measured(weights), measured(lying)
    assert [s.value for s in ours.statistics] == [s.value for s in theirs.statistics]


def test_a_file_is_enough(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", **network())  # type: ignore[arg-type]
    opened = artifact.open(tmp_path / "model.npz")
    weights = {t.name: artifact.array(opened, t) for t in opened.tensors}
    assert [s.value for s in measured(weights).statistics] == [
        s.value for s in measured(network()).statistics
    ]


def test_only_parameters_are_needed() -> None:
    assert WeightStatistics().needs == {Need.WEIGHTS}


def test_a_thousand_classes_and_more_than_are_compared() -> None:
    assert len(measured(network(classes=1000), 1000).statistics) == 3
    many = {"head.weight": np.random.default_rng(0).normal(size=(3000, 4))}
    seen = measured(many, 3000)
    assert any("3000 classes" in text for text in seen.uncovered)
    assert any("before the head" in text for text in seen.uncovered)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("3.weight", np.zeros((10, 64)), "not all zero"),
        ("3.weight", np.full((10, 64), np.nan), "finite"),
        ("1.weight", np.full((16, 8, 3, 3), np.inf), "finite"),
        ("3.weight", np.zeros((11, 64)), "as the head"),
        ("3.weight", np.ones((10, 64), np.int8), "as the head"),
    ],
)
def test_what_cannot_be_measured_is_an_error(name: str, value: NDArray[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measured({**network(), name: value})


@pytest.mark.parametrize("classes", [0, 1])
def test_one_class_is_an_error(classes: int) -> None:
    with pytest.raises(InputError, match="classes"):
        measured(network(), classes)


def test_zero_layers_before_the_head_are_measured() -> None:
    weights = {**network(), "1.weight": np.zeros((16, 8, 3, 3))}
    assert all(np.isfinite(s.value) for s in measured(weights).statistics)
