"""Findings at a stated rate, and one clear error or finding for whatever cannot be judged."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from torch import nn

import credenza
from credenza.classifier import Classifier
from credenza.findings import Severity
from credenza.probe import (
    Calibration,
    ConfusionCanaries,
    Form,
    MarginSearch,
    Plan,
    Subject,
    TriggerSearch,
    calibrate,
    made_here,
)
from credenza.training import Recipe
from tests.probe.samples import digits, trained

TRAINING, TRUSTED = digits()
QUICK = (
    ConfusionCanaries(confidence=0.999),
    TriggerSearch(Form.PATCH, pair_steps=4),
    MarginSearch(starts=2, steps=4),
)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


PLAN = Plan(
    factory=network,
    data=TRAINING,
    trusted=TRUSTED,
    recipe=Recipe(epochs=8, batch=64, rate=1e-2),
    detectors=QUICK,
    samples=40,
)


@functools.cache
def twins(count: int = 24) -> Calibration:
    return calibrate(PLAN, count, population="tests", made=made_here(), processes=1)


def reader(seed: int, *, swapped: bool = False) -> Classifier:
    from credenza.training import train

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = network()
    train(module, TRAINING, PLAN.recipe, seed=seed)
    if swapped:
        head = module[3]
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.weight[[2, 5]] = head.weight[[5, 2]].clone()
            head.bias[[2, 5]] = head.bias[[5, 2]].clone()
    return Classifier(module)


def test_an_edited_model_is_found_and_named_beside_its_twins() -> None:
    subject = Subject.of(reader(901, swapped=True), TRUSTED)
    report = credenza.probe(subject, QUICK, seed=0, calibration=twins(), level=0.05)
    assert report.worst is Severity.CRITICAL
    assert report.findings[0].rule == "probe.misread-class"
    assert set(report.findings[0].where.classes) == {2, 5}
    assert min(f.value for f in report.figures if f.name.startswith("p-value")) == twins().least


def test_a_twin_is_a_twin() -> None:
    subject = Subject.of(reader(902), TRUSTED)
    judged = credenza.probe(subject, QUICK, seed=0, calibration=twins(), level=0.04)
    assert not judged.findings
    assert not any("uncalibrated" in text for text in judged.uncovered)


def test_without_twins_only_what_is_exact_is_said_and_the_rest_is_named() -> None:
    report = credenza.probe(Subject.of(trained(), TRUSTED), QUICK, seed=0)
    assert not report.findings
    assert any("uncalibrated" in text for text in report.uncovered)
    assert len(report.covered) == 3


def test_twins_of_another_architecture_weigh_medium() -> None:
    wired = Subject.of(trained(wired=True), TRUSTED)
    report = credenza.probe(wired, QUICK, seed=0, calibration=twins(), level=0.05)
    assert any("architecture" in text for text in report.uncovered)
    assert {f.severity for f in report.findings} == {Severity.MEDIUM}
    assert any(f.where.classes[-1:] == (2,) for f in report.findings)


def test_the_same_plan_makes_the_same_twins_and_goes_on_where_it_ended() -> None:
    told: list[int] = []
    again = calibrate(
        PLAN,
        3,
        population="tests",
        made=made_here(),
        known=twins().twins[:2],
        processes=1,
        told=lambda twin: told.append(twin.seed),
    )
    assert len(told) == 1
    assert again.twins == twins().twins[:3]


def test_weights_alone_are_looked_at_without_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    rng = np.random.default_rng(0)
    np.savez(tmp_path / "m.npz", a=rng.normal(size=(32, 64)), b=rng.normal(size=(10, 32)))
    code = (
        "import sys; from pathlib import Path; import credenza; "
        "from credenza.probe import WeightStatistics, from_weights; "
        f"r = credenza.probe(from_weights(Path({str(tmp_path / 'm.npz')!r})), (WeightStatistics(),)"
        ", seed=0); print(len(r.covered), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
