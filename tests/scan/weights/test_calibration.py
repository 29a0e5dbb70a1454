"""What a score means: ranks among honest networks."""

from __future__ import annotations

from pathlib import Path

import pytest

import credenza.scan.weights as room
from credenza.errors import InputError
from credenza.scan.weights import LEVEL, Calibration, Honest, Oddity, Unit, shipped


def calibration(oddnesses: list[float], elements: int = 0) -> Calibration:
    return Calibration(
        population="p",
        made="",
        units={"spike": Unit(middle=0.0, spread=1.0)},
        networks=tuple(
            Honest(name=str(i), made="", elements=elements, scores={"spike": 2**o - 1})
            for i, o in enumerate(oddnesses)
        ),
    )


def test_a_p_value_is_a_rank() -> None:
    known = calibration([float(i) for i in range(99)])
    assert known.p_value(-1.0) == 1
    assert known.p_value(98.5) == 0.01
    assert known.p_value(97.5) == 0.02
    assert known.p_value_of(Oddity.SPIKE, 2.0**97.5) == 0.02
    assert known.threshold(0.02) == pytest.approx(97)
    assert known.threshold(0.001) == pytest.approx(98)
    assert known.least() == 0.01
    assert 0.01 < known.false_alarms(0.01) < 0.05


def test_a_network_is_held_against_those_of_its_size() -> None:
    small, large = calibration([1.0]), calibration([2.0], elements=1 << 20)
    both = Calibration(
        population="p", made="", units=small.units, networks=small.networks + large.networks
    )
    assert both.like(100).networks == small.networks
    assert both.like(1 << 30).networks == large.networks
    with pytest.raises(InputError):
        small.like(1 << 20)


def test_the_shipped_calibration_holds_its_level() -> None:
    known = shipped()
    assert set(known.units) == {test.value for test in Oddity}
    small = known.like(9)
    assert small.least() <= LEVEL
    odd = [n for n in small.networks if small.oddness(n.scores) > small.threshold(LEVEL)]
    assert len(odd) / len(small.networks) <= LEVEL
    assert Calibration.read(Path(room.__file__).parent / "networks.json") == known
