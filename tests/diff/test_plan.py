"""The seeds of the benchmark: none is for two things."""

from __future__ import annotations

import itertools

from benchmarks.diff import plan


def test_no_seed_is_for_two_things() -> None:
    ranges = [*plan.ROLES.values(), *plan.BASES.values()]
    for a, b in itertools.combinations(ranges, 2):
        assert not set(a) & set(b)


def test_the_long_form_has_enough_of_each_kind() -> None:
    assert len(plan.KINDS) == 12
    assert len(plan.ROLES["test"]) >= 40
