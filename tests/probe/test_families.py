"""Families of statistics: each member in its own units, the family one statistic, ranks exact."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from credenza.errors import InputError
from credenza.probe import Calibration
from credenza.probe.tails import Floats, in_units
from tests.probe.standins import population

NAMES = "abcd"
SIDES = (False, True, False, False)


def _drawn(rng: np.random.Generator, models: int, kind: str) -> Floats:
    """Models that are exchangeable and whose statistics depend on each other."""
    rows = rng.normal(size=(models, 4)) + rng.normal(size=(models, 1))
    return {"normal": rows, "heavy": np.sign(rows) * rows**4, "tied": np.round(rows)}[kind]


def _twins(rows: Floats, *, families: tuple[str, ...]) -> Calibration:
    columns = {name: column.tolist() for name, column in zip(NAMES, rows.T, strict=True)}
    return replace(population(columns), two_sided=SIDES, families=families)


@pytest.mark.parametrize("families", [("",) * 4, ("", "", "pair", "pair")])
@pytest.mark.parametrize("kind", ["normal", "heavy", "tied"])
def test_clean_models_alarm_no_more_often_than_stated(kind: str, families: Any) -> None:
    rng, level, alarms, runs = np.random.default_rng(7), 0.1, 0, 400
    for _ in range(runs):
        rows = _drawn(rng, 40, kind)
        calibration = _twins(rows[:-1], families=families)
        judged = calibration.judge(dict(zip(NAMES, rows[-1], strict=True)))
        alarms += judged.p_value <= level
        assert bool(judged.standing_out(level)) == (judged.p_value <= level)
    # More than that has a probability under 1e-4 where the rate is the level.
    assert alarms <= level * runs + 4 * math.sqrt(runs * level * (1 - level))
    if kind != "tied":  # a rank without ties is exact: it comes no more rarely either
        assert alarms >= level * runs - 4 * math.sqrt(runs * level * (1 - level))


def test_a_family_counts_each_member_in_its_own_units_and_names_the_furthest() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(99, 4)) * [1.0, 0.1, 0.1, 0.1] + [50.0, 0.0, 0.0, 0.0]
    calibration = _twins(rows, families=("pair",) * 4)
    judged = calibration.judge({"a": 50.0, "b": 2.0, "c": 0.0, "d": 0.0})
    assert judged.furthest == {"pair": "b"}
    assert judged.standing_out(0.01) == ("pair",)


def test_the_units_of_a_family_have_a_floor() -> None:
    values = np.zeros((9, 3))
    values[:, 0] = np.linspace(-1, 1, 9)
    values[:, 1] = np.linspace(-1, 1, 9)
    values[0, 2] = 1e-3  # a member that hardly varies is not measured by how little it does
    assert in_units(values)[0, 2] < 0.01


@pytest.mark.parametrize(
    ("families", "says"),
    [(("x",), "family for each"), (("a", "", "", ""), "families with names of their own")],
)
def test_families_that_are_none(families: tuple[str, ...], says: str) -> None:
    rows = _drawn(np.random.default_rng(0), 3, "normal")
    with pytest.raises(InputError, match=says):
        _twins(rows, families=families)
