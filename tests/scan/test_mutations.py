"""A malicious file that is written otherwise is found as well, and a mutation does what it says."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from credenza.scan import scan
from tests.scan.mutations import mutated, pickle
from tests.scan.mutations.traced import trace
from tests.scan.population import COMMAND, MARKER, Form, Malicious, population
from tests.scan.population import assemble as a
from tests.scan.test_population import CATEGORIES, LIMITS, Verdict

PER_VECTOR: Final = 2
_MUTABLE: Final = tuple(v for v in population() if v.form != Form.BOMB)


def _made(vector: Malicious, number: int) -> Malicious:
    return mutated(vector, random.Random(f"{number} {vector.name}"))


@pytest.mark.parametrize("category", CATEGORIES)
def test_mutations_are_found(
    category: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    silent = []
    for i, vector in enumerate(v for v in _MUTABLE if v.category == category):
        for number in range(PER_VECTOR):
            made = _made(vector, number)
            report = scan(made.lay(tmp_path / f"{i}-{number}"), limits=LIMITS)
            verdict = Verdict(made, report)
            silent += [f"{verdict}, mutation {number}, {made.path!r}"] if verdict.silent else []
    assert not silent
    assert not list(tmp_path.rglob(MARKER))


def test_the_trace_is_what_an_unpickler_would_do() -> None:
    evil = a.pickled(a.call("os:system", a.text(COMMAND)), protocol=4)
    assert trace(evil) == {"name 'os.system'": 1, f"call os.system, {COMMAND!r}": 1}
    assert not trace(a.pickled(a.value([1, "os", "system"])))
    assert not Path(MARKER).exists()


def test_every_mutation_of_a_pickle_calls_what_its_vector_calls() -> None:
    """And nearly every one is another file: a campaign of copies would show nothing."""
    vectors = [v for v in _MUTABLE if v.form == Form.PICKLE and trace(v.data)]
    other = 0
    for vector in vectors:
        made = pickle(vector.data, random.Random(vector.name))
        assert trace(vector.data) <= trace(made), vector.name
        other += made != vector.data
    assert other > 0.9 * len(vectors)


def test_a_mutation_is_the_same_for_the_same_seed_and_differs_for_others() -> None:
    differing = Counter[str]()
    sample = _MUTABLE[::3]
    for vector in sample:
        made = _made(vector, 1)
        assert made == _made(vector, 1)
        assert (made.name, made.category, made.least) == (
            vector.name, vector.category, vector.least
        )  # fmt: skip
        differing[vector.form] += made.files != vector.files
    counts = Counter(v.form for v in sample)
    for form in set(counts) - {Form.NAMED}:
        assert differing[form] > 0.8 * counts[form], form
