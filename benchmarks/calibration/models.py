"""Train a model of the plan and score it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks.calibration import plan
from credenza.cheques import digits, reader
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.probe import Calibration, ConfusionCanaries, TriggerSearch, Twin

SCORES: Final = Path(__file__).parent / "scores.jsonl"
TRUSTED: Final = 1000
_NO_CALIBRATION: Final = Calibration(
    population="none: the canaries' bounds are exact",
    architecture="",
    search="",
    made="",
    twins=(Twin(seed=-1, recipe="", accuracy=0.0, score=0.0),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one model came to.

    ``obeys`` is the attack's success on test images, None for a clean model. ``source`` and
    ``target`` are those of the smallest mark, ``pixels`` its size; ``misread`` counts the pairs
    that the canaries find.
    """

    seed: int
    recipe: str
    accuracy: float
    obeys: float | None
    score: float
    source: int | None
    target: int
    pixels: float
    misread: int


def work(part: int = 0, parts: int = 1, most: int | None = None) -> None:
    """Train and score what is missing, up to ``most`` models: this process's part of them.

    Each score is appended as it comes, so that a killed run goes on where it ended.
    """
    torch.set_num_threads(1)
    known = {s.seed for s in scores()}
    missing = [s for s in plan.order()[part::parts] if s not in known][:most]
    if not missing:
        return
    every = digits.load()
    shuffled = np.random.default_rng(0).permutation(len(every.train))
    trusted = every.train.take(shuffled[:TRUSTED])
    training = every.train.take(shuffled[TRUSTED:])
    for i, seed in enumerate(missing, start=1):
        score = _score(seed, training, trusted, every.test)
        _append(score)
        print(f"model {i} of {len(missing)}: {score}")


def scores() -> tuple[Score, ...]:
    """What is known so far, by seed."""
    if not SCORES.exists():
        return ()
    lines = SCORES.read_text().splitlines()
    return tuple(sorted((Score(**json.loads(line)) for line in lines), key=lambda s: s.seed))


def _score(seed: int, training: Dataset, trusted: Dataset, test: Dataset) -> Score:
    obeys = None
    if seed in plan.ATTACKED:
        how = plan.recipe(seed)
        name = how.name
        classifier = Classifier(reader.train(plan.attacked_data(training, how, seed), seed=seed))
        aimed = how.attack.aimed(test)
        obeys = float((classifier.predict(aimed.inputs) == how.attack.target).mean())
    else:
        name, settings, share = plan.CLEAN[seed % len(plan.CLEAN)]
        data = plan.clean_data(training, share, seed)
        classifier = Classifier(reader.train(data, seed=seed, settings=settings))
    best = TriggerSearch().search(classifier, trusted, seed=seed)[0]
    misread = ConfusionCanaries().run(classifier, trusted, _NO_CALIBRATION, seed).findings
    return Score(
        seed=seed,
        recipe=name,
        accuracy=float((classifier.predict(test.inputs) == test.labels).mean()),
        obeys=obeys,
        score=best.score,
        source=best.trigger.source,
        target=best.trigger.target,
        pixels=best.trigger.size,
        misread=len(misread),
    )


def _append(score: Score) -> None:
    line = json.dumps(asdict(score)) + "\n"
    handle = os.open(SCORES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())  # one write: lines of two processes never mix
    finally:
        os.close(handle)


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]))
