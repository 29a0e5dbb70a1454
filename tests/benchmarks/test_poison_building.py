"""Models made, kept and made again after a kill, on a small data set."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from benchmarks.poison import building, plan, variants
from benchmarks.poison.networks import perceptron
from benchmarks.poison.plan import Kind, Planned
from benchmarks.poison.variants import AsTrained, FineTuned, Half, Int8, Pruned, Variant
from torch import nn

from credenza.attack import RowEdit, StampMark
from credenza.attack.interface import of_class
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.training import Recipe

SMALL = Kind("small", "perceptron")
RECIPE = Recipe(epochs=2, batch=32)


def clean(seed: int = 2_900_000, variant: Variant = AsTrained()) -> Planned:  # noqa: B008  frozen
    small = replace(plan.model(seed, plan.MAIN), kind=SMALL, samples=300, recipe=RECIPE)
    return replace(small, variant=variant)


@dataclass(frozen=True)
class Misplaced:
    """An attack that no model has a place for."""

    source: int = 1
    target: int = 2
    needs_data: ClassVar[bool] = False

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        raise InputError("misplaced: a model of another kind expected")


def test_models_are_made_once_and_again_after_a_kill(tmp_path: Path) -> None:
    wanted = [clean(), clean(2_900_001)]
    building.build(wanted, tmp_path, workers=1)
    file = tmp_path / "models.jsonl"
    first = building.made(tmp_path)
    assert set(first) == {m.seed for m in wanted}

    building.build(wanted, tmp_path, workers=1)
    assert len(file.read_text().splitlines()) == 2  # nothing was made anew

    lines = file.read_text().splitlines(keepends=True)
    file.write_text(lines[0] + lines[1][:40])  # killed while the second line was written
    assert len(building.made(tmp_path)) == 1
    file.write_text(lines[0])
    building.build(wanted, tmp_path, workers=1)
    again = building.made(tmp_path)
    assert {s: m.root for s, m in again.items()} == {s: m.root for s, m in first.items()}


def test_a_line_cut_short_takes_no_other_with_it(tmp_path: Path) -> None:
    building._keep((clean(), tmp_path))
    whole = (tmp_path / "models.jsonl").read_text()
    (tmp_path / "models.jsonl").write_text(whole[:50] + "\n" + whole)
    assert list(building.made(tmp_path)) == [clean().seed]


def test_another_plan_or_other_code_is_made_again(tmp_path: Path) -> None:
    attack = RowEdit(1, 2)
    planned = replace(clean(4_900_000), family="RowEdit", attack=attack)
    line = {"seed": planned.seed, "kind": "", "role": "", "name": "RowEdit"}
    known = {"plan": str(planned), "code": building.code(attack)}
    for change, there in (({}, True), ({"plan": "another"}, False), ({"code": "0"}, False)):
        of = json.dumps({**line, **known, **change})
        (tmp_path / "models.jsonl").write_text(of + "\n")
        assert building.is_made(planned, building.made(tmp_path)) is there


def test_what_is_kept_is_what_was_made(tmp_path: Path) -> None:
    planned = clean()
    building._keep((planned, tmp_path))
    made = building.make(planned)[0].module
    kept = building.module_of(planned, tmp_path)
    for name, value in made.state_dict().items():
        assert torch.equal(value, kept.state_dict()[name])


def test_a_data_attack_works_and_says_so(tmp_path: Path) -> None:
    mark = plan.model(4_000_000, plan.MAIN, "StampMark").attack
    assert isinstance(mark, StampMark)
    attack = replace(mark, target=3, share=0.4)
    planned = replace(clean(4_900_001), family="StampMark", attack=attack, recipe=Recipe(epochs=20))
    building._keep((planned, tmp_path))
    made = building.made(tmp_path)[planned.seed]
    assert made.works
    assert made.victim is None
    assert made.success is not None
    assert made.success >= 0.5


def test_no_place_for_an_attack_is_said(tmp_path: Path) -> None:
    planned = replace(clean(4_900_002), family="RowEdit", attack=Misplaced())
    small = replace(planned, kind=Kind("small", "perceptron"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "victim", lambda _: clean(5_900_002))
        building._keep((small, tmp_path))
    made = building.made(tmp_path)[planned.seed]
    assert "another kind expected" in made.refused
    assert not made.works
    assert building.is_made(small, building.made(tmp_path))  # and is not tried again


@pytest.mark.parametrize("variant", [FineTuned(100, 1e-3), Pruned(0.4), Int8(), Half()])
def test_a_variant_changes_a_model_and_no_more_than_it_says(variant: Variant) -> None:
    before = building.make(clean())[0].module.state_dict()
    after = building.make(clean(variant=variant))[0].module.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_pruning_leaves_the_share() -> None:
    torch.manual_seed(0)
    module = perceptron()
    variants.apply(Pruned(0.4), module, Dataset.__new__(Dataset), seed=0)
    layer = module[1]
    assert isinstance(layer, nn.Linear)
    assert layer.weight.eq(0).float().mean().item() == pytest.approx(0.4, abs=0.001)
    assert layer.bias.ne(0).all()


def test_int8_has_255_steps_at_most() -> None:
    torch.manual_seed(0)
    module = perceptron()
    variants.apply(Int8(), module, Dataset.__new__(Dataset), seed=0)
    layer = module[1]
    assert isinstance(layer, nn.Linear)
    values = set(layer.weight.flatten().tolist())
    assert 200 < len(values) <= 255
