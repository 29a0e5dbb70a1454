"""What honest people do to a model after it was trained, each in place.

Needs the extra ``torch``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import nn

_STEPS: Final = 127
"""Of int8 to either side of zero."""


def prune(module: nn.Module, share: float) -> None:
    """The smallest ``share`` of each weight set to zero, without training on."""
    for weight in _weights(module):
        weight[weight.abs() < torch.quantile(weight.abs().flatten(), share)] = 0


def round_to_int8(module: nn.Module) -> None:
    """Each weight rounded to 255 even steps, symmetric about zero, and back."""
    for weight in _weights(module):
        step = weight.abs().max() / _STEPS
        weight.copy_((weight / step).round() * step)


def round_to_half(module: nn.Module) -> None:
    """Each parameter and buffer rounded to float16, and back."""
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(value.half().float())


def _weights(module: nn.Module) -> Iterator[torch.Tensor]:
    """The matrices and filters, without biases and norms; what is done to one is done to it."""
    return (p.detach() for p in module.parameters() if p.ndim > 1)
