"""Modules that the tests of this room guard."""

from __future__ import annotations

import torch
from torch import nn


class Reader(nn.Module):
    """Tensors of many kinds: shared, turned, bf16, integers, bool, complex, a scalar, empty."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(5)
        self.body = nn.Linear(6, 8)
        self.head = nn.Linear(8, 4)
        self.tied = nn.Linear(8, 4, bias=False)
        self.tied.weight = self.head.weight
        self.turned = nn.Parameter(torch.randn(5, 7, generator=random).t())
        self.short = nn.Parameter(torch.randn(4, 3, generator=random).to(torch.bfloat16))
        self.register_buffer("count", torch.tensor(7))
        self.register_buffer("table", torch.arange(12, dtype=torch.uint8).reshape(3, 4))
        self.register_buffer("mask", torch.tensor([True, False, True]))
        self.register_buffer("phase", torch.randn(3, dtype=torch.complex64, generator=random))
        self.register_buffer("nothing", torch.zeros(0, 3))
        self.register_buffer("cache", torch.zeros(2), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.body(x))
        out: torch.Tensor = self.head(hidden) + self.tied(hidden)
        return out


def reader() -> Reader:
    torch.manual_seed(3)
    return Reader().eval()


def sealed_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the module's state, as a verified load would give it."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def flip(tensor: torch.Tensor, element: int, bit: int) -> None:
    """Flip one bit of one element (in row-major order), past autograd, as a fault would."""
    plain = tensor.detach()
    if plain.is_complex():
        plain = torch.view_as_real(plain)
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    bits = plain.view(integers[plain.itemsize]).numpy()
    width = 8 * bits.itemsize
    unsigned = bits.view(f"u{bits.itemsize}")
    unsigned[tuple(int(i) for i in _place(element, unsigned.shape))] ^= 1 << (bit % width)


def _place(element: int, shape: tuple[int, ...]) -> list[int]:
    place = []
    for n in reversed(shape):
        element, i = divmod(element, n)
        place.append(i)
    return place[::-1]
