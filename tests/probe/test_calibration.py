"""What a model's statistics are worth among those of its twins: exact, and written in one way."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from credenza.errors import InputError
from credenza.probe import Calibration
from credenza.probe.tails import in_units, tail_scores, upper_tails
from tests.probe.samples import twins_of

NAMES = "abcd"


def _drawn(rng: np.random.Generator, models: int, kind: str) -> np.ndarray[Any, Any]:
    """Models that are exchangeable and whose statistics depend on each other."""
    rows = rng.normal(size=(models, 4)) + rng.normal(size=(models, 1))
    return {"normal": rows, "heavy": np.sign(rows) * rows**4, "tied": np.round(rows)}[kind]


@pytest.mark.parametrize("families", [("",) * 4, ("", "", "pair", "pair")])
@pytest.mark.parametrize("kind", ["normal", "heavy", "tied"])
def test_clean_models_alarm_no_more_often_than_stated(kind: str, families: Any) -> None:
    rng, level, alarms, runs = np.random.default_rng(7), 0.1, 0, 400
    for _ in range(runs):
        rows = _drawn(rng, 40, kind).tolist()
        sides = (False, True, False, False)
        calibration = twins_of(rows[:-1], two_sided=sides, families=families)
        judged = calibration.judge(dict(zip(NAMES, rows[-1], strict=True)))
        alarms += judged.p_value <= level
        assert bool(judged.standing_out(level)) == (judged.p_value <= level)
    # More than that has a probability under 1e-4 where the rate is the level.
    assert alarms <= level * runs + 4 * math.sqrt(runs * level * (1 - level))
    if kind != "tied":  # a rank without ties is exact: it comes no more rarely either
        assert alarms >= level * runs - 4 * math.sqrt(runs * level * (1 - level))


@pytest.mark.parametrize("column", range(4))
def test_a_model_that_is_far_out_in_one_statistic_is_found_by_it(column: int) -> None:
    rows = _drawn(np.random.default_rng(1), 100, "normal").tolist()
    own = [0.0] * 4
    own[column] = 30.0
    judged = twins_of(rows).judge(dict(zip(NAMES, own, strict=True)))
    assert judged.p_value == pytest.approx(1 / 101)
    assert judged.standing_out(0.01) == (NAMES[column],)
    assert not judged.standing_out(0.009)


def test_the_side_counts() -> None:
    rows = [[float(i)] for i in range(99)]
    low, high = ({"a": v} for v in (-500.0, 500.0))
    assert twins_of(rows).judge(low).p_value == 1
    assert twins_of(rows).judge(high).p_value == 0.01
    both = twins_of(rows, two_sided=(True,))
    assert both.judge(low).p_value == both.judge(high).p_value == 0.01


def test_a_family_counts_each_member_in_its_own_units_and_names_the_furthest() -> None:
    rng = np.random.default_rng(2)
    rows = (rng.normal(size=(99, 3)) * [1.0, 0.1, 0.1] + [50.0, 0.0, 0.0]).tolist()
    calibration = twins_of(rows, families=("pair", "pair", "pair"))
    judged = calibration.judge({"a": 50.0, "b": 2.0, "c": 0.0})
    assert judged.furthest == {"pair": "b"}
    assert judged.standing_out(0.01) == ("pair",)


def test_the_units_of_a_family_have_a_floor() -> None:
    values = np.zeros((9, 3))
    values[:, 0] = np.linspace(-1, 1, 9)
    values[:, 1] = np.linspace(-1, 1, 9)
    values[0, 2] = 1e-3  # a member that hardly varies is not measured by how little it does
    assert in_units(values)[0, 2] < 0.01


def test_what_a_model_lacks_is_named_and_what_it_should_have_had_is_held_against_it() -> None:
    rows = [[float(i), 0.0] for i in range(99)]
    left_out = twins_of(rows).judge({"b": 0.0})
    assert left_out.missing == ("a",)
    assert left_out.p_value == 1
    failed = twins_of(rows).judge({"b": 0.0}, unmeasured=("a",))
    assert failed.p_value == 0.01


def test_a_constant_statistic_says_nothing() -> None:
    judged = twins_of([[1.0]] * 50).judge({"a": 1.0})
    assert judged.p_value == 1


def test_a_tail_score_is_a_rank_below_the_tail_and_exponential_beyond() -> None:
    column = np.arange(101.0)
    scores = upper_tails(column)
    assert scores[0] == 0
    assert scores[50] == pytest.approx(-math.log10(51 / 101))
    further = upper_tails(np.append(np.arange(100.0), 1000.0))
    assert further[-1] > 30
    assert (np.diff(scores) >= 0).all()
    two = tail_scores(np.stack([column, -column], axis=1), (True, True))
    np.testing.assert_allclose(two[:, 0], two[:, 1])


def test_bytes_are_read_back_and_no_other_spelling_is() -> None:
    calibration = twins_of([[0.5, None], [1.25, 2.0], [-3.0, 1.0]])
    data = bytes(calibration)
    assert Calibration.parse(data) == calibration
    for other in (data + b" ", data.replace(b"0.5", b"0.50"), data.replace(b" ", b"", 1)):
        with pytest.raises(InputError, match="spelling"):
            Calibration.parse(other)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version 1"),
        ({"twins": []}, "two twins"),
        ({"names": ["a", "a"]}, "names of their own"),
        ({"two_sided": [True]}, "side"),
        ({"families": ["x"]}, "family"),
        ({"families": ["a", ""]}, "families with names"),
        ({"classes": 1}, "two classes"),
        ({"population": 3}, "calibration expected"),
        ({"unknown": 3}, "expected"),
    ],
)
def test_a_file_that_is_none(change: dict[str, Any], says: str) -> None:
    document = msgspec.json.decode(bytes(twins_of([[0.5, 1.0], [1.25, 2.0]]))) | change
    with pytest.raises(InputError, match=says):
        Calibration.parse(msgspec.json.encode(document), "a file")


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_half_a_file(cut: int) -> None:
    with pytest.raises(InputError, match="a calibration expected"):
        Calibration.parse(bytes(twins_of([[0.5], [1.25]]))[:cut])


def test_nothing_in_common_cannot_be_judged() -> None:
    with pytest.raises(InputError, match="none given"):
        twins_of([[0.5], [1.25]]).judge({"z": 1.0})
