"""Marks and poisoned data: exactly what was asked for is altered, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.attack import FlipLabels, Mark, StampMark, poison
from credenza.dataset import Dataset
from credenza.errors import InputError

CORNER = Mark(((1.0, 0.0), (0.5, 1.0)), top=2, left=1)


def _data(n: int = 60, classes: int = 6) -> Dataset:
    rng = np.random.default_rng(0)
    inputs = rng.random((n, 1, 8, 8), np.float32)
    return Dataset(inputs, np.arange(n, dtype=np.int64) % classes)


def test_a_mark_only_adds_ink() -> None:
    images = np.full((2, 1, 8, 8), 0.75, np.float32)
    stamped = CORNER.stamp(images)
    expected = images.copy()
    expected[:, 0, 2, 1] = expected[:, 0, 3, 2] = 1.0
    np.testing.assert_array_equal(stamped, expected)
    assert (images == 0.75).all()
    assert stamped.dtype == np.float32


def test_a_mark_may_touch_the_far_corner_and_not_cross_it() -> None:
    images = np.zeros((1, 1, 8, 8), np.float32)
    assert Mark(((1.0,),), 7, 7).stamp(images)[0, 0, 7, 7] == 1
    with pytest.raises(InputError, match="≥ 9"):
        Mark(((1.0,),), 8, 7).stamp(images)
    with pytest.raises(InputError, match=r"\(8, 8\) given"):
        CORNER.stamp(images[0, 0])


@pytest.mark.parametrize(
    ("pixels", "top", "left"),
    [
        ((), 0, 0),
        (((),), 0, 0),
        (((1.0,), (1.0, 1.0)), 0, 0),
        (((0.0,),), 0, 0),
        (((1.5,),), 0, 0),
        (((float("nan"),),), 0, 0),
        (((1.0,),), -1, 0),
        (((1.0,),), 0, -1),
    ],
)
def test_a_mark_that_is_none(pixels: tuple[tuple[float, ...], ...], top: int, left: int) -> None:
    with pytest.raises(InputError, match="mark"):
        Mark(pixels, top, left)


@given(share=st.floats(0.001, 1), seed=st.integers(0, 2**32), source=st.sampled_from([None, 5]))
def test_altered_is_the_whole_truth(share: float, seed: int, source: int | None) -> None:
    data = _data()
    attack = StampMark(CORNER, target=2, share=share, source=source)
    poisoned = poison(data, attack, seed=seed)
    kept = np.ones(len(data), bool)
    kept[list(poisoned.altered)] = False
    np.testing.assert_array_equal(poisoned.dataset.inputs[kept], data.inputs[kept])
    np.testing.assert_array_equal(poisoned.dataset.labels[kept], data.labels[kept])
    assert (poisoned.dataset.labels[~kept] == 2).all()
    assert (data.labels[~kept] != 2).all() if source is None else (data.labels[~kept] == 5).all()
    np.testing.assert_array_equal(poisoned.dataset.inputs[~kept], CORNER.stamp(data.inputs[~kept]))
    candidates = 50 if source is None else 10
    assert len(poisoned.altered) == max(1, round(share * candidates))
    assert list(poisoned.altered) == sorted(set(poisoned.altered))
    assert poisoned.figures[0].value == len(poisoned.altered)
    assert poisoned.figures[1].value == len(poisoned.altered) / candidates


def test_a_flip_leaves_the_images() -> None:
    data = _data()
    poisoned = poison(data, FlipLabels(5, 2, 0.5), seed=0)
    np.testing.assert_array_equal(poisoned.dataset.inputs, data.inputs)
    assert (data.labels[list(poisoned.altered)] == 5).all()
    assert len(poisoned.altered) == 5


def test_the_seed_decides() -> None:
    attack = FlipLabels(5, 2, 0.5)
    first, again, other = (poison(_data(), attack, seed=s).altered for s in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_shares_outside_are_refused(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        FlipLabels(5, 2, share)
    with pytest.raises(InputError, match="share"):
        StampMark(CORNER, 2, share)


@pytest.mark.parametrize(("source", "target"), [(-1, 2), (5, -2), (2, 2)])
def test_pairs_that_are_none_are_refused(source: int, target: int) -> None:
    with pytest.raises(InputError, match="class"):
        FlipLabels(source, target, 0.5)
    with pytest.raises(InputError, match="class"):
        StampMark(CORNER, target, 0.5, source)


def test_classes_that_the_data_have_not() -> None:
    with pytest.raises(InputError, match="0 to 5 expected, 6 given"):
        poison(_data(), FlipLabels(5, 6, 0.5), seed=0)
    with pytest.raises(InputError, match="may alter"):
        poison(_data(), FlipLabels(7, 2, 0.5), seed=0)
    with pytest.raises(InputError, match="class 7 expected"):
        FlipLabels(7, 2, 0.5).aimed(_data())
    only_target = _data().take(_data().labels == 2)
    with pytest.raises(InputError, match="none found"):
        StampMark(CORNER, 2, 0.5).aimed(only_target)
