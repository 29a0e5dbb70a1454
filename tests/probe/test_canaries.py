from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.probe import ConfusionCanaries, Need, Subject, canaries_needed
from credenza.rates import interval
from tests.probe.samples import digits, subject, trained

CANARIES = ConfusionCanaries()


class Reads(nn.Module):
    """Reads an input of one number as that class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(1, classes)

    def forward(self, inputs):  # type: ignore[no-untyped-def]
        self.head(inputs)
        return nn.functional.one_hot(inputs[:, 0].long(), self.head.out_features).float()


def read_as(flow: list[tuple[int, int, int]], classes: int) -> Subject:
    """A classifier with samples of which so many of the first class are read as the second."""
    labels = [s for s, _, count in flow for _ in range(count)]
    read = [d for _, d, count in flow for _ in range(count)]
    data = Dataset(np.array(read, np.float32)[:, None], np.array(labels, np.int64))
    return Subject(classes=classes, box=Classifier(Reads(classes)), trusted=data)


@pytest.mark.parametrize(("misread", "needed"), [(0.10, 29), (0.05, 59), (0.01, 299)])
def test_canaries_needed(misread: float, needed: int) -> None:
    assert canaries_needed(misread) == needed
    assert 1 - (1 - misread) ** needed >= 0.95 > 1 - (1 - misread) ** (needed - 1)


@given(st.integers(3, 400), st.floats(0.001, 0.5), st.integers(2, 12))
def test_the_rule_is_that_of_the_lower_bound(samples: int, honest: float, classes: int) -> None:
    canaries = ConfusionCanaries(honest=honest)
    level = (1 - canaries.confidence) / (classes * (classes - 1))
    first = canaries.fails_from(samples, classes)
    for hits, fails in ((first, True), (first - 1, False)):
        if 1 <= hits <= samples:
            low = interval(hits, samples, 1 - 2 * level)[0]
            assert (low >= honest) is fails or low == pytest.approx(honest, rel=1e-6)


@given(st.integers(4, 300), st.floats(0.001, 0.999))
def test_power_is_exact(samples: int, misread: float) -> None:
    first = CANARIES.fails_from(samples, 10)
    expected = stats.binom.sf(first - 1, samples, misread)
    assert CANARIES.power(misread, samples, 10) == pytest.approx(expected, abs=1e-9)


def test_power_rises_with_samples_and_with_the_misread() -> None:
    assert CANARIES.power(0.5, 100, 10) > 0.999
    assert CANARIES.power(0.1, 100, 10) < CANARIES.power(0.2, 100, 10)
    assert CANARIES.power(0.2, 50, 10) < CANARIES.power(0.2, 500, 10)
    assert CANARIES.power(0.05, 500, 10) < 0.01


@pytest.mark.parametrize("over", [0, 1])
def test_a_pair_from_both_sides_of_the_threshold(over: int) -> None:
    first = CANARIES.fails_from(50, 3)
    hits = first - 1 + over
    flow = [(0, 0, 50), (1, 1, 50 - hits), (1, 2, hits), (2, 2, 50)]
    found = CANARIES.exact(read_as(flow, 3))
    assert [f.where.classes for f in found] == [(1, 2)] * over


def test_findings_come_worst_first_with_their_interval() -> None:
    flow = [(0, 1, 20), (0, 0, 20), (1, 0, 35), (1, 1, 5), (2, 2, 40)]
    found = CANARIES.exact(read_as(flow, 3))
    assert [f.where.classes for f in found] == [(1, 0), (0, 1)]
    share = found[0].figures[0]
    assert (share.value, share.low, share.high) == (35 / 40, *interval(35, 40))


def test_a_model_without_errors_has_no_finding_and_says_its_power() -> None:
    model = read_as([(c, c, 30) for c in range(10)], 10)
    assert not CANARIES.exact(model)
    assert {f.name for f in CANARIES.figures(model)} >= {"power against a misread of 10%"}
    assert CANARIES.blind
    assert values(model)["canaries.misread"] == 0


def values(model: Subject, canaries: ConfusionCanaries = CANARIES) -> dict[str, float]:
    return {s.name: s.value for s in canaries.measure(model, seed=0).statistics}


def test_the_statistic_is_the_exact_tail() -> None:
    model = read_as([(0, 1, 20), (0, 0, 20), (1, 0, 5), (1, 1, 35), (2, 2, 40)], 3)
    expected = -np.log10(stats.binom.sf(19, 40, 0.05))
    measured = CANARIES.measure(model, seed=0).statistics
    assert measured[0].value == pytest.approx(expected, rel=1e-6)
    assert measured[0].evidence.where.classes == (0, 1)


def test_only_answers_are_needed() -> None:
    model = read_as([(c, c, 30) for c in range(3)], 3)
    assert CANARIES.needs <= model.has
    assert Need.GRADIENTS not in model.has


def test_a_misread_of_one_slice_is_seen_in_it() -> None:
    model = read_as([(0, 1, 12), (0, 0, 88), (1, 1, 100), (2, 2, 100)], 3)
    sliced = ConfusionCanaries(slices=("one",) * 12 + ("others",) * 288)
    assert "in the slice one" in sliced.exact(model)[0].what
    assert not CANARIES.exact(model)
    assert values(model, sliced)["canaries.slice"] > values(model, sliced)["canaries.misread"] + 3


def test_slices_pay_for_their_tests() -> None:
    sliced = ConfusionCanaries(slices=("a", "b"))
    assert sliced.power(0.2, 500, 10) <= CANARIES.power(0.2, 500, 10)
    many = ConfusionCanaries(slices=tuple("abcdefgh"))
    assert many.fails_from(50, 10) > CANARIES.fails_from(50, 10)


def test_a_slice_that_is_not_one_a_sample_is_refused() -> None:
    with pytest.raises(InputError, match="a slice for each of 90"):
        ConfusionCanaries(slices=("a",)).exact(read_as([(c, c, 30) for c in range(3)], 3))


def test_a_trained_model_passes() -> None:
    assert not CANARIES.exact(subject(trained(), digits()[1]))


def test_too_few_canaries_are_refused() -> None:
    with pytest.raises(InputError, match="a class has 2"):
        CANARIES.exact(read_as([(c, c, 2) for c in range(10)], 10))


@pytest.mark.parametrize(("misread", "power"), [(0.0, 0.9), (1.0, 0.9), (0.1, 1.0)])
def test_shares_outside_0_to_1_are_refused(misread: float, power: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        canaries_needed(misread, power)
    with pytest.raises(InputError, match="between 0 and 1"):
        ConfusionCanaries(honest=0.0)
