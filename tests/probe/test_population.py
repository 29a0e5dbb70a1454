from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

from credenza.errors import InputError
from credenza.probe import Calibration, TriggerSearch, architecture, shipped
from tests.probe.samples import population, trained

HUNDRED = population(tuple(i / 100 for i in range(1, 100)))


def test_p_values_and_threshold_agree() -> None:
    for level in (0.01, 0.025, 0.1):
        threshold = HUNDRED.threshold(level)
        assert HUNDRED.p_value(threshold - 1e-9) <= level < HUNDRED.p_value(threshold)


def test_the_false_alarm_rate_is_bounded_as_beta_says() -> None:
    """The rate below the k-th lowest of n is Beta(k, n + 1 − k)."""
    assert HUNDRED.false_alarms(0.01) == pytest.approx(stats.beta.ppf(0.95, 1, 99))
    assert HUNDRED.false_alarms(0.05) == pytest.approx(stats.beta.ppf(0.95, 5, 95))


def test_clean_models_are_seldom_alarmed() -> None:
    rng = np.random.default_rng(0)
    alarms = [
        population(tuple(drawn[:39])).p_value(drawn[39]) <= 0.025
        for drawn in rng.normal(size=(4000, 40)).tolist()
    ]
    assert np.mean(alarms) == pytest.approx(0.025, abs=4 * np.sqrt(0.025 * 0.975 / 4000))


def test_a_population_too_small_for_the_level_gives_what_it_can() -> None:
    few = population((0.4, 0.2, 0.3))
    assert few.threshold(0.01) == 0.2
    assert few.false_alarms(0.01) == pytest.approx(1 - 0.05 ** (1 / 3))


def test_a_population_of_none_is_refused() -> None:
    with pytest.raises(InputError, match="none given"):
        population(())


def test_calibration_and_held_out_models_are_never_the_same() -> None:
    with pytest.raises(InputError, match="also held out"):
        replace(HUNDRED, held_out=HUNDRED.twins[3:4])


def test_what_is_shipped_holds_what_its_seeds_say() -> None:
    """Seeds under 100 developed the search, 100 to 199 calibrate it, 200 to 299 are held out."""
    calibration = shipped()
    assert calibration.search == str(TriggerSearch())
    assert all(100 <= t.seed < 200 for t in calibration.twins)
    assert all(200 <= t.seed < 300 for t in calibration.held_out)
    assert len({t.seed for t in calibration.twins}) == len(calibration.twins)
    assert 0 < calibration.threshold(TriggerSearch().level) < 1


def test_a_calibration_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(msgspec.json.encode(HUNDRED))
    assert Calibration.read(path) == HUNDRED


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"population": 3}'])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"mine\.json: a calibration expected"):
        Calibration.read(path)


def test_an_architecture_is_its_layers() -> None:
    assert architecture(trained().module) == "Linear 64×64, Linear 10×64"
    assert architecture(trained(wired=True).module) == architecture(trained().module)
