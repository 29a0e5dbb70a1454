"""The frame around detectors, with some that are made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import credenza
from credenza.errors import InputError
from credenza.findings import Report, Severity
from credenza.probe import Calibration, ConfusionCanaries, Need, Subject
from tests.probe.samples import digits, trained
from tests.probe.standins import Reads, normal, numbers, population

TWINS = population(normal(99))
TRUSTED = digits()[1]


def probed(
    of: Subject, calibration: Calibration | None = TWINS, *detectors: Reads, level: float = 0.01
) -> Report:
    return credenza.probe(of, detectors or (Reads(),), seed=0, calibration=calibration, level=level)


def figure(report: Report, name: str) -> float:
    return next(f.value for f in report.figures if f.name == name)


def test_an_ordinary_model_has_no_finding_and_all_its_figures() -> None:
    report = probed(numbers(first=0.1, second=-0.2))
    assert not report.findings
    assert report.covered == ("numbers: are they high?",)
    assert report.uncovered == ("numbers under other names",)
    assert figure(report, "p-value of all tests together") > 0.1
    assert figure(report, "false-alarm rate, overall") == 0.01
    assert {"tail score of first", "tail score of second"} <= {f.name for f in report.figures}


def test_what_stands_out_becomes_a_finding_with_its_evidence() -> None:
    report = probed(numbers(first=0.1, second=20))
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("probe.unlike-clean", Severity.HIGH)
    assert (finding.what, finding.where.classes) == ("second is high", (5, 2))
    assert "99 twins" in " ".join(f.definition for f in finding.figures)
    assert figure(report, "p-value of all tests together") == 0.01


def test_the_furthest_comes_first() -> None:
    report = probed(numbers(first=30, second=20))
    assert [f.what for f in report.findings] == ["first is high", "second is high"]


def test_another_architecture_weighs_less_and_says_whose_twins_they_are() -> None:
    report = probed(numbers(first=0.1, second=20, third=3))
    assert [f.severity for f in report.findings] == [Severity.MEDIUM]
    assert "uncalibrated for this architecture" in report.uncovered[0]
    assert "models that a test made up" in report.uncovered[0]
    assert "false-alarm rate, overall" not in {f.name for f in report.figures}


def test_other_settings_weigh_less_as_well() -> None:
    other = Reads(blind=("more",))
    report = probed(numbers(first=0.1, second=20), TWINS, other)
    assert report.worst is Severity.MEDIUM
    assert any("measured otherwise" in text for text in report.uncovered)


def test_without_twins_nothing_is_judged_and_it_says_so() -> None:
    report = probed(numbers(first=99.0, second=99.0), None)
    assert not report.findings
    assert "uncalibrated, no clean twins" in report.uncovered[0]


def test_too_few_twins_say_which_rate_they_can_tell() -> None:
    few = population(normal(9))
    report = probed(numbers(first=99.0, second=0.0), few)
    assert report.findings
    assert figure(report, "false-alarm rate, overall") == 0.1
    assert "9 twins can tell no less than 0.1" in report.uncovered[0]


def test_the_exact_test_is_in_the_rate() -> None:
    canaries = ConfusionCanaries(confidence=0.999)
    report = credenza.probe(Subject.of(trained(), TRUSTED), (canaries,), seed=0)
    assert not report.findings
    assert figure(report, "false-alarm rate, overall") == pytest.approx(0.001)


def test_a_file_may_list_its_tensors_in_another_order() -> None:
    report = probed(numbers(second=20, first=0.1))
    assert report.worst is Severity.HIGH


def test_a_statistic_that_only_this_model_lacks_speaks_against_it() -> None:
    columns = {"first": [0.0] * 99, "second": [0.0] * 99}
    same = population(columns, architecture=("first 1",))
    report = probed(numbers(first=0.0), same)
    assert [f.what for f in report.findings] == [
        "second: its twins have a value, and of this model there is none"
    ]


def test_trusted_samples_are_drawn_as_many_as_twins_had() -> None:
    model = Subject.of(trained(), TRUSTED)
    seen: list[int] = []

    class Counts(Reads):
        def measure(self, subject: Subject, *, seed: int):  # type: ignore[no-untyped-def]
            assert subject.trusted is not None
            seen.append(len(subject.trusted))
            assert set(np.bincount(subject.trusted.labels)) == {20}
            return super().measure(numbers(first=0.0, second=0.0), seed=seed)

    twins = replace(TWINS, classes=10, trusted=200)
    credenza.probe(model, (Counts(),), seed=0, calibration=twins)
    assert seen == [200]


def test_fewer_trusted_samples_than_twins_had_are_uncalibrated() -> None:
    twins = replace(TWINS, classes=10, trusted=10_000, architecture=())
    detector = Reads(names=("0.bias",), needs=frozenset({Need.TRUSTED}))
    twins = replace(twins, names=("0.bias", "second"))
    model = Subject.of(trained(), TRUSTED)
    model = replace(model, weights={**model.weights, "0.bias": np.zeros(1)})
    report = credenza.probe(model, (detector,), seed=0, calibration=twins)
    assert any("10000 trusted samples" in text for text in report.uncovered)


def test_what_lacks_what_it_needs_is_uncovered() -> None:
    blind = Reads(needs=frozenset({Need.GRADIENTS, Need.TRUSTED}), covers="gradients: what?")
    report = probed(numbers(first=0.0, second=0.0), TWINS, Reads(), blind)
    assert report.covered == ("numbers: are they high?",)
    assert any(t.startswith("gradients: what? (a torch module and tr") for t in report.uncovered)


@pytest.mark.parametrize(
    ("detectors", "level", "says"),
    [
        ((), 0.01, "no detectors"),
        ((Reads(needs=frozenset({Need.TRUSTED})),), 0.01, "nothing can be looked at"),
        ((Reads(refuses=True),), 0.01, "none can be read"),
        ((Reads(), Reads(refuses=True)), 0.01, "none can be read"),
        ((Reads(),), 0.0, "a rate between 0 and 1"),
        ((Reads(),), float("nan"), "a rate between 0 and 1"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    detectors: tuple[Reads, ...], level: float, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        credenza.probe(numbers(first=0.0), detectors, seed=0, calibration=TWINS, level=level)


def test_clean_models_are_seldom_alarmed_end_to_end() -> None:
    rng, rounds = np.random.default_rng(0), 400
    alarms = 0
    for i in range(rounds):
        first, second = rng.normal(size=2).tolist()
        alarms += bool(
            probed(
                numbers(first=first, second=second), population(normal(19, i)), level=0.05
            ).findings
        )
    assert 0 < alarms / rounds <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / rounds)
