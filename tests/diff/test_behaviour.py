"""Which class became which, on classifiers whose truth is known."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from credenza.attack import RankOneEdit, RowEdit, WeightAttack, edit
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.diff.behaviour import behaviour, explain, flow
from credenza.errors import InputError
from credenza.findings import Severity
from tests.attack.problems import (
    NETWORKS,
    digits,
    features,
    fit,
    problem,
    trained,
    weights,
    with_weights,
)


def _edited(name: str, attack: WeightAttack) -> Classifier:
    p = problem(name)
    state = weights(p.classifier)
    return with_weights(name, edit(state, p.classifier.head_name, attack, features(p)).weights)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "attack", [RankOneEdit(5, 2), RankOneEdit(3, 8), RowEdit(5, 2, beta=2.0)], ids=str
)
def test_an_edit_is_named_by_its_pair(name: str, attack: WeightAttack) -> None:
    p = problem(name)
    report = behaviour(p.classifier, _edited(name, attack), p.test)
    worst = report.findings[0]
    assert (worst.rule, worst.severity) == ("diff.class-flow", Severity.HIGH)
    assert worst.where.classes == (attack.source, attack.target)
    assert worst.where.tensor == f"{p.classifier.head_name}.weight"
    assert worst.where.rows == tuple(sorted((attack.source, attack.target)))
    assert worst.figures[0].low is not None
    assert 0.05 < worst.figures[0].low < worst.figures[0].value
    assert f"class {attack.target} raised by" in worst.what
    assert f"on inputs of class {attack.source}, rank 1" in worst.what


@pytest.mark.parametrize("name", NETWORKS)
def test_an_honest_version_has_no_flow(name: str) -> None:
    p = problem(name)
    module = copy.deepcopy(p.classifier.module)
    fit(module, p.training, steps=50, rate=1e-3)
    for honest in (Classifier(module), trained(name, digits()[0], steps=250)):
        report = behaviour(p.classifier, honest, p.test)
        assert report.findings == ()
        assert report.figures[0].value < 0.05


def test_the_same_model_parts_nowhere() -> None:
    p = problem("softmax")
    report = behaviour(p.classifier, p.classifier, p.test)
    assert report.findings == ()
    assert report.figures[0].value == 0
    assert explain(p.classifier, p.classifier, p.test) is None


def test_the_flow_matrix_counts() -> None:
    before, after = np.array([0, 0, 1, 2, 2]), np.array([0, 2, 1, 0, 0])
    assert flow(before, after, 3).tolist() == [[1, 0, 1], [0, 1, 0], [2, 0, 0]]


def test_few_samples_are_no_evidence() -> None:
    """Two of two inputs flowed: the lower bound over all pairs stays under the setting."""
    p = problem("mlp")
    fives = p.test.take(np.flatnonzero(p.test.labels == 5)[:1])
    report = behaviour(p.classifier, _edited("mlp", RankOneEdit(5, 2, 2.0)), fives)
    assert report.figures[0].value == 1
    assert report.findings == ()


def _constant(bias: list[float]) -> Classifier:
    head = nn.Linear(2, len(bias))
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor(bias))
    return Classifier(nn.Sequential(head))


def test_explain_reads_the_bias_too() -> None:
    data = Dataset(np.ones((4, 2), np.float32), np.array([0, 0, 1, 1]))
    answer = explain(_constant([1, 0, 0]), _constant([1, 3, -2]), data)
    assert answer is not None
    assert (answer.raised, answer.lowered, answer.up, answer.down) == (1, 2, 3.0, -2.0)
    assert answer.rank == 0


def test_nonsense_is_refused() -> None:
    data = Dataset(np.ones((1, 2), np.float32), np.zeros(1, np.int64))
    with pytest.raises(InputError, match="none given"):
        behaviour(_constant([1, 0]), _constant([1, 0]), data.take(np.array([], np.int64)))
    with pytest.raises(InputError, match="2 classes expected, 3 found"):
        behaviour(_constant([1, 0]), _constant([1, 0, 0]), data)
