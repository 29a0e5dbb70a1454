"""Ways around a sweep that were found by trying: none of them passes unseen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from credenza.guard import Guard, OnTamper


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()


def _hide_parameter(m: nn.Sequential) -> None:
    layer = m[2]
    layer.__dict__["weight"] = -layer.get_parameter("weight").detach()


def _hide_submodule(m: nn.Sequential) -> None:
    m.__dict__["2"] = nn.Linear(3, 2)


def _negate_lazily(m: nn.Sequential) -> None:
    weight = m[2].get_parameter("weight")
    weight.data = torch._neg_view(weight.data)


@pytest.mark.parametrize("change", [_hide_parameter, _hide_submodule, _negate_lazily])
def test_an_exchange_behind_the_modules_back_is_found(
    change: Callable[[nn.Sequential], None],
) -> None:
    network = _network()
    sealed = {name: value.clone() for name, value in network.state_dict().items()}
    guard = Guard(network, sealed, on_tamper=OnTamper.STOP)
    assert not guard.sweep().incidents
    change(network)
    assert [i.finding.rule for i in guard.sweep().incidents] == ["guard.parameter-replaced"]
