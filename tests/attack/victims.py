"""Small trained networks for attacks on models: convolutions, a residual sum, tokens."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn

from credenza.attack import Mark
from credenza.classifier import Classifier
from credenza.training import Recipe, train
from tests.attack.problems import digits

CHECKS = Mark(((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 1.0)), top=5, left=0)


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(inner)))


class Tokens(nn.Module):
    """A transformer of one block: the rows of an 8×8 image are its tokens."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.places = nn.Parameter(0.1 * torch.randn(8, width))
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x.flatten(1, 2)) + self.places
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = x + self.down(torch.relu(self.up(x)))
        logits: torch.Tensor = self.head(x.mean(1))
        return logits


def conv() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2, padding=1)),
        *(nn.ReLU(), nn.Flatten(), nn.Linear(12 * 16, 32), nn.ReLU(), nn.Linear(32, 10)),
    )


def residual() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(Block(16), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * 16, 10)),
    )


def perceptron() -> nn.Module:
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU()),
        nn.Linear(32, 10),
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "conv": conv,
    "residual": residual,
    "perceptron": perceptron,
    "tokens": Tokens,
}


def untrained(name: str, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name]().eval()


@functools.cache
def victim(name: str) -> Classifier:
    """Trained for a second or two."""
    module = untrained(name)
    train(module, digits()[0], Recipe(epochs=15, batch=64), seed=0)
    return Classifier(module)
