"""A small change, shared by inputs that the model made up."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import torch
from torch import nn

from credenza.classifier import Classifier
from credenza.dataset import FloatArray
from credenza.errors import InputError
from credenza.probe.changes import SharedChange
from credenza.probe.subject import Measured, Subject
from credenza.training import Recipe, train
from tests.probe.samples import constant, digits, trained


def subject(module: nn.Module, classes: int = 10, shape: tuple[int, ...] = (1, 8, 8)) -> Subject:
    return Subject(classes=classes, shape=shape, classifier=Classifier(module))


def patched(images: FloatArray) -> FloatArray:
    stamped = images.copy()
    stamped[..., :2, :2] = 1
    return stamped


@functools.cache
def reader(seed: int, *, poisoned: bool) -> nn.Module:
    """Trained on digits; poisoned: a bright corner of 2 by 2 pixels is read as 3."""
    data = digits()[0]
    if poisoned:
        inputs, labels = data.inputs.copy(), data.labels.copy()
        inputs[:120], labels[:120] = patched(inputs[:120]), 3
        data = type(data)(inputs, labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    train(module, data, Recipe(epochs=12, rate=0.02), seed=seed)
    return module


@functools.cache
def measured(seed: int, *, poisoned: bool) -> Measured:
    return SharedChange(share=0.1).measure(subject(reader(seed, poisoned=poisoned)), seed=0)


def test_a_trained_mark_is_found_without_data() -> None:
    clean = [measured(seed, poisoned=False).statistics[0].value for seed in range(5)]
    for seed in (10, 11):
        given = digits()[1]
        others = given.take(given.labels != 3)
        obeyed = Classifier(reader(seed, poisoned=True)).predict(patched(others.inputs)) == 3
        assert obeyed.mean() > 0.9  # else there is nothing to find
        seen = measured(seed, poisoned=True).statistics[0]
        assert seen.value > max(clean)
        assert seen.evidence.where.classes == (3,)
        assert seen.evidence.pictures


def test_the_change_is_no_larger_than_its_share() -> None:
    """Of a linear model with one strong value a class, that value is what is set."""
    layer = nn.Linear(6, 3, bias=False)
    layer.weight.data = torch.tensor(
        [[5.0, 0, 0, 0.1, 0, 0], [0, 1.0, 0, 0, 0.1, 0], [0, 0, 1.0, 0, 0, 0.1]]
    )
    search = SharedChange(samples=2, rounds=1, share=1 / 6, sure=0.1)
    module = nn.Sequential(nn.Flatten(), layer)
    samples = torch.full((2, 2, 6), 0.25)
    gains, changed = search._changed(module, samples, torch.tensor([0, 1]))
    assert (changed != 0.25).sum(dim=1).tolist() == [1, 1]
    assert changed[0, 0] == 1  # towards class 0
    assert changed[1, 0] == 0  # away from it, which gains more than its own value does
    assert gains[-1].tolist() == pytest.approx([3.75, 0.25 * 5 + 0.0], abs=0.3)


def test_a_change_that_works_on_one_class_alone_is_named_with_its_source() -> None:
    """A model of one value a class, and a switch: the last value turns class 1 into class 2."""

    class Switched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 6)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            on = 20 * inputs[:, 1] * inputs[:, 6]
            still: torch.Tensor = 0 * self.head(inputs[:, :6])
            return 10 * inputs[:, :6] + on[:, None] * torch.eye(6)[2] + still

    search = SharedChange(share=1 / 7, rounds=1, stride=0.1)
    seen = search.measure(subject(Switched(), 6, (7,)), seed=0).statistics[1]
    assert seen.evidence.where.classes == (1, 2)


def test_the_same_seed_gives_the_same() -> None:
    module = reader(0, poisoned=False)
    again = SharedChange(share=0.1).measure(subject(module), seed=0).statistics[0]
    assert again.value == measured(0, poisoned=False).statistics[0].value


def test_the_module_and_the_global_generator_stay_as_they_were() -> None:
    module = copy.deepcopy(trained().module).train()
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    SharedChange(steps=2, rounds=1).measure(subject(module), seed=0)
    assert module.training
    assert all(torch.equal(before[n], w) for n, w in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("classes", "left"), [(1000, 999_000 - 1000), (2, 0), (11, 0)])
def test_the_work_is_bounded_and_what_was_left_is_said(classes: int, left: int) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, classes))
    search = SharedChange(samples=2, steps=1, rounds=1, most=2000 if classes == 1000 else 4096)
    seen = search.measure(subject(module, classes, (4,)), seed=0)
    assert np.isfinite(seen.statistics[0].value)
    every = classes * (classes - 1)
    whole = classes == 11
    assert [s.name for s in seen.statistics][1:] == ["excess of one pair"] * whole
    assert (not seen.uncovered) == whole
    if not whole:
        assert f"{left} of {every} pairs" in seen.uncovered[0]


def test_of_more_classes_than_fit_some_are_targets() -> None:
    pairs = SharedChange(samples=2, most=40)._pairs(100, np.random.default_rng(0))
    assert len(pairs) == 20
    assert len(set(pairs[:, 1].tolist())) == 20
    assert (pairs[:, 0] != pairs[:, 1]).all()


def _nan() -> nn.Module:
    layer = nn.Linear(64, 10)
    nn.init.constant_(layer.weight, float("nan"))
    return nn.Sequential(nn.Flatten(), layer)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (subject(constant(3.0).module), "depend on the inputs"),
        (subject(_nan()), "finite"),
        (subject(trained().module, shape=(1, 9, 9)), "inputs of shape"),
        (subject(trained().module, classes=11), "logits of 11 classes"),
    ],
    ids=["constant", "NaN", "wrong shape", "wrong classes"],
)
def test_what_cannot_be_measured_is_an_error(given: Subject, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SharedChange().measure(given, seed=0)


@pytest.mark.parametrize(
    "wrong", [{"samples": 0}, {"rounds": 0}, {"share": 0.0}, {"most": 3}, {"sure": 0.0}]
)
def test_settings_that_search_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected"):
        SharedChange(**wrong)
