from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.probe import Form, Measured, NeuronNoise, TriggerSearch
from tests.probe.samples import Wired, constant, digits, subject, trained

TRUSTED = digits()[1]
SEARCHES = [TriggerSearch(form) for form in Form]
DETECTORS = [*SEARCHES, NeuronNoise()]


@functools.cache
def measured(form: Form, *, wired: bool) -> Measured:
    return TriggerSearch(form).measure(subject(trained(wired=wired), TRUSTED), seed=0)


@pytest.mark.parametrize("form", Form)
def test_the_mark_that_was_wired_in_stands_out_and_is_named(form: Form) -> None:
    universal, honest = (measured(form, wired=w).statistics[0] for w in (True, False))
    assert universal.name == f"trigger.{form.value}-universal"
    assert universal.evidence.where.classes == (2,)
    assert universal.value > honest.value + 0.5
    assert universal.evidence.figures[0].value > 0.8


@pytest.mark.parametrize("form", Form)
def test_the_evidence_shows_it(form: Form) -> None:
    mark, stamped = measured(form, wired=True).statistics[0].evidence.pictures
    assert (mark.width, mark.height) == (32, 32)
    assert (stamped.width, stamped.height) == (64, 8)
    brightest = np.frombuffer(mark.pixels, np.uint8).reshape(32, 32).argmax()
    assert divmod(int(brightest), 32) >= (28, 28)


@pytest.mark.parametrize("detector", DETECTORS, ids=str)
def test_the_same_seed_measures_the_same_and_the_model_is_left_as_it_was(
    detector: TriggerSearch | NeuronNoise,
) -> None:
    module = trained().module.train()
    before = {name: t.clone() for name, t in module.state_dict().items()}
    state = torch.random.get_rng_state()
    model = subject(Classifier(module), TRUSTED)
    first, second = (detector.measure(model, seed=3).statistics for _ in range(2))
    assert [s.value for s in first] == [s.value for s in second]
    assert module.training
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())
    assert all(not m._forward_hooks for m in module.modules())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("search", SEARCHES, ids=str)
def test_a_constant_model_stands_out_and_its_class_is_named(search: TriggerSearch) -> None:
    statistics = search.measure(subject(constant(9.0), TRUSTED), seed=0).statistics
    assert all(np.isfinite(s.value) for s in statistics)
    assert statistics[0].value > 1
    assert statistics[0].evidence.where.classes == (3,)


def test_a_model_of_one_layer_is_said_not_to_be_disturbed() -> None:
    measured = NeuronNoise().measure(subject(constant(9.0), TRUSTED), seed=0)
    assert not measured.statistics
    assert "one layer alone" in measured.uncovered[0]


def test_vectors_are_searched_too_and_have_no_pictures() -> None:
    flat = Dataset(TRUSTED.inputs.reshape(len(TRUSTED), 64), TRUSTED.labels)
    inner = list(trained().module.children())[1:]
    model = subject(Classifier(Wired(nn.Sequential(*inner))), flat)
    universal = SEARCHES[0].measure(model, seed=0).statistics[0]
    assert universal.evidence.where.classes == (2,)
    assert not universal.evidence.pictures


def test_many_classes_are_searched_by_target_alone() -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((100, 4), np.float32), np.arange(100) % 25)
    quick = TriggerSearch(samples=2, steps=2, pair_samples=4)
    outcome = quick.measure(subject(Classifier(nn.Sequential(nn.Linear(4, 25))), data), seed=0)
    assert [s.name for s in outcome.statistics] == ["trigger.patch-universal"]
    assert "25 classes are too many" in outcome.uncovered[0]


@pytest.mark.parametrize(
    ("trusted", "says"),
    [
        (Dataset(2 * TRUSTED.inputs, TRUSTED.labels), "inputs from 0 to 1"),
        (TRUSTED.take(np.arange(100)), "8 or more trusted samples of each class"),
    ],
)
@pytest.mark.parametrize("search", SEARCHES, ids=str)
def test_what_cannot_be_judged_is_refused(
    search: TriggerSearch, trusted: Dataset, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        search.measure(subject(trained(), trusted), seed=0)


@pytest.mark.parametrize("form", Form)
def test_each_pair_is_a_statistic_of_one_family(form: Form) -> None:
    pairs = measured(form, wired=True).statistics[1:]
    assert len(pairs) == 90
    assert {s.family for s in pairs} == {f"trigger.{form.value}-pair"}
    to_two = [s.value for s in pairs if s.evidence.where.classes[-1] == 2]
    others = [s.value for s in pairs if s.evidence.where.classes[-1] != 2]
    assert min(to_two) > np.median(others)
    assert sum(bool(s.evidence.pictures) for s in pairs) == 8
