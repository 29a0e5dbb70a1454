"""Clopper–Pearson intervals and Student's tail, against the definition and against scipy."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta
from scipy.stats import t as student

from credenza.errors import InputError
from credenza.rates import interval, rate, student_tail


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


@given(t=st.floats(-1e6, 1e6), freedom=st.integers(1, 1000))
def test_the_tail_of_student(t: float, freedom: int) -> None:
    """Where scipy's own is a number: far out it gives up, and ours goes on."""
    expected = student.logsf(t, freedom) / math.log(10)
    got = student_tail(t, freedom)
    assert got <= 0
    if expected > -300:
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("t", [1e-8, 1e-160, 5e-324, 0.0, -1e-9])
def test_half_of_student_is_above_next_to_nothing(t: float) -> None:
    assert student_tail(t, 51_863) == pytest.approx(math.log10(0.5), abs=1e-7)


def test_the_tail_falls_where_no_float_holds_it() -> None:
    tails = [student_tail(t, 900) for t in (50.0, 100.0, 1e3, 1e6)]
    assert tails == sorted(tails, reverse=True)
    assert tails[-1] < -1000
