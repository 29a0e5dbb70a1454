"""How long a probe takes: of a model of the main kind, and of a large one."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from benchmarks.poison import data, plan
from benchmarks.poison.building import make
from benchmarks.poison.networks import resnet18
from benchmarks.poison.plan import MAIN, SEEDS, Role
from benchmarks.results import Bar
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.probe.probing import probe
from credenza.probe.subject import Detector, Subject
from credenza.training import Recipe, train

RUNS: Final = 5
_SMALL_SECONDS: Final = 10.0
_LARGE_SECONDS: Final = 300.0
_LARGE_SAMPLES: Final = 640


def measure(detectors: Sequence[Detector]) -> list[Bar]:
    """Seconds by the clock for one probe with 500 trusted samples, on all cores of this machine.

    The small one is the median of `RUNS` models that are for development; the large one, once, a
    ResNet-18 that was trained for a moment on digits in three colours.
    """
    small = [_seconds(_small(i), detectors) for i in range(RUNS)]
    large = _seconds(_large(), detectors)
    return [
        Bar(
            bar=f"time to probe one of {MAIN}, median of {RUNS}",
            value=statistics.median(small),
            unit="s",
            target=_SMALL_SECONDS,
            low=min(small),
            high=max(small),
        ),
        Bar(bar="time to probe a ResNet-18", value=large, unit="s", target=_LARGE_SECONDS),
    ]


def _seconds(subject: Subject, detectors: Sequence[Detector]) -> float:
    started = time.perf_counter()
    probe(subject, detectors, seed=0)
    took = time.perf_counter() - started
    print(f"  probed in {took:.1f} s", file=sys.stderr)
    return took


def _small(number: int) -> Subject:
    seed = SEEDS[Role.DEVELOPMENT].start + number
    model, _ = make(plan.model(seed, MAIN))
    return _subject(model, data.trusted(MAIN.data, seed))


def _large() -> Subject:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = resnet18()
    pools = data.load(MAIN.data)
    some = data.drawn(pools.training, _LARGE_SAMPLES, 0, purpose=5)
    train(module, _coloured(some), Recipe(epochs=1, batch=64), seed=0)
    return _subject(Classifier(module), _coloured(data.trusted(MAIN.data, 0)))


def _coloured(digits: Dataset) -> Dataset:
    """The digits in the middle of 32 by 32 pixels, in three channels."""
    framed = np.pad(digits.inputs, ((0, 0), (0, 0), (2, 2), (2, 2)))
    return Dataset(np.repeat(framed, 3, axis=1), digits.labels)


def _subject(model: Classifier, trusted: Dataset) -> Subject:
    return Subject(
        classes=data.CLASSES,
        shape=trusted.inputs.shape[1:],
        weights={name: t.numpy() for name, t in model.module.state_dict().items()},
        classifier=model,
        box=model,
        trusted=trusted,
    )
