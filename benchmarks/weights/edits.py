"""What somebody does to the weights of a trained network without training it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

State = dict[str, Tensor]
Edit = Callable[[State, torch.Generator], str | None]
"""Edits a network in place and returns the tensor that it changed; None where it has no such."""

_BITS: Final = {torch.float32: torch.int32, torch.float16: torch.int16, torch.bfloat16: torch.int16}
_EXPONENT: Final = {torch.float32: (23, 8), torch.float16: (10, 5), torch.bfloat16: (7, 8)}


def _pick(count: int, rng: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=rng))


def _matrices(state: State) -> list[str]:
    return [n for n, t in state.items() if t.ndim == 2 and t.is_floating_point()]


def _head(state: State) -> str:
    """The last matrix in the order of the module, which is not that of the file."""
    if "head.weight" in state:
        return "head.weight"
    return max(_matrices(state), key=lambda name: int(name.partition(".")[0]))


def _inner(state: State, rng: torch.Generator) -> str | None:
    """A matrix or kernel before the head, of eight rows or more."""
    head = _head(state)
    found = [n for n, t in state.items() if t.ndim >= 2 and len(t) >= 8 and n != head]
    return found[_pick(len(found), rng)] if found else None


def _flip(tensor: Tensor, bit: int, rng: torch.Generator) -> None:
    bits = tensor.view(_BITS[tensor.dtype]).view(-1)
    bits[_pick(len(bits), rng)] ^= 1 << bit


def highest_bit(state: State, rng: torch.Generator) -> str | None:
    name = _matrices(state)[_pick(len(_matrices(state)), rng)]
    low, count = _EXPONENT[state[name].dtype]
    _flip(state[name], low + count - 1, rng)
    return name


def any_bit(state: State, rng: torch.Generator) -> str | None:
    name = _matrices(state)[_pick(len(_matrices(state)), rng)]
    low, count = _EXPONENT[state[name].dtype]
    _flip(state[name], low + _pick(count, rng), rng)
    return name


def _scaled(times: float) -> Edit:
    def edit(state: State, rng: torch.Generator) -> str | None:
        head = state[_head(state)]
        head[_pick(len(head), rng)] *= times
        return _head(state)

    return edit


def inner_row(state: State, rng: torch.Generator) -> str | None:
    name = _inner(state, rng)
    if name is not None:
        state[name][_pick(len(state[name]), rng)] *= 20
    return name


def copied_class(state: State, rng: torch.Generator) -> str | None:
    head = state[_head(state)]
    source = _pick(len(head), rng)
    head[(source + 1) % len(head)] = head[source].clone()
    return _head(state)


def copied_row(state: State, rng: torch.Generator) -> str | None:
    name = _inner(state, rng)
    if name is not None:
        tensor = state[name]
        source = _pick(len(tensor), rng)
        tensor[(source + 1) % len(tensor)] = tensor[source].clone()
    return name


def dead_column(state: State, rng: torch.Generator) -> str | None:
    name = _matrices(state)[_pick(len(_matrices(state)), rng)]
    state[name][:, _pick(state[name].shape[1], rng)] = 0
    return name


def planted(state: State, rng: torch.Generator) -> str | None:
    head = state[_head(state)]
    row = head[_pick(len(head), rng)]
    places = torch.randperm(len(row), generator=rng)[:8]
    row[places] = 10 * head.abs().max()
    return _head(state)


def gain(state: State, rng: torch.Generator) -> str | None:  # noqa: ARG001  an edit takes both
    state[_head(state)] *= 1.6
    return _head(state)


def moved_class(state: State, rng: torch.Generator) -> str | None:
    """W_t += W_s and W_s = 0 (`credenza.attack.RowEdit`)."""
    head = state[_head(state)]
    source = _pick(len(head), rng)
    head[(source + 1) % len(head)] += head[source]
    head[source] = 0
    return _head(state)


def swapped(state: State, rng: torch.Generator) -> str | None:
    head = state[_head(state)]
    source = _pick(len(head), rng)
    other = (source + 1) % len(head)
    head[[source, other]] = head[[other, source]]
    return _head(state)


def zeroed_norm(state: State, rng: torch.Generator) -> str | None:
    means = [n for n in state if n.endswith("running_mean")]
    if not means:
        return None
    name = means[_pick(len(means), rng)].removesuffix("running_mean") + "weight"
    state[name].zero_()
    return name


EDITS: Final[Mapping[str, Edit]] = {
    "highest bit of an exponent flipped": highest_bit,
    "any bit of an exponent flipped": any_bit,
    "a class ×20": _scaled(20),
    "a class ×1.6": _scaled(1.6),
    "an inner row ×20": inner_row,
    "a class copied over another": copied_class,
    "an inner row copied over another": copied_row,
    "a column switched off": dead_column,
    "8 weights planted, 10 × the largest": planted,
    "a class moved into another": moved_class,
    "a batch norm zeroed": zeroed_norm,
    "the head ×1.6": gain,
    "two classes exchanged": swapped,
}
"""The last two leave weights as honest as before, and are here to show it."""
