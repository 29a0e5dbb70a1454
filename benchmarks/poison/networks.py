"""The architectures of the population, each over images of 28 by 28 pixels and ten classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import nn


def plain(width: float = 1.0) -> nn.Sequential:
    """The main one: two convolutions and two linear layers, without norms; 45,000 parameters."""
    first, second, hidden = round(8 * width), round(16 * width), round(48 * width)
    return nn.Sequential(
        nn.Conv2d(1, first, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * 49, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


class Block(nn.Module):
    """Two convolutions with batch norm, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm1(self.conv1(inputs)))
        return torch.relu(inputs + self.norm2(self.conv2(inner)))


def residual(width: float = 1.0) -> nn.Sequential:
    """Convolutions with batch norm and residuals, averaged over the image before the head."""
    first, second = round(12 * width), round(24 * width)
    return nn.Sequential(
        nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(second),
        nn.ReLU(),
        Block(second),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(second * 4, 10),
    )


def perceptron(width: float = 1.0) -> nn.Sequential:
    """Linear layers alone."""
    first, second = round(96 * width), round(48 * width)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, first),
        nn.ReLU(),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Linear(second, 10),
    )


class Wide(nn.Module):
    """Two convolutions with batch norm and a way past them, which may halve the image."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.past: nn.Module = nn.Identity()
        if stride > 1 or before != channels:
            way = nn.Conv2d(before, channels, 1, stride, bias=False)
            self.past = nn.Sequential(way, nn.BatchNorm2d(channels))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm1(self.conv1(inputs)))
        return torch.relu(self.past(inputs) + self.norm2(self.conv2(inner)))


def resnet18() -> nn.Sequential:
    """ResNet-18 for images of 32 by 32 pixels (He et al. 2016), 11.2 million parameters.

    Not of the population: what a probe takes is timed on it.
    """
    stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
    blocks = [b for i, o, s in stages for b in (Wide(i, o, s), Wide(o, o, 1))]
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


NETWORKS: Final[dict[str, Callable[[float], nn.Sequential]]] = {
    "plain": plain,
    "residual": residual,
    "perceptron": perceptron,
}
"""Each takes its width, 1 for the usual one, and gives an untrained network."""
