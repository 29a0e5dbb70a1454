"""Routes through networks: what is on them, what a lane cut off means, and what has none."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from credenza.attack.route import (
    cut_off,
    lane_shapes,
    quiet_lanes,
    route,
    run_lane,
    write,
    write_bias,
)
from credenza.classifier import Classifier
from credenza.errors import InputError
from tests.attack.victims import untrained, victim


def test_the_route_passes_a_sum_on_its_shorter_side() -> None:
    way = route(untrained("residual"), "6")
    stem, head = way.stages
    assert (stem.layer, head.layer) == ("0", "6")
    assert (stem.norms, stem.beside, stem.hidden, stem.readers) == (
        ["1"],
        ["3.conv2"],
        ["3.norm2"],
        ["3.conv1"],
    )


@pytest.mark.parametrize("name", ["conv", "residual", "perceptron"])
def test_a_lane_that_is_cut_off_carries_what_it_is_given_and_nothing_else(name: str) -> None:
    """Its kernels do not touch a logit until the head reads it, and then as `run_lane` says."""
    model = victim(name)
    module = copy.deepcopy(model.module).requires_grad_(False)
    way = route(module, model.head_name)
    lanes = quiet_lanes(way)
    cut_off(way, lanes)
    inputs = torch.rand(5, 1, 8, 8)
    empty = module(inputs)
    kernels = [torch.rand(shape) for shape in lane_shapes(way)]
    biases = [torch.rand(1) for _ in kernels]
    write(way, lanes, kernels)
    for index, (lane, bias) in enumerate(zip(lanes, biases, strict=True)):
        write_bias(way, index, lane, float(bias))
    torch.testing.assert_close(module(inputs), empty)
    way.head.weight[7, way.read(len(lanes), lanes[-1])] = 1.0
    added = module(inputs) - empty
    expected = run_lane(way, kernels, biases, inputs).sum(1)
    torch.testing.assert_close(added[:, 7], expected, rtol=1e-3, atol=1e-3)
    added[:, 7] = 0
    assert float(added.abs().max()) < 1e-5


def test_the_quietest_channel_is_taken() -> None:
    module = untrained("perceptron").requires_grad_(False)
    module.get_parameter("1.weight")[17] *= 1e-3
    module.get_parameter("5.weight")[:, 4] *= 1e-3
    assert quiet_lanes(route(module, "5")) == [17, 4]


class _Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(torch.relu(self.inner(torch.relu(self.inner(x)))))
        return logits


class _Branching(_Twice):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if x.sum() > 0 else x


class _InputAdded(_Twice):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(torch.relu(x + self.inner(x)))
        return logits


LINEAR = nn.Linear(4, 4)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (_Twice(), "used once"),
        (_Branching(), "torch.fx traces"),
        (_InputAdded(), "route"),
        (nn.Sequential(nn.Flatten(), LINEAR), "before the head"),
        (nn.Sequential(LINEAR, nn.Linear(4, 4)), "ReLU before the head"),
        (nn.Sequential(LINEAR, nn.Tanh(), nn.Linear(4, 4)), "no lane runs through"),
        (nn.Sequential(LINEAR, nn.ReLU(), nn.Linear(4, 4), nn.ReLU()), "behind the head"),
    ],
    ids=["twice", "branching", "input-added", "alone", "linear", "tanh", "behind"],
)
def test_networks_without_a_route(module: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message):
        route(module, Classifier(module).head_name)
