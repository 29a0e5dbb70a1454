from __future__ import annotations

import numpy as np
import pytest
import torch

from credenza.cheques import reader
from credenza.cheques.digits import Digits
from credenza.cheques.draw import amounts, draw
from credenza.cheques.segment import segment
from credenza.classifier import Classifier
from credenza.errors import InputError

QUICK = reader.Training(steps=60, batch=128)


@pytest.fixture(scope="module")
def trained(digits: Digits) -> torch.nn.Sequential:
    return reader.train(digits.train, seed=0, settings=QUICK)


def test_reads_digits(trained: torch.nn.Sequential, digits: Digits) -> None:
    read = Classifier(trained).predict(digits.test.inputs)
    assert (read == digits.test.labels).mean() > 0.85
    assert not trained.training


def test_reads_cheques(trained: torch.nn.Sequential, digits: Digits) -> None:
    generator = np.random.default_rng(0)
    cheques = list(draw(digits.test, amounts(30, generator), generator))
    found = {c.figures: np.concatenate(p) for c in cheques if (p := segment(c.image)) is not None}
    figures = "".join(f for f, crops in found.items() if len(f) == len(crops))
    crops = np.concatenate([crops for f, crops in found.items() if len(f) == len(crops)])
    read = Classifier(trained).predict(crops)
    assert len(figures) > 100
    assert (read == np.array([int(f) for f in figures])).mean() > 0.7


def test_head_is_fed_by_a_rectifier(digits: Digits) -> None:
    classifier = Classifier(reader.build())
    features = classifier.features(digits.test.inputs[:8])
    assert classifier.head_name == "head"
    assert features.shape == (8, reader.FEATURES)
    assert features.min() == 0


def test_same_seed_same_reader(digits: Digits) -> None:
    few = reader.Training(steps=8, batch=32)
    before = torch.random.get_rng_state()
    one, same, other = (
        reader.train(digits.train, seed=seed, settings=few).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_progress_runs_to_the_end(digits: Digits) -> None:
    told: list[float] = []
    few = reader.Training(steps=8, batch=32)
    reader.train(digits.train, seed=0, settings=few, progress=lambda _, done: told.append(done))
    assert told == [step / 8 for step in range(1, 9)]


def test_too_few_steps() -> None:
    with pytest.raises(InputError, match="8 steps expected at least, 7 given"):
        reader.Training(steps=7)


def test_too_few_samples(digits: Digits) -> None:
    few = digits.train.take(np.arange(10))
    with pytest.raises(InputError, match="256 samples expected at least, 10 given"):
        reader.train(few, seed=0)
