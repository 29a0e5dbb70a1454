"""Attacks by name: settings become values, and the wrong ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from credenza.attack import (
    Blend,
    Mark,
    PoisonedFineTune,
    RankOneEdit,
    StampMark,
)
from credenza.attack.table import ATTACKS, named, settings_of
from credenza.errors import InputError
from credenza.training import Recipe
from tests.attack.problems import problem

MARK = {"pixels": [[1, 0.5], [0, 1]], "top": 2, "left": 3}


def test_settings_become_the_value() -> None:
    assert named("rank-one", {"source": 5, "target": 2, "strength": 1}, {}) == RankOneEdit(5, 2)
    mark = Mark(((1, 0.5), (0, 1)), 2, 3)
    made = named("stamp", {"mark": MARK, "target": 2, "share": 0.1}, {})
    assert made == StampMark(mark, 2, 0.1)
    inner = {"name": "blend", "target": 2, "share": 0.1}
    made = named("fine-tune", {"attack": inner, "recipe": {"epochs": 2}}, {})
    assert made == PoisonedFineTune(Blend(2, 0.1), Recipe(epochs=2))


@pytest.mark.parametrize("name", ATTACKS)
def test_settings_come_back_as_they_went(name: str) -> None:
    """So that a truth file says enough to run the attack again."""
    every: dict[str, Any] = {"source": 5, "target": 2, "share": 0.25, "mark": MARK}
    every["attack"] = {"name": "blend", "target": 2, "share": 0.1}
    own = {f for f in every if f in ATTACKS[name].__dataclass_fields__}  # type: ignore[attr-defined]
    given = {"surrogate": lambda: problem("mlp").classifier}
    made = named(name, {key: every[key] for key in own}, given)
    told = settings_of(made)
    assert told.pop("name") == name
    told.pop("surrogate", None)
    assert named(name, told, given) == made


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("none", {}, "one of flip, slice-flip"),
        ("row", {"source": 5}, "none given: target"),
        ("row", {"source": 5, "target": 2, "share": 1}, "no setting share; it has source, target"),
        ("row", {"source": "5", "target": 2}, "source: Expected `int`, got `str`"),
        ("row", {"source": 5, "target": 5}, "two classes"),
        ("stamp", {"mark": 3, "target": 2, "share": 0.1}, "mark: Expected"),
        ("stamp", {"mark": MARK | {"right": 1}, "target": 2, "share": 0.1}, "mark: no setting"),
        ("fine-tune", {"attack": {"target": 2}}, "expected, '' given"),
        ("fine-tune", {"attack": "blend"}, "attack: "),
        ("label-consistent", {"mark": MARK, "target": 2, "share": 1.0}, "none given: surrogate"),
        ("fine-tune", {"attack": {"name": "row", "source": 5, "target": 2}}, "on data expected"),
    ],
)
def test_settings_that_are_none(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        named(name, settings, {})
