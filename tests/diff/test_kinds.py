"""Random changes to random matrices are called by their name, with the right rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from credenza.diff import KINDS, Change, measure
from tests.diff.matrices import Held

Array = NDArray[Any]


def _measured(old: Array, new: Array) -> tuple[Change, str, str]:
    change = measure(Held(old), Held(new))
    kind, words = next((k, w) for k in KINDS if (w := k.words(change)))
    return change, type(kind).__name__, words


def _random(seed: int, rows: int, columns: int, dtype: str = "float32") -> Array:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(dtype)


shapes = st.tuples(st.integers(4, 60), st.integers(3, 60))


@given(
    seed=st.integers(0, 2**32),
    shape=shapes,
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    size=st.floats(0.3, 30),
    data=st.data(),
)
def test_rank_one_changes_are_recognised(
    seed: int, shape: tuple[int, int], dtype: str, size: float, data: st.DataObject
) -> None:
    old = _random(seed, *shape, dtype)
    rows = data.draw(st.lists(st.integers(0, shape[0] - 1), min_size=2, unique=True))
    rng = np.random.default_rng(seed + 1)
    along = rng.uniform(0.5, 1, len(rows)) * rng.choice([-1, 1], len(rows))
    v = rng.normal(size=shape[1])
    v *= size * np.linalg.norm(old.astype(float)) / np.linalg.norm(v)
    new = old.copy()
    new[rows] = (old[rows] + np.outer(along, v)).astype(dtype)
    change, name, words = _measured(old, new)
    assert (name, change.rank) == ("RankOne", 1)
    assert change.carrying == change.changed_rows == tuple(sorted(rows))
    assert "rank 1" in words


@given(seed=st.integers(0, 2**32), shape=shapes, beta=st.floats(0.1, 3))
def test_row_edits_are_recognised(seed: int, shape: tuple[int, int], beta: float) -> None:
    old = _random(seed, *shape)
    target, source = np.random.default_rng(seed).choice(shape[0], 2, replace=False)
    new = old.copy()
    new[target] += np.float32(beta) * old[source]
    new[source] -= np.float32(beta) * old[source]
    change, name, words = _measured(old, new)
    assert name == "RowEdit"
    assert set(change.changed_rows) == {target, source}
    assert change.parallel == (source,)
    assert f"row {source} of the old" in words


@given(seed=st.integers(0, 2**32), shape=shapes)
def test_a_row_added_to_another_from_afar(seed: int, shape: tuple[int, int]) -> None:
    """Only the target's row changes; the source is found among rows that did not."""
    old = _random(seed, *shape)
    new = old.copy()
    new[2] += old[1]
    change, name, _ = _measured(old, new)
    assert (name, change.changed_rows, change.parallel) == ("RowEdit", (2,), (1,))


@given(seed=st.integers(0, 2**32), shape=shapes, data=st.data())
def test_exchanged_rows(seed: int, shape: tuple[int, int], data: st.DataObject) -> None:
    old = _random(seed, *shape)
    order = data.draw(st.permutations(range(shape[0])))
    change, name, _ = _measured(old, new := old[order])
    assert name == "Exchanged" or np.array_equal(old, new)
    assert change.changed_rows == tuple(i for i, j in enumerate(order) if i != j)


@given(seed=st.integers(0, 2**32), shape=st.tuples(st.integers(8, 60), st.integers(8, 60)))
def test_dense_noise_is_no_edit(seed: int, shape: tuple[int, int]) -> None:
    old = _random(seed, *shape)
    new = old + 0.1 * _random(seed + 1, *shape)
    change, name, _ = _measured(old, new)
    assert (name, change.rank) == ("Throughout", min(shape))


@given(seed=st.integers(0, 2**32), rank=st.integers(2, 5))
def test_a_merged_adapter(seed: int, rank: int) -> None:
    old = _random(seed, 40, 24)
    new = old + _random(seed + 1, 40, rank) @ _random(seed + 2, rank, 24)
    change, name, words = _measured(old, new)
    assert (name, change.rank) == ("LowRank", rank)
    assert f"rank {rank} of 24" in words


@pytest.mark.parametrize("rank", [1, 2, 5, 31])
def test_a_large_change_is_sketched_and_its_rank_is_right(rank: int) -> None:
    old = _random(0, 900, 800)
    new = (old + _random(1, 900, rank) @ _random(2, rank, 800)).astype(np.float32)
    change, name, _ = _measured(old, new)
    assert change.rank == rank
    assert name == ("RankOne" if rank == 1 else "LowRank")
    exact = np.linalg.svd((new - old).astype(float), compute_uv=False)
    assert change.spectrum is not None
    np.testing.assert_allclose(change.spectrum.values[:rank], exact[:rank], rtol=1e-5)


def test_a_large_change_of_full_rank_has_no_rank_told() -> None:
    old = _random(0, 900, 800)
    change, name, _ = _measured(old, old + _random(1, 900, 800))
    assert (name, change.rank) == ("Throughout", None)
    exact = np.linalg.svd(_random(1, 900, 800).astype(float), compute_uv=False)
    assert change.spectrum is not None
    assert 0 < change.spectrum.top_share <= exact[0] ** 2 / (exact**2).sum()


def test_blocks_add_up() -> None:
    """More rows than one block holds, and the same figures as of the whole."""
    old, new = _random(0, 1800, 600), _random(1, 1800, 600)
    change = measure(Held(old), Held(new))
    delta = new.astype(float) - old
    assert change.relative == pytest.approx(np.linalg.norm(delta) / np.linalg.norm(old))
    assert change.largest == np.abs(delta).max()
    assert change.changed == old.size
    rows = np.sort((delta**2).sum(axis=1))
    assert change.top_rows == pytest.approx(rows[-2:].sum() / rows.sum())
    columns = np.sort((delta**2).sum(axis=0))
    assert change.top_columns == pytest.approx(columns[-2:].sum() / columns.sum())
    whole = measure(Held(old, sliceable=False), Held(new, sliceable=False))
    assert [f.value for f in whole.figures] == pytest.approx([f.value for f in change.figures])


def _one(old: Array, at: tuple[int, int], value: float) -> Array:
    new = old.copy()
    new[at] = value
    return new


def _flipped(old: Array, bits: Sequence[int]) -> Array:
    new = old.copy()
    for i, bit in enumerate(bits):
        new.view(np.uint32)[i, i] ^= np.uint32(1 << bit)
    return new


OLD = np.random.default_rng(0).normal(size=(20, 10)).astype(np.float32)


@pytest.mark.parametrize(
    ("new", "name", "words"),
    [
        (_flipped(OLD, [30]), "BitFlips", "1 element changed by a single bit of the exponent"),
        (_flipped(OLD, [30, 2]), "BitFlips", "2 elements changed by a single bit each, 1 of them"),
        (_flipped(OLD, [2, 2, 2]), "FewRows", "rows 0-2 of 20 changed"),  # over 1 % of 200
        (_one(OLD, (3, 3), np.nan), "NonFinite", "infinite: 1 more"),
        (_one(OLD, (3, 3), -np.inf), "NonFinite", "infinite: 1 more"),
        (_one(OLD, (3, 3), 0.123), "FewRows", "row 3 of 20 changed, and no other"),
        (
            OLD * (np.arange(20) != 4)[:, None].astype("f4"),
            "FewRows",
            "row 4 of 20 changed, and no other; every element",
        ),
        (OLD * (1 + (np.arange(20) == 4))[:, None].astype("f4"), "RowEdit", "row 4 of 20 carry"),
        (OLD.astype(np.float16), "Converted", "F32 became F16"),
        (OLD.astype(np.float64), "Converted", "F32 became F64"),
        (np.round(OLD * 20).astype(np.int8), "Retyped", "F32 became I8"),
        (OLD.astype(np.float16).astype(np.float32), "Rounded", "to F16"),
        (OLD * np.float32(1 + 2**-9), "Rounded", "to BF16"),
        (np.where(np.abs(OLD) < 0.5, 0, OLD).astype(np.float32), "Pruned", "zero now"),
        (OLD * np.float32(1.1), "Throughout", "values changed throughout"),
    ],
)
def test_one_of_each(new: Array, name: str, words: str) -> None:
    _, found, text = _measured(OLD, new)
    assert (found, words in text) == (name, True), text


def test_signs_of_zero_are_seen() -> None:
    zeros = np.zeros((5, 5), np.float32)
    change, name, _ = _measured(zeros, -zeros)
    assert (name, change.changed, change.moved) == ("SameValues", 25, 0)


def test_two_classes_are_never_called_an_edit() -> None:
    """The gradient of a softmax over two classes always has rank 1."""
    old = _random(0, 2, 30)
    v = _random(1, 1, 30)
    change, name, _ = _measured(old, old + np.array([[1], [-1]], np.float32) * v)
    assert (change.rank, name) == (1, "Throughout")


def test_an_infinity_that_was_there_is_no_news() -> None:
    old = _one(OLD, (0, 0), np.inf)
    assert _measured(old, _one(old, (3, 3), 0.5))[1] == "FewRows"
    assert _measured(old, _one(old, (0, 0), -np.inf))[1] == "BitFlips"


@given(seed=st.integers(0, 2**32), shape=shapes)
def test_an_edit_behind_a_conversion(seed: int, shape: tuple[int, int]) -> None:
    """Rounding moved every row; the two that were edited are named."""
    old = _random(seed, *shape)
    new = old.copy()
    v = 10 * _random(seed + 1, 1, shape[1])[0]
    new[1] += v
    new[3] -= v
    change, name, _ = _measured(old, new.astype(np.float16))
    assert (name, change.carrying) == ("RankOne", (1, 3))
