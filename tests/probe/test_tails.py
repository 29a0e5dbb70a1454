"""Ranks are exact whatever the statistics are: simulated, seeded."""

from __future__ import annotations

import math

import numpy as np
import pytest

from credenza.probe.tails import Floats, combine, rank, tail_scores, upper_tails


def drawn(rng: np.random.Generator, models: int) -> Floats:
    """Statistics as detectors have them: light and heavy tails, lumps, a constant, some none."""
    heavy = np.exp(rng.normal(size=models))
    lumps = np.round(np.maximum(rng.normal(size=models), 0) * 2) / 2
    some = np.where(rng.random(models) < 0.1, np.inf, rng.normal(size=models))
    light = rng.normal(size=(2, models))
    return np.stack([*light, rng.standard_t(2, models), heavy, lumps, np.ones(models), some], 1)


SIDES = (False, True, True, False, False, False, False)


def p_value(values: Floats) -> float:
    return rank(combine(tail_scores(values, SIDES)))


@pytest.mark.parametrize(("twins", "level"), [(19, 0.05), (39, 0.05), (99, 0.01), (120, 0.05)])
def test_clean_models_are_alarmed_no_more_often_than_said(twins: int, level: float) -> None:
    rng, rounds = np.random.default_rng(twins), 1500
    alarms = sum(p_value(drawn(rng, twins + 1)) <= level for _ in range(rounds))
    assert alarms / rounds <= level + 4 * math.sqrt(level * (1 - level) / rounds)
    assert alarms > 0  # nor never: a test that cannot fail


@pytest.mark.parametrize("seed", range(5))
def test_models_are_treated_alike(seed: int) -> None:
    """Whatever their order, each has the same scores: what makes ranks exact."""
    rng = np.random.default_rng(seed)
    values, order = drawn(rng, 40), rng.permutation(40)
    assert np.allclose(tail_scores(values[order], SIDES), tail_scores(values, SIDES)[order])


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4, 5])
def test_an_outlier_in_any_column_stands_out(column: int) -> None:
    values = drawn(np.random.default_rng(3), 101)
    values[-1, column] = 60
    scores = tail_scores(values, SIDES)
    assert rank(combine(scores)) == pytest.approx(1 / 101)
    assert scores[-1].argmax() == column


@pytest.mark.parametrize("end", [-9.0, 9.0])
def test_either_end_of_a_two_sided_statistic_stands_out(end: float) -> None:
    values = np.random.default_rng(0).normal(size=(100, 1))
    values[-1] = end
    assert rank(tail_scores(values, (True,))[:, 0]) == 0.01
    assert (rank(tail_scores(values, (False,))[:, 0]) == 0.01) is (end > 0)


def test_an_outlier_does_not_hide_behind_its_own_size() -> None:
    column = np.append(np.random.default_rng(0).exponential(size=99), 100.0)
    assert upper_tails(column)[-1] > 10


def test_the_tail_of_an_exponential_is_its_own() -> None:
    rng = np.random.default_rng(0)
    scores = [upper_tails(np.append(rng.exponential(size=400), x))[-1] for x in [6.0] * 50]
    assert np.mean(scores) == pytest.approx(6 / math.log(10), rel=0.1)


def test_ties_share_their_rank() -> None:
    assert upper_tails(np.zeros(50)).tolist() == [0.0] * 50
    lumps = np.array([0.0] * 80 + [1.0] * 20)
    assert upper_tails(lumps)[-1] == pytest.approx(-math.log10(0.2))
    assert rank(np.array([1.0, 2.0, 2.0, 2.0])) == 0.75


def test_less_than_one_per_cent_beside_a_constant_is_nothing() -> None:
    assert upper_tails(np.array([1.0] * 99 + [1.0001]))[-1] < 1.01
    assert upper_tails(np.array([1.0] * 99 + [2.0]))[-1] > 10


def test_what_could_not_be_measured_is_as_far_out_as_it_is_rare() -> None:
    column = np.append(np.random.default_rng(0).normal(size=98), [np.inf, np.inf])
    scores = upper_tails(column)
    assert scores[-1] == scores[-2] == pytest.approx(-math.log10(0.02))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("models", [1, 2, 3, 4])
def test_a_handful_of_models_has_scores_too(models: int) -> None:
    assert np.isfinite(tail_scores(np.arange(models, dtype=float)[:, None], (True,))).all()
