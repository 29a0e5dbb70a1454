"""The models of the poison population: who may see what is settled by their seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from benchmarks.poison import data, plan
from benchmarks.poison.attacks import ATTACKS, Group
from benchmarks.poison.plan import FULL, KINDS, MAIN, SEEDS, Role, victim

EVERYTHING = plan.everything(FULL)
HELD_OUT = {"Warp", "LabelConsistent", "Handcrafted"}


def test_no_seed_is_for_two_things() -> None:
    for one, other in itertools.combinations(SEEDS.values(), 2):
        assert max(one.start, other.start) >= min(one.stop, other.stop)
    seeds = [m.seed for m in EVERYTHING]
    victims = [victim(m).seed for m in EVERYTHING if m.is_changed]
    assert len(set(seeds + victims)) == len(seeds + victims)


def test_no_model_of_the_population_developed_a_detector() -> None:
    roles = {m.role for m in EVERYTHING}
    assert roles == {Role.TWIN, Role.CLEAN, Role.ATTACKED}
    assert not {m.seed for m in EVERYTHING} & set(SEEDS[Role.DEVELOPMENT])


def test_the_victim_of_a_model_for_development_is_for_development() -> None:
    for seed in (1_000_000, 1_499_999, 1_500_000, 1_999_999):
        attacked = plan.model(seed, MAIN, "RowEdit")
        assert plan.role_of(victim(attacked).seed) is Role.DEVELOPMENT
        assert victim(attacked).seed != seed


def test_held_out_attacks_are_for_the_test_alone() -> None:
    assert {name for name, f in ATTACKS.items() if f.group is Group.HELD_OUT} == HELD_OUT
    assert {m.role for m in EVERYTHING if m.family in HELD_OUT} == {Role.ATTACKED}
    for name, seeds in itertools.product(HELD_OUT, (Role.DEVELOPMENT, Role.TWIN, Role.CLEAN)):
        with pytest.raises(ValueError, match="held out"):
            plan.model(SEEDS[seeds].start, MAIN, name)


def test_nothing_trains_on_what_a_probe_is_given() -> None:
    trusted, training = data.split(60_000)
    assert len(trusted) == 1_000
    assert not set(trusted.tolist()) & set(training.tolist())
    assert sorted([*trusted.tolist(), *training.tolist()]) == list(range(60_000))
    assert max(m.samples for m in EVERYTHING) <= len(training)


def test_samples_are_drawn_from_where_they_may_be() -> None:
    pools = data.load("small")
    given = {image.tobytes() for image in data.trusted("small", 7).inputs}
    drawn = {i.tobytes() for i in data.drawn(pools.training, 300, 7, purpose=1).inputs}
    assert len(given) == 500
    assert given <= {image.tobytes() for image in pools.trusted.inputs}
    assert not given & drawn
    assert np.bincount(data.trusted("small", 7).labels).tolist() == [50] * 10


def test_each_probe_and_each_purpose_has_a_draw_of_its_own() -> None:
    pool = data.load("small").training
    draws = [(1, 1), (1, 2), (2, 1)]
    first = {data.drawn(pool, 20, seed, purpose=p).inputs.tobytes() for seed, p in draws}
    assert len(first) == len(draws)
    assert (data.trusted("small", 1).inputs != data.trusted("small", 2).inputs).any()


def test_a_model_follows_from_its_seed() -> None:
    for one in EVERYTHING[:: len(EVERYTHING) // 50]:
        assert str(plan.model(one.seed, one.kind, one.family)) == str(one)
    assert len({str(m) for m in EVERYTHING}) == len(EVERYTHING)


def test_there_are_as_many_as_the_issue_asks_for() -> None:
    for kind in KINDS:
        third = 1 if kind == MAIN else 3
        of = [m for m in EVERYTHING if m.kind == kind]
        assert sum(m.role is Role.TWIN for m in of) >= 300 / third
        assert sum(m.role is Role.CLEAN for m in of) >= 300 / third
        for family in ATTACKS:
            assert sum(m.family == family for m in of) >= 40 / third


@pytest.mark.parametrize("role", [Role.TWIN, Role.CLEAN])
def test_honest_models_are_of_all_variants(role: Role) -> None:
    of = [m for m in EVERYTHING if m.kind == MAIN and m.role is role]
    assert {m.variant.name for m in of} == {"as trained", "fine-tuned", "pruned", "int8", "fp16"}
    assert len({m.width for m in of}) == 3
    assert {m.recipe.shift for m in of} == {0, 1}


def test_what_is_attacked_in_its_weights_is_of_its_victim() -> None:
    changed = [m for m in EVERYTHING if m.is_changed]
    assert changed
    for one in changed[::50]:
        of = victim(one)
        assert (one.width, one.samples, one.recipe) == (of.width, of.samples, of.recipe)
        assert of.variant.name == "as trained"


def test_a_seed_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="seed"):
        plan.model(7, MAIN)
