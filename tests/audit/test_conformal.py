from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from credenza.audit import conformal
from credenza.audit.interface import Scores

counts = st.integers(0, 60)


@given(counts, counts, counts, counts)
def test_excess_is_fishers_exact_test(a: int, b: int, c: int, d: int) -> None:
    table = [[a, b], [c, d]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert conformal.excess(a, a + b, c, c + d) == pytest.approx(expected, abs=1e-9)


def test_folds_hold_as_much_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [10, 15, 20])
    folds = conformal.folds_of(labels, 5, seed=3)
    for c, each in ((0, 2), (1, 3), (2, 4)):
        assert (np.bincount(folds[labels == c]) == each).all()


def test_p_values_of_honest_samples_are_valid() -> None:
    """Trusted and suspect samples of one kind: at or under α lie α of them, about."""
    rng = np.random.default_rng(0)
    folds = np.arange(1000) % 5
    honest = rng.normal(size=20_000)
    scores = Scores(
        rng.normal(size=1000),
        np.stack([honest] * 5),
        np.zeros(1000, np.int64),
        np.zeros(20_000, np.int64),
    )
    p_values = conformal.suspect_p_values(scores, folds)
    assert p_values.min() == 1 / 1001
    for level in (0.01, 0.1, 0.5):
        spread = np.sqrt(level * (1 - level) / 1000)  # of the rate, over draws of the trusted
        assert abs((p_values <= level).mean() - level) < 4 * spread
    assert conformal.trusted_p_values(scores).min() == 1 / 1000


def test_each_fold_is_compared_under_its_own_fit() -> None:
    none = np.zeros(2, np.int64)
    scores = Scores(np.array([1.0, 10.0]), np.array([[0.5, 2.0], [11.0, 5.0]]), none, none)
    p_values = conformal.suspect_p_values(scores, np.array([0, 1]))
    assert p_values.tolist() == [2 / 3, 2 / 3]


def test_the_smallest_pays_for_each_detector() -> None:
    combined = conformal.smallest([np.array([0.01, 0.9]), np.array([0.2, 0.8])])
    assert combined.tolist() == [0.02, 1.0]
