"""Clopper–Pearson intervals, against the definition and against scipy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from credenza.errors import InputError
from credenza.rates import interval, rate


@given(of=st.integers(1, 100_000), data=st.data())
def test_bounds_are_the_beta_quantiles(of: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, of))
    low, high = interval(hits, of)
    assert low == pytest.approx(beta.ppf(0.025, hits, of - hits + 1) if hits else 0, rel=1e-7)
    assert high == pytest.approx(beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1, rel=1e-7)
    assert low <= hits / of <= high


def test_none_out_of_n_is_the_rule_of_three() -> None:
    """1 - 0.05^(1/n) at a one-sided 95 %: 299 samples without a hit show a rate below 1 %."""
    assert interval(0, 299, confidence=0.9)[1] == pytest.approx(1 - 0.05 ** (1 / 299))


def test_a_rate_is_a_figure() -> None:
    figure = rate("read wrong", 3, 12, "wrong / all")
    assert (figure.value, figure.definition) == (0.25, "wrong / all")
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < 0.25 < figure.high


@pytest.mark.parametrize(
    ("hits", "of", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95), (1, 2, 1.0)]
)
def test_nonsense_is_refused(hits: int, of: int, confidence: float) -> None:
    with pytest.raises(InputError, match="hits ≤ of"):
        interval(hits, of, confidence)
