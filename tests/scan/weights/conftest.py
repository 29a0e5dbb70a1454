"""A network that the tests of weights edit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

State = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def trained() -> State:
    """A digit reader that no calibration has seen."""
    from sklearn.datasets import load_digits

    torch.manual_seed(77)
    digits = load_digits()
    inputs = torch.tensor(digits.data, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    labels = torch.tensor(digits.target)
    module = nn.Sequential(
        *(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(576, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 10)),
    )
    optimizer = torch.optim.Adam(module.parameters(), 0.002)
    for _ in range(100):
        batch = torch.randint(len(inputs), (64,))
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(inputs[batch]), labels[batch]))
        optimizer.step()
    return {name: value.clone() for name, value in module.state_dict().items()}
