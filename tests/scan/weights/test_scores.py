"""What each test sees, on networks that stand in for trained ones, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from credenza.scan.weights import Oddity, Place, scored
from credenza.scan.weights.scores import outlying

Arrays = dict[str, NDArray[np.float32]]


def honest(seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    gain = np.exp(0.2 * rng.standard_normal(64)).astype("f4")
    return {
        "body.weight": rng.standard_normal((64, 50), np.float32) * gain[:, None],
        "conv.weight": rng.standard_normal((32, 16, 3, 3), np.float32),
        "norm.weight": np.exp(0.1 * rng.standard_normal(64)).astype("f4"),
        "head.weight": rng.standard_normal((10, 64), np.float32),
    }


def places(arrays: Arrays, folder: Path) -> dict[Oddity, Place]:
    save_file(arrays, folder / "m.safetensors")
    (model,) = scored(folder)
    return {test: found[0] for test, found in model.scores.finish().items()}


def loud_row(a: Arrays) -> None:
    a["body.weight"][5] *= 20


def loud_column(a: Arrays) -> None:
    a["body.weight"][:, 5] *= 20


def loud_filter(a: Arrays) -> None:
    a["conv.weight"][5] *= 20


def loud_channel(a: Arrays) -> None:
    a["conv.weight"][:, 5] *= 20


def dead_row(a: Arrays) -> None:
    a["body.weight"][5] = 0


def dead_column(a: Arrays) -> None:
    a["body.weight"][:, 5] = 0


def dead_filter(a: Arrays) -> None:
    a["conv.weight"][5] = 0


def dead_channel(a: Arrays) -> None:
    a["conv.weight"][:, 5] = 0


def twin_rows(a: Arrays) -> None:
    a["body.weight"][6] = a["body.weight"][5]


def twin_filters(a: Arrays) -> None:
    a["conv.weight"][6] = a["conv.weight"][5]


def head_norm(a: Arrays) -> None:
    a["head.weight"][5] *= 20


def head_angle(a: Arrays) -> None:
    a["head.weight"][6] = 2 * a["head.weight"][5]


def spike(a: Arrays) -> None:
    a["body.weight"][5, 6] = 4096


def spikes(a: Arrays) -> None:
    a["body.weight"][5, :8] = 4096


def spike_in_vector(a: Arrays) -> None:
    a["norm.weight"][5] = 4096


def zeroed(a: Arrays) -> None:
    a["norm.weight"][:] = 0


EDITS = (
    (loud_row, Oddity.LOUD_ROW, (5,)),
    (loud_column, Oddity.LOUD_COLUMN, (5,)),
    (loud_filter, Oddity.LOUD_FILTER, (5,)),
    (loud_channel, Oddity.LOUD_CHANNEL, (5,)),
    (dead_row, Oddity.DEAD_ROW, (5,)),
    (dead_column, Oddity.DEAD_COLUMN, (5,)),
    (dead_filter, Oddity.DEAD_FILTER, (5,)),
    (dead_channel, Oddity.DEAD_CHANNEL, (5,)),
    (twin_rows, Oddity.TWIN_ROWS, (5, 6)),
    (twin_filters, Oddity.TWIN_FILTERS, (5, 6)),
    (head_norm, Oddity.HEAD_NORM, (5,)),
    (head_angle, Oddity.HEAD_ANGLE, (5, 6)),
    (spike, Oddity.SPIKE, (5,)),
    (spikes, Oddity.SPIKE, (5,)),
    (spike_in_vector, Oddity.SPIKE_IN_VECTOR, (5,)),
    (zeroed, Oddity.ZEROED, ()),
)


@pytest.mark.parametrize(("edit", "test", "at"), EDITS, ids=lambda x: getattr(x, "__name__", ""))
def test_an_edit_is_scored_where_it_is(
    edit: Callable[[Arrays], None], test: Oddity, at: tuple[int, ...], tmp_path: Path
) -> None:
    arrays = honest()
    before = places(arrays, tmp_path).get(test)
    edit(arrays)
    after = places(arrays, tmp_path)[test]
    assert after.indices == at
    assert after.score > (before.score if before else 0) + 0.9
    assert after.found


def test_a_transform_of_which_half_the_rows_mirror_the_others_has_no_twins(tmp_path: Path) -> None:
    arrays = honest()
    arrays["basis"] = np.repeat(np.random.default_rng(1).standard_normal((16, 64)), 2, 0)
    assert Oddity.TWIN_ROWS not in places(arrays, tmp_path)


def test_zero_rows_are_no_twins_and_a_zero_bias_is_not_zeroed(tmp_path: Path) -> None:
    arrays = honest()
    arrays["body.weight"][5:7] = 0
    arrays["norm.bias"] = np.zeros(64, np.float32)
    found = places(arrays, tmp_path)
    assert Oddity.TWIN_ROWS not in found
    assert Oddity.ZEROED not in found


def test_what_an_optimizer_left_is_not_scored(tmp_path: Path) -> None:
    arrays = honest()
    before = places(arrays, tmp_path)
    arrays["optimizer.exp_avg_sq"] = np.geomspace(1e-30, 1e30, 640).reshape(64, 10).astype("f4")
    assert places(arrays, tmp_path) == before


def test_outlying_is_not_for_values_that_are_alike() -> None:
    rng = np.random.default_rng(7)
    scores = [outlying(rng.standard_normal(100))[0] for _ in range(200)]
    assert np.mean(np.array(scores) > 2) <= 0.05  # three chances at one in a hundred, and more
    assert outlying(np.zeros(50)) == (0.0, ())
    assert outlying(np.array([1.0, 9.0])) == (0.0, ())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_outliers_do_not_hide_each_other(count: int) -> None:
    values = np.random.default_rng(8).standard_normal(60)
    values[:count] = 30
    score, at = outlying(values)
    assert at == tuple(range(count))
    assert score > 10
