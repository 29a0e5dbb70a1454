from __future__ import annotations

import numpy as np
import pytest
from torch import nn

import credenza
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.probe import ConfusionCanaries
from tests.probe.samples import SEARCH, constant, digits, population, trained

TRUSTED = digits()[1]
BOTH = (ConfusionCanaries(), SEARCH)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_the_finding(value: float) -> None:
    report = credenza.probe(constant(value), TRUSTED, BOTH, seed=0)
    assert [f.rule for f in report.findings] == ["probe.not-finite"]
    assert len(report.uncovered) == len(BOTH)


def test_an_untrained_model_is_not_passed_over() -> None:
    untrained = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Linear(16, 10)))
    report = credenza.probe(untrained, TRUSTED, BOTH[:1], seed=0, calibration=population((0.3,)))
    assert "probe.misread-class" in {f.rule for f in report.findings}


def test_a_report_never_stops_at_what_was_seen() -> None:
    report = credenza.probe(trained(), TRUSTED, BOTH, seed=0, calibration=population((0.0,) * 99))
    assert not report.findings
    assert len(report.covered) == 2
    assert len(report.uncovered) >= 3


@pytest.mark.parametrize(
    ("classifier", "trusted", "says"),
    [
        (trained(), TRUSTED.take(np.arange(0)), "samples with finite inputs"),
        (trained(), Dataset(TRUSTED.inputs * np.float32(np.nan), TRUSTED.labels), "finite inputs"),
        (trained(), Dataset(TRUSTED.inputs[:, :, 1:], TRUSTED.labels), "cannot read inputs"),
        (trained(), Dataset(TRUSTED.inputs, TRUSTED.labels + 1), "labels 0 to 9 expected, 1 to 10"),
        (trained(), TRUSTED.take(TRUSTED.labels != 7), "class 7 has none"),
        (constant(1.0, classes=1), TRUSTED, "2 classes"),
        (Classifier(nn.Flatten()), TRUSTED, "linear layer"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    classifier: Classifier, trusted: Dataset, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        credenza.probe(classifier, trusted, BOTH, seed=0)


def test_no_detectors_are_refused() -> None:
    with pytest.raises(InputError, match="no detectors"):
        credenza.probe(trained(), TRUSTED, (), seed=0)
