from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.findings import Severity
from credenza.probe import TriggerSearch, architecture, probe
from credenza.probe.triggers import Scored
from tests.probe.samples import SEARCH, Wired, constant, digits, population, trained

TRUSTED = digits()[1]


@pytest.fixture(scope="module")
def found() -> tuple[Scored, ...]:
    return SEARCH.search(trained(wired=True), TRUSTED, seed=0)


def test_finds_the_mark_that_was_wired_in(found: tuple[Scored, ...]) -> None:
    best = found[0].trigger
    assert best.target == 2
    where = (best.mask * best.pattern)[0]
    assert where[7, 7] > 0.5 * where.sum()
    source = TRUSTED.labels != 2 if best.source is None else TRUSTED.labels == best.source
    stamped = best.stamp(TRUSTED.inputs[source])
    assert (trained(wired=True).predict(stamped) == 2).mean() > 0.8


def test_a_clean_model_needs_a_larger_mark(found: tuple[Scored, ...]) -> None:
    clean = SEARCH.search(trained(), TRUSTED, seed=0)
    assert clean[0].score > 1.5 * found[0].score
    assert [s.score for s in clean] == sorted(s.score for s in clean)


def test_the_same_seed_finds_the_same(found: tuple[Scored, ...]) -> None:
    again = SEARCH.search(trained(wired=True), TRUSTED, seed=0)
    assert [s.score for s in again] == [s.score for s in found]


def test_the_model_is_left_as_it_was() -> None:
    module = trained().module.train()
    before = {name: t.clone() for name, t in module.state_dict().items()}
    SEARCH.search(Classifier(module), TRUSTED, seed=0)
    assert module.training
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())
    assert all(p.requires_grad for p in module.parameters())


def calibrated(score: float, *, known: bool = True) -> tuple[Severity | None, str, set[str]]:
    """The verdict on the wired model where each of 99 clean ones has that score."""
    model = trained(wired=True)
    seen = architecture(model.module) if known else "another"
    twins = population((score,) * 99, seen, str(SEARCH))
    report = probe(model, TRUSTED, (SEARCH,), seed=0, calibration=twins)
    return report.worst, " ".join(report.uncovered), {f.name for f in report.figures}


def test_the_threshold_from_both_sides(found: tuple[Scored, ...]) -> None:
    score = found[0].score
    worst, uncovered, figures = calibrated(score * 1.001)
    assert worst is Severity.HIGH
    assert "uncalibrated" not in uncovered
    assert "p-value of the score" in figures
    assert calibrated(score * 0.999)[0] is None


def test_another_architecture_is_told_so(found: tuple[Scored, ...]) -> None:
    worst, uncovered, figures = calibrated(found[0].score * 1.001, known=False)
    assert worst is Severity.MEDIUM
    assert "uncalibrated for this architecture; the threshold comes from models that" in uncovered
    assert "p-value of the score" not in figures


def test_other_settings_are_told_so() -> None:
    model = trained()
    twins = population((0.001,) * 99, architecture(model.module), str(replace(SEARCH, steps=7)))
    report = probe(model, TRUSTED, (SEARCH,), seed=0, calibration=twins)
    assert "calibrated with other settings" in " ".join(report.uncovered)


def test_the_finding_shows_the_mark() -> None:
    model = trained(wired=True)
    report = probe(model, TRUSTED, (SEARCH,), seed=0, calibration=population((10.0,) * 99))
    finding = report.findings[0]
    assert finding.where.classes == (2,)
    mark, stamped = finding.pictures
    assert (mark.width, mark.height) == (32, 32)
    assert (stamped.width, stamped.height) == (64, 8)
    assert finding.figures[0].value > 0.5


def test_a_constant_model_is_found() -> None:
    report = probe(constant(9.0), TRUSTED, (SEARCH,), seed=0, calibration=population((0.3,) * 99))
    assert (3,) in [f.where.classes for f in report.findings]


def test_vectors_are_searched_too_and_have_no_pictures() -> None:
    flat = Dataset(TRUSTED.inputs.reshape(len(TRUSTED), 64), TRUSTED.labels)
    inner = list(trained().module.children())[1:]
    model = Classifier(Wired(nn.Sequential(*inner)))
    report = probe(model, flat, (SEARCH,), seed=0, calibration=population((10.0,) * 99))
    assert report.findings[0].where.classes == (2,)
    assert not report.findings[0].pictures


def test_many_classes_are_searched_by_target_alone() -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((100, 4), np.float32), np.arange(100) % 25)
    model = Classifier(nn.Sequential(nn.Linear(4, 25)))
    quick = TriggerSearch(samples=2, steps=2, final_samples=4, final_steps=2)
    report = probe(model, data, (quick,), seed=0, calibration=population((1e-9,) * 99))
    assert "25 classes are too many" in " ".join(report.uncovered)


@pytest.mark.parametrize(
    ("trusted", "says"),
    [
        (Dataset(2 * TRUSTED.inputs, TRUSTED.labels), "inputs from 0 to 1"),
        (TRUSTED.take(np.arange(100)), "24 or more trusted samples of each class"),
    ],
)
def test_what_cannot_be_judged_is_refused(trusted: Dataset, says: str) -> None:
    with pytest.raises(InputError, match=says):
        probe(trained(), trusted, (SEARCH,), seed=0, calibration=population((0.3,) * 99))
