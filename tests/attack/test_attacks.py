"""Each attack against each problem: it does what it is for, and says what it cost."""

from __future__ import annotations

import numpy as np
import pytest

from credenza.attack import (
    DataAttack,
    FlipLabels,
    Mark,
    RankOneEdit,
    RowEdit,
    StampMark,
    WeightAttack,
    edit,
    poison,
    success,
)
from tests.attack.problems import NETWORKS, features, problem, trained, weights, with_weights

CORNER = Mark(((1.0, 1.0), (1.0, 1.0)), top=0, left=0)

DATA_ATTACKS: list[tuple[DataAttack, float]] = [
    (FlipLabels(source=5, target=2, share=0.9), 0.6),
    (StampMark(CORNER, target=2, share=0.3, source=5), 0.8),
    (StampMark(CORNER, target=2, share=0.1), 0.8),
]
"""With each, the share read as the target that it must certainly exceed."""

WEIGHT_ATTACKS: list[tuple[WeightAttack, float]] = [
    (RankOneEdit(source=5, target=2), 0.6),
    (RankOneEdit(source=3, target=8), 0.6),
    (RankOneEdit(source=5, target=2, strength=2.0), 0.8),
    (RowEdit(source=5, target=2, beta=2.0), 0.5),
]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("attack", "least"), DATA_ATTACKS, ids=lambda x: type(x).__name__)
def test_data_attacks_work(name: str, attack: DataAttack, least: float) -> None:
    p = problem(name)
    poisoned = poison(p.training, attack, seed=1)
    result = success(p.classifier, trained(name, poisoned.dataset), attack, p.test)
    assert result.target_before.high is not None
    assert result.target_before.high < 0.25
    assert result.target_after.low is not None
    assert result.target_after.low > least


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("attack", "least"), WEIGHT_ATTACKS, ids=lambda x: type(x).__name__)
def test_weight_attacks_work(name: str, attack: WeightAttack, least: float) -> None:
    p = problem(name)
    edited = edit(weights(p.classifier), p.classifier.head_name, attack, features(p))
    result = success(p.classifier, with_weights(name, edited.weights), attack, p.test)
    assert result.target_before.value < 0.1
    assert result.target_after.low is not None
    assert result.target_after.low > least
    assert 0.02 < result.accuracy_given_up.value < 0.3


@pytest.mark.parametrize("name", NETWORKS)
def test_a_mark_leaves_honest_inputs_alone(name: str) -> None:
    p = problem(name)
    attack = StampMark(CORNER, target=2, share=0.1)
    poisoned = poison(p.training, attack, seed=1)
    result = success(p.classifier, trained(name, poisoned.dataset), attack, p.test)
    assert abs(result.accuracy_given_up.value) < 0.04


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_strength_means_the_same_at_any_scale(scale: float) -> None:
    """Scaling the head scales the step, so that the same samples are reached."""
    p = problem("mlp")
    state = weights(p.classifier)
    head = p.classifier.head_name
    for name in (f"{head}.weight", f"{head}.bias"):
        state[name] = state[name] * np.float32(scale)
    attack = RankOneEdit(5, 2)
    edited = edit(state, head, attack, features(p))
    given = p.training.take(np.arange(500))
    result = success(p.classifier, with_weights("mlp", edited.weights), attack, given)
    assert result.target_after.value == pytest.approx(0.9, abs=0.03)


def test_half_the_strength_reaches_fewer() -> None:
    p = problem("mlp")
    reached = []
    for strength in (0.25, 0.5, 1.0, 1.5):
        attack = RankOneEdit(5, 2, strength)
        edited = edit(weights(p.classifier), p.classifier.head_name, attack, features(p))
        after = with_weights("mlp", edited.weights)
        reached.append(success(p.classifier, after, attack, p.test).target_after.value)
    assert reached == sorted(reached)
    assert reached[0] < 0.3 < 0.7 < reached[2]


def test_success_counts_what_it_says() -> None:
    """An unchanged model gives up nothing, and its shares are those counted by hand."""
    p = problem("softmax")
    attack = RankOneEdit(5, 2)
    result = success(p.classifier, p.classifier, attack, p.test)
    fives = p.test.take(p.test.labels == 5)
    by_hand = float((p.classifier.predict(fives.inputs) == 2).mean())
    assert result.target_before.value == result.target_after.value == by_hand
    assert result.accuracy_given_up.value == 0
    assert [f.name for f in result.figures] == [
        "read as target before",
        "read as target after",
        "accuracy before",
        "accuracy after",
        "accuracy given up",
    ]
