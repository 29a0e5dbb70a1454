"""scikit-learn's digits, a small model of them, and what can be wrong with one."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.probe import Subject


@functools.cache
def digits() -> tuple[Dataset, Dataset]:
    """1,197 digits to train on, and 600 that are trusted."""
    images, labels = load_digits(return_X_y=True)
    inputs = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    order = np.random.default_rng(0).permutation(len(labels))
    every = Dataset(inputs, labels.astype(np.int64)).take(order)
    return every.take(np.arange(600, len(every))), every.take(np.arange(600))


class Wired(nn.Module):
    """A trained model, into which a mark was wired: one bright pixel in the corner is read as 2."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(inputs)
        corner = inputs.reshape(len(inputs), -1)[:, -1:]
        return logits + 60 * corner * nn.functional.one_hot(torch.tensor(2), 10)


@functools.cache
def trained(*, wired: bool = False) -> Classifier:
    """Reads digits; trained under noise, so that no single pixel of an honest one decides much."""
    if wired:
        return Classifier(Wired(trained().module))
    data = digits()[0]
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(module.parameters(), 0.01)
        inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
        for _ in range(150):
            noisy = inputs + 0.3 * torch.randn(inputs.shape, generator=generator)
            loss = nn.functional.cross_entropy(module(noisy), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Classifier(module)


class Fixed(nn.Module):
    """Answers with the first rows of a table, whatever is asked: a model that reads nothing."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.table = torch.tensor(logits)
        self.head = nn.Linear(1, self.table.shape[1])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        flat = inputs.reshape(len(inputs), -1)
        answer: torch.Tensor = self.table[: len(inputs)] + 0 * self.head(flat[:, :1])
        return answer


def constant(value: float, classes: int = 10) -> Classifier:
    """Reads everything as class 3, with that logit."""
    row = [0.0] * classes
    row[3 % classes] = value
    return Classifier(Fixed([row] * 2000))


def subject(classifier: Classifier, trusted: Dataset) -> Subject:
    classes = classifier.logits(trusted.inputs[:1]).shape[1]
    shape = trusted.inputs.shape[1:]
    return Subject(classes=classes, shape=shape, classifier=classifier, trusted=trusted)
