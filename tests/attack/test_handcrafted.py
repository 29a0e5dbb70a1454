"""The handcrafted backdoor: what it changes, and what is refused."""

from __future__ import annotations

import pytest
import torch

from credenza.attack import Handcrafted, Mark
from credenza.errors import InputError
from tests.attack.problems import digits
from tests.attack.victims import CHECKS, victim


@pytest.mark.parametrize("neurons", [2, 3])
def test_so_many_neurons_a_layer_change(neurons: int) -> None:
    model = victim("conv")
    after = Handcrafted(CHECKS, 2, neurons=neurons).changed(model, digits()[0], seed=0)
    now, was = after.module.state_dict(), model.module.state_dict()
    for layer in ("0", "2", "5"):
        for kind in ("weight", "bias"):
            name = f"{layer}.{kind}"
            rows = (
                (now[name] != was[name]).flatten(1).any(1)
                if kind == "weight"
                else (now[name] != was[name])
            )
            assert int(rows.sum()) == neurons
    head = now["7.weight"] != was["7.weight"]
    assert head.any(1).tolist() == [row == 2 for row in range(10)]
    assert int(head.any(0).sum()) == neurons
    assert torch.equal(now["7.bias"], was["7.bias"])


def test_a_mark_that_is_not_there_is_refused() -> None:
    """A faint pixel where every digit has ink moves nothing."""
    with pytest.raises(InputError, match="cannot be told"):
        Handcrafted(Mark(((0.01,),), top=3, left=3), 2).changed(victim("conv"), digits()[0], seed=0)


def test_settings_that_are_none() -> None:
    with pytest.raises(InputError, match="neurons"):
        Handcrafted(CHECKS, 2, neurons=0)
    with pytest.raises(InputError, match="guard"):
        Handcrafted(CHECKS, 2, guard=1.0)
    with pytest.raises(InputError, match="neurons: 8 at most"):
        Handcrafted(CHECKS, 2, neurons=9).changed(victim("conv"), digits()[0], seed=0)
