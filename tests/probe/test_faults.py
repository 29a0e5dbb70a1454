"""Models and samples that nothing can be said of: a finding or one clear error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import credenza
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.findings import Report, Severity
from credenza.probe import DETECTORS, WITHOUT_DATA, Subject
from tests.probe.samples import constant, digits, subject, trained
from tests.probe.standins import Reads, normal, numbers, population

TRUSTED = digits()[1]
TWINS = population(normal(99))


def probed(model: Subject) -> Report:
    return credenza.probe(model, (Reads(),), seed=0, calibration=TWINS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_the_finding(value: float) -> None:
    report = probed(numbers(first=value, second=0.0))
    assert [(f.rule, f.severity) for f in report.findings] == [
        ("probe.not-finite", Severity.CRITICAL)
    ]
    assert report.findings[0].where.tensor == "first"
    assert len(report.uncovered) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("trusted", [TRUSTED, None])
def test_answers_that_are_not_finite_are_the_finding(value: float, trusted: Dataset | None) -> None:
    model = Subject.of(constant(value), trusted, shape=(1, 8, 8))
    report = credenza.probe(replace(model, weights={}), (Reads(),), seed=0)
    assert [f.rule for f in report.findings] == ["probe.not-finite"]
    assert len(report.findings[0].where.samples) == (0 if trusted is None else len(TRUSTED))


def untrained() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Linear(16, 10)))


@pytest.mark.parametrize("model", [untrained(), constant(9.0)], ids=["untrained", "constant"])
def test_a_model_that_reads_nothing_is_the_finding(model: Classifier) -> None:
    report = credenza.probe(subject(model, TRUSTED), DETECTORS, seed=0)
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("probe.reads-nothing", Severity.HIGH)
    assert len(report.uncovered) == len(DETECTORS)


def wide(classes: int) -> Classifier:
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, classes)))


@pytest.mark.parametrize(
    ("classifier", "trusted", "says"),
    [
        (trained(), TRUSTED.take(np.arange(0)), "shape of an input"),
        (trained(), Dataset(TRUSTED.inputs * np.float32(np.nan), TRUSTED.labels), "finite inputs"),
        (trained(), Dataset(TRUSTED.inputs[:, :, 1:], TRUSTED.labels), "cannot read inputs"),
        (trained(), Dataset(TRUSTED.inputs, TRUSTED.labels + 1), "labels 0 to 9 expected, 1 to 10"),
        (trained(), TRUSTED.take(TRUSTED.labels != 7), "class 7 has none"),
        (trained(), TRUSTED.take(np.arange(10)), "has none"),
        (wide(1), TRUSTED, "2 classes"),
        (wide(1000), TRUSTED, "samples of each class expected, class 10 has none"),
        (Classifier(nn.Identity()), TRUSTED, "logits"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    classifier: Classifier, trusted: Dataset, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        credenza.probe(Subject.of(classifier, trusted), DETECTORS, seed=0)


def test_ten_samples_of_ten_classes_are_too_few() -> None:
    rows = np.array([np.flatnonzero(TRUSTED.labels == c)[0] for c in range(10)])
    with pytest.raises(InputError, match="more trusted samples"):
        credenza.probe(subject(trained(), TRUSTED.take(rows)), DETECTORS, seed=0)


def test_a_thousand_classes_are_looked_at_without_data() -> None:
    model = Subject.of(wide(1000), shape=(1, 8, 8))
    report = credenza.probe(model, WITHOUT_DATA[:2], seed=0)
    assert report.subject == "a model of 1000 classes"
    assert report.uncovered


def test_the_shape_is_asked_for_where_nothing_says_it() -> None:
    with pytest.raises(InputError, match="shape of an input"):
        Subject.of(trained())
