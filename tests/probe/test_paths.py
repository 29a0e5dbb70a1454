"""The strongest path of single channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from credenza.errors import InputError
from credenza.probe.paths import AmplificationPath
from credenza.probe.subject import Statistic, Subject

Weights = dict[str, NDArray[Any]]


def network(seed: int = 0) -> Weights:
    """A convolution, a second, a linear layer over 3 by 3 places, a head."""
    rng = np.random.default_rng(seed)
    return {
        "a.weight": rng.normal(0, 0.3, (6, 1, 5, 5)),
        "b.weight": rng.normal(0, 0.1, (8, 6, 3, 3)),
        "c.weight": rng.normal(0, 0.1, (20, 72)),
        "d.weight": rng.normal(0, 0.2, (10, 20)),
    }


def strongest(weights: Weights, classes: int = 10) -> Statistic:
    measured = AmplificationPath().measure(Subject(classes=classes, weights=weights), seed=0)
    return measured.statistics[0]


def wired(gain: float) -> Weights:
    """With a path of one channel a layer, as in DFBA: a[1] → b[2] → c[3], place 4 → class 7."""
    weights = network()
    weights["b.weight"][2] = 0
    weights["b.weight"][2, 1, 1, 1] = gain
    weights["c.weight"][3] = 0
    weights["c.weight"][3, 2 * 9 + 4] = gain
    weights["d.weight"][:, 3] = 0
    weights["d.weight"][7, 3] = gain
    return weights


def test_a_wired_path_is_found_and_named() -> None:
    seen = strongest(wired(5.0))
    assert seen.value > max(strongest(network(s)).value for s in range(12)) + 3
    assert seen.evidence.where.classes == (7,)
    assert "a.weight[1] → b.weight[2] → c.weight[3] → d.weight[7]" in seen.evidence.what


def test_it_grows_with_the_gain_of_each_step() -> None:
    assert strongest(wired(10.0)).value - strongest(wired(5.0)).value == pytest.approx(
        3 * np.log(2),
        abs=0.2,  # the usual steps change with it a little
    )


def test_the_gain_is_that_of_the_best_of_all_paths() -> None:
    """Against all paths of a small network, multiplied out one by one."""
    rng = np.random.default_rng(5)
    one, two = rng.normal(size=(4, 3)), rng.normal(size=(5, 4))
    head = rng.normal(size=(3, 5))
    above = np.maximum(head - np.median(head, axis=0), 0)
    paths = (
        abs(one[i, k]) * abs(two[j, i]) * above[c, j]
        for k in range(3)
        for i in range(4)
        for j in range(5)
        for c in range(3)
    )
    usual = 0.0
    for layer in (abs(one), abs(two), above):
        most = layer.max(axis=1)
        usual += np.log(np.median(most[most > 0]))
    weights = {"1.weight": one, "2.weight": two, "3.weight": head}
    assert strongest(weights, 3).value == pytest.approx(np.log(max(paths)) - usual)


def test_scale_and_an_order_of_channels_do_not_matter() -> None:
    weights = network()
    scaled = {name: w * (i + 2) for i, (name, w) in enumerate(weights.items())}
    assert strongest(scaled).value == pytest.approx(strongest(weights).value)
    order = np.random.default_rng(1).permutation(6)
    shuffled = {
        **weights,
        "a.weight": weights["a.weight"][order],
        "b.weight": weights["b.weight"][:, order],
    }
    assert strongest(shuffled).value == pytest.approx(strongest(weights).value)


def test_a_layer_that_none_before_it_feeds_starts_anew() -> None:
    """A shortcut of other channels: an approximation, and no error."""
    weights = network()
    odd = {"x.weight": np.ones((5, 7, 1, 1)), **weights}
    assert strongest(odd).value == pytest.approx(strongest(weights).value)


def test_a_dead_layer_has_a_finite_value() -> None:
    assert np.isfinite(strongest({**network(), "b.weight": np.zeros((8, 6, 3, 3))}).value)


def test_parameters_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(InputError, match="finite"):
        strongest({**network(), "b.weight": np.full((8, 6, 3, 3), np.nan)})
