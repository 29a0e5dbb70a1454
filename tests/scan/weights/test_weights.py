"""Whole reports: honest networks are not accused, and edits are found and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from credenza.findings import Report, Severity
from credenza.scan.weights import LEVEL, Calibration, shipped, weights
from tests.scan.weights.conftest import State


def examined(state: State, folder: Path) -> Report:
    save_file(state, folder / "m.safetensors")
    return weights(folder / "m.safetensors")


def p_value(report: Report) -> float:
    return next(f.value for f in report.figures if f.name.endswith("p-value"))


def test_an_honest_network_is_not_accused(trained: State, tmp_path: Path) -> None:
    report = examined(trained, tmp_path)
    assert report.findings == ()
    assert report.unread == ()
    assert p_value(report) > LEVEL
    assert "probe" in report.uncovered[-1]


def edited(trained: State) -> State:
    return {name: value.clone() for name, value in trained.items()}


def test_a_class_that_shouts_is_found_and_named(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["7.weight"][2] *= 20
    report = examined(state, tmp_path)
    named = [f for f in report.findings if f.where.tensor == "7.weight" and f.where.rows == (2,)]
    assert named
    assert len(set(report.findings)) == len(report.findings)
    assert report.worst is Severity.LOW
    assert p_value(report) <= LEVEL
    assert named[0].figures[0].value == p_value(report)


@pytest.mark.parametrize(
    ("tensor", "rule"),
    [("4.weight", "scan.weight-twins"), ("0.weight", "scan.weight-twins")],
)
def test_a_row_copied_over_another_is_found(
    tensor: str, rule: str, trained: State, tmp_path: Path
) -> None:
    state = edited(trained)
    state[tensor][3] = state[tensor][9]
    (finding,) = examined(state, tmp_path).findings
    assert finding.rule == rule
    assert finding.where.rows == (3, 9)


def test_a_flipped_bit_is_found_at_medium(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["4.weight"].view(torch.int32)[7, 11] ^= 1 << 30
    report = examined(state, tmp_path)
    first = report.findings[0]
    assert (first.rule, first.severity) == ("scan.weight-range", Severity.MEDIUM)
    assert (first.where.tensor, first.where.rows) == ("4.weight", (7,))


def test_a_zeroed_batch_norm_is_found(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["5.weight"].zero_()
    (finding,) = examined(state, tmp_path).findings
    assert (finding.rule, finding.where.tensor) == ("scan.weight-zeroed", "5.weight")


def test_a_batch_norm_that_never_saw_data_is_a_note(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["5.running_mean"].zero_()
    assert examined(state, tmp_path).findings == ()
    state["5.running_var"].fill_(1)
    (finding,) = examined(state, tmp_path).findings
    assert (finding.rule, finding.severity) == ("scan.weight-untouched", Severity.NOTE)
    state["1.running_mean"].zero_()
    state["1.running_var"].fill_(1)
    (finding,) = examined(state, tmp_path).findings
    assert finding.found.endswith("and 1 more")


@pytest.mark.parametrize(
    ("value", "severity"),
    [(np.nan, Severity.HIGH), (np.inf, Severity.HIGH), (0.05, None)],
)
def test_a_number_that_is_not_finite_is_high(
    value: float, severity: Severity | None, trained: State, tmp_path: Path
) -> None:
    state = edited(trained)
    state["4.weight"][0, 0] = value
    assert examined(state, tmp_path).worst is severity


def test_a_mask_of_infinities_is_a_note(trained: State, tmp_path: Path) -> None:
    mask = torch.full((12, 12), -torch.inf).triu(1)
    lowest = torch.full((12, 12), torch.finfo(torch.float32).min).triu(1)
    state = {**trained, "mask": mask, "lowest": lowest, "limit": torch.tensor(torch.inf)}
    report = examined(state, tmp_path)
    assert {f.severity for f in report.findings} == {Severity.NOTE}
    assert {f.where.tensor for f in report.findings} == {"mask", "limit"}


@pytest.mark.parametrize("tensor", ["5.weight", "5.bias", "4.weight"])
def test_infinities_among_equal_numbers_are_no_mask(
    tensor: str, trained: State, tmp_path: Path
) -> None:
    for value in (0.0, 1.0, torch.inf):
        state = edited(trained)
        state[tensor].fill_(value).view(-1)[3] = torch.inf
        assert examined(state, tmp_path).worst is Severity.HIGH


def test_what_is_odder_than_too_few_is_a_note(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["4.weight"][3] = state["4.weight"][9]
    save_file(state, tmp_path / "m.safetensors")
    known = shipped()
    few = Calibration(
        population="p", made="", units=known.units, networks=known.like(9).networks[:20]
    )
    worst = weights(tmp_path / "m.safetensors", calibration=few).worst
    assert worst is Severity.NOTE
