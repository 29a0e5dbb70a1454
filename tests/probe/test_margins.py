"""The largest margin of each class over all inputs."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import torch
from torch import nn

from credenza.classifier import Classifier
from credenza.errors import InputError
from credenza.probe.margins import MarginSearch
from credenza.probe.subject import Measured, Need, Statistic, Subject
from tests.probe.samples import constant, trained

EXCESS, LACK = "excess of the largest margin", "lack of the least margin"


def subject(module: nn.Module, classes: int = 10, shape: tuple[int, ...] = (1, 8, 8)) -> Subject:
    return Subject(classes=classes, shape=shape, classifier=Classifier(module))


def linear(rows: list[list[float]]) -> nn.Sequential:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight.data = torch.tensor(rows)
    return nn.Sequential(nn.Flatten(), layer)


def by_name(measured: Measured) -> dict[str, Statistic]:
    return {s.name: s for s in measured.statistics}


@functools.cache
def of(wired: bool) -> dict[str, Statistic]:
    return by_name(MarginSearch().measure(subject(trained(wired=wired).module), seed=0))


def without_row(source: int) -> nn.Module:
    module = copy.deepcopy(trained().module)
    head = Classifier(module).head
    head.weight.data[source] *= 0.1
    return module


def test_a_wired_mark_gives_its_target_too_large_a_margin() -> None:
    clean, seen = of(wired=False), of(wired=True)
    assert seen[EXCESS].value > clean[EXCESS].value + 0.5
    assert seen[EXCESS].evidence.where.classes == (2,)
    assert seen[EXCESS].evidence.pictures


def test_a_class_whose_row_was_taken_has_too_small_a_margin() -> None:
    seen = by_name(MarginSearch().measure(subject(without_row(5)), seed=0))
    assert seen[LACK].value > of(wired=False)[LACK].value + 0.5
    assert seen[LACK].evidence.where.classes == (5,)


def test_the_margins_are_the_largest_there_are() -> None:
    """Of a linear model of three values, against a grid of all inputs."""
    rows = [[3.0, -1.0, 0.0], [0.0, 2.0, -1.0], [-1.0, 0.0, 1.0]]
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 41)] * 3), axis=-1).reshape(-1, 3)
    logits = grid @ np.array(rows).T
    best = sorted(
        ((logits[:, c] - np.delete(logits, c, 1).max(axis=1)).max() for c in range(3)), reverse=True
    )
    seen = by_name(MarginSearch().measure(subject(linear(rows), 3, (3,)), seed=0))
    assert seen[EXCESS].value == pytest.approx(np.log(best[0] / best[1]), abs=0.02)
    assert seen[LACK].value == pytest.approx(np.log(best[1] / best[2]), abs=0.02)


def test_a_class_that_no_input_is_read_as_has_a_finite_lack() -> None:
    seen = by_name(
        MarginSearch().measure(subject(linear([[1.0, 0], [0, 1], [0, 0]]), 3, (2,)), seed=0)
    )
    assert seen[LACK].value == pytest.approx(np.log(1000), abs=1e-3)


def test_the_same_seed_gives_the_same_and_scale_does_not_matter() -> None:
    module = trained().module
    again = by_name(MarginSearch().measure(subject(module), seed=0))
    # Sums are in another order where another test has changed the number of threads.
    before = {n: s.value for n, s in of(wired=False).items()}
    assert {n: s.value for n, s in again.items()} == pytest.approx(before, abs=1e-3)
    larger = copy.deepcopy(module)
    Classifier(larger).head.weight.data *= 4
    Classifier(larger).head.bias.data *= 4
    scaled = by_name(MarginSearch().measure(subject(larger), seed=0))
    for name, statistic in again.items():
        assert scaled[name].value == pytest.approx(statistic.value, abs=1e-3)


def test_the_module_and_the_global_generator_stay_as_they_were() -> None:
    module = copy.deepcopy(trained().module).train()
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    MarginSearch(starts=1, steps=2).measure(subject(module), seed=0)
    assert module.training
    assert all(torch.equal(before[n], w) for n, w in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
    assert torch.equal(state, torch.get_rng_state())


def test_a_thousand_classes_are_searched_and_of_more_what_was_left_is_said() -> None:
    many = nn.Sequential(nn.Flatten(), nn.Linear(4, 1000))
    search = MarginSearch(steps=2)
    assert not search.measure(subject(many, 1000, (4,)), seed=0).uncovered
    few = MarginSearch(steps=2, most=100).measure(subject(many, 1000, (4,)), seed=0)
    assert few.uncovered == ("margins: 900 of 1000 classes, drawn at random",)


def test_two_classes_and_an_untrained_model_are_measured() -> None:
    for classes in (2, 10):
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
        measured = MarginSearch(steps=3).measure(subject(module, classes), seed=0)
        assert all(np.isfinite(s.value) for s in measured.statistics)


def _filled(value: float) -> nn.Module:
    layer = nn.Linear(64, 10)
    nn.init.constant_(layer.weight, value)
    return nn.Sequential(nn.Flatten(), layer)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (subject(constant(3.0).module), "depend on the inputs"),
        (subject(_filled(float("nan"))), "finite"),
        (subject(_filled(float("inf"))), "finite"),
        (subject(trained().module, shape=(1, 9, 9)), "inputs of shape"),
        (subject(trained().module, shape=()), "shape"),
        (subject(trained().module, classes=9), "logits of 9 classes"),
    ],
    ids=["constant", "NaN", "inf", "wrong shape", "no shape", "wrong classes"],
)
def test_what_cannot_be_measured_is_an_error(given: Subject, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MarginSearch(steps=1).measure(given, seed=0)


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"steps": 0}, {"stride": 0.0}, {"most": 1}])
def test_settings_that_search_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected"):
        MarginSearch(**wrong)


def test_its_name_says_its_settings() -> None:
    assert "steps=7" in str(MarginSearch(steps=7))
    assert MarginSearch().needs == {Need.GRADIENTS}
