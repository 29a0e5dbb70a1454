"""Small problems that every attack is run on: digits of 8×8 pixels and networks of seconds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from credenza.classifier import Classifier
from credenza.dataset import Dataset

torch.set_num_threads(1)  # networks this small only lose time to a second thread


def softmax() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


NETWORKS: dict[str, Callable[[], nn.Module]] = {"softmax": softmax, "mlp": mlp}


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A trained classifier, what it was trained on, and samples that it never saw."""

    name: str
    training: Dataset
    test: Dataset
    classifier: Classifier


@functools.cache
def digits() -> tuple[Dataset, Dataset]:
    """1,000 training and 797 test images, (n, 1, 8, 8), in a shuffled order that is fixed."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    inputs = (pixels[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    every = Dataset(inputs, labels[order].astype(np.int64))
    return every.take(np.arange(1000)), every.take(np.arange(1000, len(every)))


def trained(name: str, data: Dataset, steps: int = 300) -> Classifier:
    """That network after ``steps`` of Adam from a fixed seed. It takes a quarter of a second."""
    torch.manual_seed(0)
    module = NETWORKS[name]()
    fit(module, data, steps)
    return Classifier(module)


def fit(module: nn.Module, data: Dataset, steps: int, rate: float = 5e-3) -> None:
    """Train further, in place."""
    optimiser = torch.optim.Adam(module.parameters(), rate)
    rng = np.random.default_rng(0)
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    for _ in range(steps):
        batch = torch.from_numpy(rng.choice(len(data), 128))
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(module(inputs[batch]), labels[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


@functools.cache
def problem(name: str) -> Problem:
    training, test = digits()
    return Problem(name, training, test, trained(name, training))


def weights(classifier: Classifier) -> dict[str, NDArray[Any]]:
    """Its state as arrays of their own."""
    return {n: t.detach().numpy().copy() for n, t in classifier.module.state_dict().items()}


def with_weights(name: str, state: dict[str, NDArray[Any]]) -> Classifier:
    """That network with that state."""
    module = NETWORKS[name]()
    module.load_state_dict({n: torch.from_numpy(a) for n, a in state.items()})
    return Classifier(module)


def features(p: Problem, count: int = 500) -> Dataset:
    """What goes into the head for the first training samples."""
    data = p.training.take(np.arange(count))
    return Dataset(p.classifier.features(data.inputs), data.labels)
