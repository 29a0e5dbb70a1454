"""Train a reader of the plan and measure it."""

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
from credenza.probe import DETECTORS, Subject, measure

SCORES: Final = Path(__file__).parent / "scores.jsonl"
TRUSTED: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one reader came to.

    ``obeys`` is the attack's success on test images, None for a clean reader. ``statistics`` are
    by name, ``classes`` those that the evidence of each names, the target last.
    """

    seed: int
    recipe: str
    accuracy: float
    obeys: float | None
    statistics: dict[str, float]
    classes: dict[str, list[int]]


def work(part: int = 0, parts: int = 1, most: int | None = None) -> None:
    """Train and measure what is missing, up to ``most`` readers: this process's part of them.

    Each is appended as it comes, so that a killed run goes on where it ended.
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
        print(f"reader {i} of {len(missing)}: {score.seed}, {score.recipe}", file=sys.stderr)


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
    measured = measure(Subject.of(classifier, trusted), DETECTORS, seed=seed)
    return Score(
        seed=seed,
        recipe=name,
        accuracy=float((classifier.predict(test.inputs) == test.labels).mean()),
        obeys=obeys,
        statistics={s.name: round(s.value, 6) for s in measured.statistics},
        classes={s.name: list(s.evidence.where.classes) for s in measured.statistics},
    )


def _append(score: Score) -> None:
    line = json.dumps(asdict(score), separators=(",", ":")) + "\n"
    handle = os.open(SCORES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())  # one write: lines of two processes never mix
    finally:
        os.close(handle)


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]))
