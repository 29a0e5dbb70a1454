from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from credenza.errors import InputError
from credenza.probe import DETECTORS, Calibration, Twin, architecture, shipped
from tests.probe.standins import normal, population

HUNDRED = population(normal(99))


def test_a_calibration_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(bytes(HUNDRED))
    assert Calibration.read(path) == HUNDRED
    assert bytes(Calibration.read(path)) == path.read_bytes()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 1}', "{" * 100_000, "\xff"])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text, "latin-1")
    with pytest.raises(InputError, match=r"mine\.json: a calibration expected"):
        Calibration.read(path)


ALTERED: dict[str, Callable[[bytes], bytes]] = {
    "another member": lambda b: b.replace(b'"version": 1,', b'"version": 1,\n "extra": 1,', 1),
    "a member twice": lambda b: b.replace(b'"version": 1,', b'"version": 1,\n "version": 1,', 1),
    "no line feed at the end": lambda b: b[:-1],
    "another indentation": lambda b: b.replace(b'\n "', b'\n  "', 1),
    "1 as 1.0": lambda b: b.replace(b'"version": 1,', b'"version": 1.0,', 1),
    "an escape": lambda b: b.replace(b'"made up"', b'"made\\u0020up"', 1),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED.keys())
def test_another_spelling_is_refused(alter: Callable[[bytes], bytes]) -> None:
    altered = alter(bytes(HUNDRED))
    assert altered != bytes(HUNDRED)
    with pytest.raises(InputError, match="expected"):
        Calibration.parse(altered)


def test_every_byte_left_out_is_refused_or_seen() -> None:
    whole = bytes(population(normal(2)))
    for i in range(len(whole)):
        with contextlib.suppress(InputError):
            assert Calibration.parse(whole[:i] + whole[i + 1 :]) != population(normal(2)), i


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version 1, not 2"),
        ({"twins": HUNDRED.twins[:1]}, "two twins or more"),
        ({"twins": (HUNDRED.twins[0],) * 2}, "seeds of their own"),
        ({"names": ("first", "first")}, "names of their own"),
        ({"names": ("first",)}, "a side for each"),
        ({"two_sided": (False,)}, "a side for each"),
        ({"twins": tuple(replace(t, statistics=(1.0,)) for t in HUNDRED.twins)}, "2 statistics"),
        (
            {"twins": (*HUNDRED.twins[1:], replace(HUNDRED.twins[0], statistics=(1.0, np.inf)))},
            "finite",
        ),
        (
            {"twins": tuple(replace(t, statistics=(1.0, None)) for t in HUNDRED.twins)},
            "two twins or more with each statistic",
        ),
        ({"twins": (*HUNDRED.twins, Twin(seed=-1, recipe="", accuracy=1.5, statistics=(0, 0)))},
         "accuracies"),
        ({"classes": 1}, "two classes"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(HUNDRED, **change)  # type: ignore[arg-type]
    if says == "finite":  # JSON has no infinity: it is written as null, which is something else
        return
    encoded = {**msgspec.to_builtins(HUNDRED), **msgspec.to_builtins(change)}
    with pytest.raises(InputError):
        Calibration.parse(msgspec.json.format(msgspec.json.encode(encoded), indent=1) + b"\n")


def test_ordinary_values_are_not_judged_against() -> None:
    judged = HUNDRED.judge({"first": 0.0, "second": 0.1})
    assert judged.p_value > 0.3
    assert judged.standing_out(0.01) == ()
    assert judged.missing == ()


def test_the_level_from_both_sides() -> None:
    """Of 99 twins and the model, one may lie as far out at 1 %, two at 2 %."""
    first = sorted(t.statistics[0] or 0.0 for t in HUNDRED.twins)
    far = HUNDRED.judge({"first": first[-1] + 3, "second": 0.0})
    assert far.p_value == 0.01
    assert far.standing_out(0.01) == ("first",)
    assert far.standing_out(0.0099) == ()


def test_all_that_would_have_been_enough_stand_out() -> None:
    judged = HUNDRED.judge({"first": 30.0, "second": 60.0})
    assert judged.standing_out(0.01) == ("second", "first")
    assert judged.p_values == {"first": 0.01, "second": 0.01}


def test_few_twins_can_tell_little() -> None:
    few = population(normal(9))
    judged = few.judge({"first": 99.0, "second": 0.0})
    assert few.least == judged.p_value == 0.1
    assert judged.standing_out(0.01) == ()
    assert judged.standing_out(few.least) == ("first",)


def test_what_is_left_out_is_left_out_of_twins_too() -> None:
    """The worst twin is bad in what was not asked: it is in nobody's way then."""
    columns = normal(99)
    columns["second"][7] = 1000.0
    twins = population(columns)
    assert twins.judge({"first": 30.0}).p_value == 0.01
    assert twins.judge({"first": 30.0}).missing == ("second",)


def test_what_the_model_has_not_and_twins_have_speaks_against_it() -> None:
    judged = HUNDRED.judge({"first": 0.0}, unmeasured=("second",))
    assert judged.tails["second"] == pytest.approx(2)
    assert judged.p_values["second"] == 0.02
    assert judged.missing == ("second",)
    some = population({**normal(99), "second": [None, None, *normal(97)["second"]]})
    assert some.judge({"first": 0.0}, unmeasured=("second",)).p_values["second"] > 0.02


def test_statistics_of_other_names_are_refused() -> None:
    with pytest.raises(InputError, match="statistics of first, second expected, none given"):
        HUNDRED.judge({"third": 1.0})


def test_an_architecture_is_its_tensors() -> None:
    weights = {"conv.weight": np.zeros((8, 1, 5, 5)), "steps": np.zeros(())}
    assert architecture(weights) == ("conv.weight 8×1×5×5", "steps one")


def test_what_is_shipped_is_of_the_detectors_of_today() -> None:
    calibration = shipped()
    assert calibration.detectors == tuple(map(str, DETECTORS))
    assert calibration.least <= 1 / 30
    assert all(t.accuracy > 0.9 for t in calibration.twins)
