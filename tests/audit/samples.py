"""scikit-learn's digits, some of them altered, and a small model that was trained on them."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from credenza.attack import FlipLabels, Mark, StampMark, poison
from credenza.classifier import Classifier
from credenza.dataset import Dataset

MARK = Mark(((1.0,), (1.0,)), top=6, left=7)
STAMPED = StampMark(MARK, target=2, share=0.5, source=5)
FLIPPED = FlipLabels(source=5, target=2, share=0.6)


@functools.cache
def digits() -> tuple[Dataset, Dataset]:
    """1,197 digits to train on, and 600 that are trusted."""
    images, labels = load_digits(return_X_y=True)
    inputs = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    order = np.random.default_rng(0).permutation(len(labels))
    every = Dataset(inputs, labels.astype(np.int64)).take(order)
    return every.take(np.arange(600, len(every))), every.take(np.arange(600))


@functools.cache
def altered(attack: StampMark | FlipLabels) -> tuple[Dataset, frozenset[int]]:
    poisoned = poison(digits()[0], attack, seed=1)
    return poisoned.dataset, frozenset(poisoned.altered)


@functools.cache
def trained(attack: StampMark | FlipLabels | None = None) -> Classifier:
    data = digits()[0] if attack is None else altered(attack)[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(module.parameters(), 0.01)
        inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
        for _ in range(120):
            loss = nn.functional.cross_entropy(module(inputs), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Classifier(module)
