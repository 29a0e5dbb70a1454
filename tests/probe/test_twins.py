"""Twins are trained, measured and kept; with a detector that is made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.probe import Accuracy, Calibration, Need, Plan, Twin, calibrate
from credenza.probe.twins import fit_to_serve
from credenza.training import Recipe
from tests.probe.samples import digits
from tests.probe.standins import MADE, Reads

TRAINING, TRUSTED = digits()


def factory() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))


def by_hand(data: Dataset, seed: int) -> nn.Module:
    """Somebody's own training: to know each sample by heart is enough here."""
    module = factory()
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(40):
        loss = nn.functional.cross_entropy(
            module(torch.from_numpy(data.inputs)), torch.from_numpy(data.labels)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return module


PLAN = Plan(
    factory=factory,
    data=TRAINING,
    recipe=Recipe(epochs=4, rate=2e-2),
    detectors=(Accuracy(), Reads(names=("3.bias",))),
    trusted=TRUSTED,
    samples=30,
)


def made(plan: Plan = PLAN, twins: int = 6, **more: object) -> Calibration:
    settings: dict[str, object] = {"population": "of a test", "made": MADE, "processes": 1}
    return calibrate(plan, twins, **(settings | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return made()


def test_what_is_kept_of_twins(calibration: Calibration) -> None:
    assert calibration.names == ("errors on trusted samples", "3.bias")
    assert calibration.detectors == tuple(map(str, PLAN.detectors))
    assert calibration.architecture[:2] == ("1.weight 12×64", "1.bias 12")
    assert (calibration.classes, calibration.trusted) == (10, 300)
    assert calibration.recipe == str(PLAN.recipe)
    assert all(t.accuracy > 0.6 for t in calibration.twins)
    assert len({t.statistics for t in calibration.twins}) == 6
    assert Calibration.parse(bytes(calibration)) == calibration


def test_the_same_seed_makes_the_same_twins(calibration: Calibration) -> None:
    before = torch.random.get_rng_state()
    assert made(twins=2).twins == calibration.twins[:2]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert made(replace(PLAN, seed=1), 2).twins != calibration.twins[:2]


def test_honest_variants_are_among_them() -> None:
    quick = replace(PLAN, detectors=(Reads(names=("3.bias",)),))
    recipes = {t.recipe.split(" by ")[0] for t in made(quick, 30).twins}
    assert recipes == {
        "as trained",
        "trained on",
        "pruned",
        "rounded to int8",
        "rounded to float16",
    }


def test_what_is_known_is_not_made_again(calibration: Calibration) -> None:
    told: list[Twin] = []
    again = made(known=calibration.twins[1:], told=told.append)
    assert again == calibration
    assert [t.seed for t in told] == [calibration.twins[0].seed]


def test_several_processes_make_the_same(calibration: Calibration) -> None:
    assert made(known=calibration.twins[:4], processes=2) == calibration


def test_a_training_of_ones_own(calibration: Calibration) -> None:
    own = made(replace(PLAN, trainer=by_hand), 2)
    assert own.recipe == "tests.probe.test_twins.by_hand"
    assert own.twins != calibration.twins[:2]


def test_without_trusted_samples_what_needs_none_is_calibrated() -> None:
    plan = replace(PLAN, trusted=None, detectors=(Reads(names=("3.bias",)),))
    calibration = made(plan, 8)
    assert calibration.trusted == 0
    assert all(t.accuracy > 0.6 for t in calibration.twins)


def test_twins_that_read_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="a recipe that trains the network"):
        made(replace(PLAN, recipe=Recipe(epochs=1, rate=1e-9)), 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trusted": TRAINING.take(np.arange(300))}, "300 of 300 are among the training samples"),
        ({"detectors": ()}, "no detectors"),
        ({"share": 0.0}, "a share from 0 to 1"),
        ({"samples": 0}, "samples ≥ 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(PLAN, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("twins", [0, 1])
def test_fewer_than_two_are_refused(twins: int) -> None:
    with pytest.raises(InputError, match="two or more"):
        made(twins=twins)


def test_a_detector_that_cannot_run_is_told() -> None:
    lacks = replace(PLAN, detectors=(Reads(needs=frozenset({Need.TRUSTED})),), trusted=None)
    with pytest.raises(InputError, match="nothing can be looked at"):
        made(lacks, 2)


def test_a_twin_that_nobody_would_serve_is_left_out() -> None:
    made = [
        Twin(seed=i, recipe="", accuracy=a, statistics=())
        for i, a in enumerate((0.99, 0.985, 0.94, 0.93, 0.64, 0.99))
    ]
    assert [t.seed for t in fit_to_serve(made)] == [0, 1, 2, 3, 5]
