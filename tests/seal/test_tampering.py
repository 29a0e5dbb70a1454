"""What was altered is refused, by the right error; what was not, is not. `make bench` does more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import credenza
from tests.seal.alterations import ALTERATIONS
from tests.seal.honesty import VARIATIONS, honest
from tests.seal.makers import MAKERS, Maker
from tests.seal.tampering import campaign


def test_every_alteration_is_refused_by_the_right_error() -> None:
    trials = list(campaign(1_000))
    assert [trial for trial in trials if trial.wrong] == []
    assert {trial.alteration for trial in trials} == ALTERATIONS.keys()
    assert {trial.model for trial in trials} == {maker.__name__ for maker in MAKERS}


def test_no_honest_model_is_refused() -> None:
    trials = list(honest(2 * len(MAKERS) * len(VARIATIONS)))
    assert [trial for trial in trials if trial.wrong] == []


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_every_maker_makes_what_it_says(maker: Maker, tmp_path: Path) -> None:
    """Tensors to alter: with none, an alteration of tensors would not be tried."""
    formats = {t.file for t in credenza.open(maker(tmp_path, random.Random(1))).tensors}
    assert formats
