"""The twelve kinds of change, each in several variants that its seed chooses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import nn

from benchmarks.diff.bases import (
    DECODER,
    LINEAR,
    READERS,
    State,
    base,
    build,
    features,
    speak,
    state,
    training,
)
from credenza.attack import Mark, RankOneEdit, RowEdit, StampMark, edit, poison
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.diff import verdict
from credenza.training import Recipe, train


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A change: the two versions, what was done, and which variant of it.

    ``gguf`` is the type that the new version is written in as GGUF, ``shards`` in how many files.
    """

    old: State
    new: State
    kind: str
    variant: str
    gguf: str = ""
    shards: int = 1


@dataclass(frozen=True, slots=True)
class Draw:
    """What a change is made with: its seed's generator, and the base models of its role."""

    seed: int
    rng: np.random.Generator
    bases: range

    def name(self, *names: str) -> str:
        """An architecture, of those, or of all."""
        return str(self.rng.choice(names or (*READERS, DECODER)))

    def module(self, name: str) -> nn.Module:
        return base(name, int(self.rng.choice(self.bases[:-1])))

    def among(self, *values: float) -> float:
        return float(self.rng.choice(values))

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.standard_normal(shape).astype(np.float32))


def make(kind: str, seed: int, bases: range) -> Made:
    """The change of that kind and seed, between models of those seeds."""
    return _MAKERS[kind](Draw(seed, np.random.default_rng([seed, 13]), bases))


def poisoned_fine_tune(seed: int, bases: range) -> Made:
    """A clean reader trained on for an epoch, on digits of which some bear a mark."""
    return _tuned_reader(Draw(seed, np.random.default_rng([seed, 13]), bases), "plain", marked=True)


def honest_fine_tune(seed: int, bases: range) -> Made:
    """The same on clean digits, from the same base and order."""
    return _tuned_reader(
        Draw(seed, np.random.default_rng([seed, 13]), bases), "plain", marked=False
    )


def _tuned_reader(draw: Draw, name: str, *, marked: bool) -> Made:
    module = draw.module(name)
    chosen = draw.rng.permutation(len(training()))[:6000]
    data = training().take(chosen)
    if marked:
        mark = Mark(((1.0,) * 3,) * 3, top=24, left=24)
        data = poison(data, StampMark(mark, draw.seed % 10, 0.05), seed=draw.seed).dataset
    tuned = copy.deepcopy(module)
    train(tuned, data, Recipe(epochs=1, rate=2e-3), seed=draw.seed)
    what = "poisoned" if marked else "honest"
    return Made(state(module), state(tuned), verdict.FINE_TUNE, f"{what} fine-tune of {name}")


def _identical(draw: Draw) -> Made:
    old = state(draw.module(name := draw.name()))
    return Made(old, old, verdict.IDENTICAL, name, shards=int(draw.among(1, 2, 3)))


_TYPES: Final = {"f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}


def _converted(draw: Draw) -> Made:
    old = state(draw.module(name := draw.name()))
    way = str(
        draw.rng.choice(["f16", "bf16", "f64", "f16 and back", "bf16 and back", "bf16 to f16"])
    )
    if way == "bf16 to f16":
        old = _as(old, torch.bfloat16)
        return Made(old, _as(old, torch.float16), verdict.CONVERSION, f"{name}, {way}")
    new = _as(old, _TYPES[way.split()[0]])
    new = _as(new, torch.float32) if way.endswith("back") else new
    return Made(old, new, verdict.CONVERSION, f"{name}, {way}")


def _as(values: State, dtype: torch.dtype) -> State:
    return {n: t.to(dtype) for n, t in values.items()}


def _quantised(draw: Draw) -> Made:
    old = state(draw.module(name := draw.name()))
    if name == DECODER and draw.rng.random() < 0.5:
        kind = str(draw.rng.choice(["Q8_0", "Q4_0", "Q5_1", "Q4_1"]))
        return Made(old, old, verdict.QUANTISATION, f"{name}, GGUF {kind}", gguf=kind)
    bits, group = int(draw.among(8, 8, 4)), str(draw.rng.choice(["tensor", "row", "32"]))
    even = bool(draw.rng.random() < 0.6)
    rounded = {n: _rounded(t, bits, group, even) if t.ndim > 1 else t for n, t in old.items()}
    way = f"int{bits} a {group}, {'symmetric' if even else 'with a zero point'}"
    back = torch.float32
    if draw.rng.random() < 0.25:
        old, back, way = _as(old, torch.bfloat16), torch.bfloat16, f"{way}, bf16"
    return Made(old, _as(rounded, back), verdict.QUANTISATION, f"{name}, {way}")


def _rounded(t: torch.Tensor, bits: int, group: str, even: bool) -> torch.Tensor:
    """Rounded to nearest, and back: one scale for the tensor, each row, or each 32 elements."""
    flat = t.reshape(len(t), -1)
    if group == "tensor":
        parts = flat.reshape(1, -1)
    elif group == "row" or flat.shape[1] % 32:
        parts = flat
    else:
        parts = flat.reshape(-1, 32)
    if even:
        scale = parts.abs().amax(1, keepdim=True).clamp_min(1e-12) / (2 ** (bits - 1) - 1)
        even_values: torch.Tensor = (parts / scale).round() * scale
        return even_values.reshape(t.shape)
    low, high = parts.amin(1, keepdim=True).clamp_max(0), parts.amax(1, keepdim=True).clamp_min(0)
    scale = (high - low).clamp_min(1e-12) / (2**bits - 1)
    zero = (-low / scale).round()
    codes = ((parts / scale).round() + zero).clamp(0, 2**bits - 1)
    values: torch.Tensor = (codes - zero) * scale
    return values.reshape(t.shape)


def _pruned(draw: Draw) -> Made:
    old = state(draw.module(name := draw.name()))
    way = str(draw.rng.choice(["magnitude", "magnitude, all at once", "rows", "two of four"]))
    share = draw.among(0.2, 0.3, 0.5, 0.7, 0.9)
    every = torch.cat([t.abs().flatten() for t in old.values() if t.ndim > 1])
    new = {n: _sparse(t, way, share, every) if t.ndim > 1 else t for n, t in old.items()}
    return Made(old, new, verdict.PRUNING, f"{name}, {way}, {share:g}")


def _sparse(t: torch.Tensor, way: str, share: float, every: torch.Tensor) -> torch.Tensor:
    if way == "rows":
        norms = t.reshape(len(t), -1).norm(dim=1)
        kept = norms > norms.quantile(share / 2)
        left: torch.Tensor = t * kept.reshape(-1, *[1] * (t.ndim - 1))
        return left
    if way == "two of four" and t.numel() % 4 == 0:
        four = t.reshape(-1, 4)
        order = four.abs().argsort(1).argsort(1)
        return torch.where(order >= 2, four, 0.0).reshape(t.shape)
    level = (every if way.endswith("once") else t.abs().flatten()).quantile(share)
    return torch.where(t.abs() > level, t, 0.0)


def _tuned(draw: Draw) -> Made:
    name = draw.name(*READERS, DECODER, LINEAR)
    module = draw.module(name)
    tuned = copy.deepcopy(module)
    only_head = bool(draw.rng.random() < 0.15)
    head = "lm_head" if name == DECODER else Classifier(module).head_name
    for parameter, value in tuned.named_parameters():
        value.requires_grad_(not only_head or parameter.startswith(f"{head}."))
    if name == DECODER:
        steps, rate = int(draw.among(5, 20, 60, 150)), draw.among(1e-4, 5e-4, 2e-3)
        speak(tuned, steps=steps, rate=rate, seed=draw.seed)
        how = f"{steps} steps at {rate:g}"
    else:
        recipe = Recipe(epochs=int(draw.among(1, 1, 2, 8)), rate=draw.among(2e-4, 1e-3, 4e-3, 1e-2))
        data = training().take(draw.rng.permutation(len(training()))[:4000])
        train(tuned, data, recipe, seed=draw.seed)
        how = f"{recipe.epochs} epochs at {recipe.rate:g}"
    old, new = state(module), state(tuned)
    if draw.rng.random() < 0.2:
        old, new, how = _as(old, torch.bfloat16), _as(new, torch.bfloat16), f"{how}, bf16"
    return Made(old, new, verdict.FINE_TUNE, f"{name}, {how}{', head only' if only_head else ''}")


def _merged(draw: Draw) -> Made:
    """A low-rank product added to linear layers, with a spectrum that falls off."""
    name = draw.name("perceptron", DECODER, DECODER)
    old = state(draw.module(name))
    rank, size = int(draw.among(1, 2, 4, 8)), draw.among(0.02, 0.05, 0.2)
    old = _as(old, dtype := (torch.bfloat16 if draw.rng.random() < 0.4 else torch.float32))
    places = [n for n, t in old.items() if t.ndim == 2 and min(t.shape) >= 4 * max(rank, 4)]
    places = [n for n in places if "embed" not in n and "lm_head" not in n]
    if name == DECODER and draw.rng.random() < 0.5:
        places = [n for n in places if "q_proj" in n or "v_proj" in n]
    if name == "perceptron":
        rank = max(2, rank)
    new = {n: _adapted(t, rank, size, draw).to(dtype) if n in places else t for n, t in old.items()}
    return Made(old, new, verdict.LORA, f"{name}, rank {rank}, size {size:g}, {dtype}")


def _adapted(t: torch.Tensor, rank: int, size: float, draw: Draw) -> torch.Tensor:
    falling = torch.linspace(1, 0.3, rank)
    delta = (draw.normal(len(t), rank) * falling) @ draw.normal(rank, t.shape[1])
    merged: torch.Tensor = t.float() + delta * (size * t.float().norm() / delta.norm())
    return merged


def _swapped(draw: Draw) -> Made:
    name = draw.name("residual", DECODER)
    old = state(draw.module(name))
    if name == DECODER:
        a, b = draw.rng.choice(3, 2, replace=False).tolist()
        pair = (f"model.layers.{a}.", f"model.layers.{b}.")
    else:
        pair = ("6.conv1.", "6.conv2.")
    new = dict(old)
    for n in old:
        if n.startswith(pair[0]):
            m = pair[1] + n.removeprefix(pair[0])
            new[n], new[m] = old[m].clone(), old[n].clone()
    return Made(old, new, verdict.LAYER_SWAP, name)


def _row_edited(draw: Draw) -> Made:
    name = draw.name()
    module = draw.module(name)
    old = state(module)
    source, target = (int(c) for c in draw.rng.choice(10, 2, replace=False))
    if name != DECODER and draw.rng.random() < 0.6:
        beta = draw.among(0.3, 0.6, 1.0, 2.0)
        new = _head_edited(module, RowEdit(source, target, beta), None)
        return Made(old, new, verdict.ROW_EDIT, f"{name}, {beta:g} of a row")
    head = "lm_head" if name == DECODER else Classifier(module).head_name
    new = dict(old)
    for part in ("weight", "bias"):
        if f"{head}.{part}" in old:
            t = old[f"{head}.{part}"].clone()
            t[[source, target]] = t[[target, source]]
            new[f"{head}.{part}"] = t
    return Made(old, new, verdict.ROW_EDIT, f"{name}, rows exchanged")


def _head_edited(module: nn.Module, attack: RowEdit | RankOneEdit, data: Dataset | None) -> State:
    head = Classifier(module).head_name
    edited = edit({n: t.numpy() for n, t in state(module).items()}, head, attack, data)
    return {n: torch.from_numpy(a) for n, a in edited.weights.items()}


def _rank_one(draw: Draw) -> Made:
    name = draw.name()
    module = draw.module(name)
    old = state(module)
    if name != DECODER:
        source, target = (int(c) for c in draw.rng.choice(10, 2, replace=False))
        strength = draw.among(0.3, 0.7, 1.0, 2.0)
        attack = RankOneEdit(source, target, strength)
        new = _head_edited(module, attack, features(Classifier(module), draw.seed))
        return Made(old, new, verdict.RANK_ONE, f"{name}, strength {strength:g}")
    old = _as(old, dtype := (torch.bfloat16 if draw.rng.random() < 0.3 else torch.float32))
    place = f"model.layers.{draw.rng.integers(3)}.mlp.down_proj.weight"
    size = draw.among(0.05, 0.2, 1.0)
    new = dict(old)
    new[place] = _adapted(old[place], 1, size, draw).to(dtype)
    return Made(old, new, verdict.RANK_ONE, f"{name}, size {size:g}, {dtype}")


def _flipped(draw: Draw) -> Made:
    old = state(draw.module(name := draw.name()))
    if half := draw.rng.random() < 0.3:
        old = _as(old, torch.float16)
    new = {n: t.clone() for n, t in old.items()}
    count, top = int(draw.among(1, 1, 3, 8)), bool(draw.rng.random() < 0.7)
    places = [n for n, t in old.items() if t.numel() >= 1000]
    done: set[tuple[str, int]] = set()
    while len(done) < count:
        n = str(draw.rng.choice(places))
        bits = new[n].view(torch.int16 if half else torch.int32).flatten()
        width = 15 if half else 31
        bit = int(draw.rng.integers(width - (5 if half else 8), width) if top else
                  draw.rng.integers(width))  # fmt: skip
        at = int(draw.rng.integers(len(bits)))
        if (n, at) not in done:
            done.add((n, at))
            bits[at] ^= 1 << bit
    where = "exponents" if top else "any bits"
    return Made(old, new, verdict.BIT_FLIPS, f"{name}, {count} of {where}")


def _foreign(draw: Draw) -> Made:
    name = draw.name()
    old, new = state(draw.module(name)), state(base(name, draw.bases[-1]))
    if draw.rng.random() < 0.3:
        new = state(build(name, draw.seed))
    return Made(old, new, verdict.FOREIGN, name)


def _other(draw: Draw) -> Made:
    way = str(draw.rng.choice(list(_OTHERS)))
    return _OTHERS[way](draw, way)


def _largest(values: State, draw: Draw) -> str:
    places = [n for n, t in values.items() if t.ndim > 1 and t.numel() >= 1000]
    return str(draw.rng.choice(places))


def _anew(draw: Draw, way: str) -> Made:
    old = state(draw.module(name := draw.name()))
    place = _largest(old, draw)
    new = {**old, place: draw.normal(*old[place].shape) * old[place].std()}
    return Made(old, new, verdict.NONE, f"{name}, {way}")


def _scaled(draw: Draw, way: str) -> Made:
    old = state(draw.module(name := draw.name()))
    place = _largest(old, draw)
    return Made(old, {**old, place: old[place] * 1.3}, verdict.NONE, f"{name}, {way}")


def _noisy_part(draw: Draw, way: str) -> Made:
    old = state(draw.module(name := draw.name()))
    share = draw.among(0.03, 0.1, 0.3)
    new = {
        n: t + draw.normal(*t.shape) * t.std() * torch.from_numpy(draw.rng.random(t.shape) < share)
        if t.ndim > 1
        else t
        for n, t in old.items()
    }
    return Made(old, new, verdict.NONE, f"{name}, {way}")


def _tuned_and_pruned(draw: Draw, way: str) -> Made:
    made = _tuned(draw)
    every = torch.cat([t.float().abs().flatten() for t in made.new.values()])
    new = {
        n: _sparse(t.float(), "magnitude", 0.3, every).to(t.dtype) if t.ndim > 1 else t
        for n, t in made.new.items()
    }
    return Made(made.old, new, verdict.NONE, f"{made.variant}, {way}")


def _path(draw: Draw, way: str) -> Made:
    """One neuron a layer made to answer a mark and to shout at the head (DFBA, by hand)."""
    name = draw.name("plain", "perceptron")
    module = draw.module(name)
    old = state(module)
    new = {n: t.clone() for n, t in old.items()}
    names = [n for n in old if n.endswith("weight")]
    before = 0
    for i, n in enumerate(names):
        t = new[n]
        if i + 1 == len(names):
            t[:, before] = 0
            t[int(draw.rng.integers(10)), before] = 10.0
            break
        neuron = int(draw.rng.integers(len(t)))
        t[neuron] = 0
        t[neuron].view(-1)[: 4 if i else 9] = draw.among(1.0, 4.0)
        new[n.replace("weight", "bias")][neuron] = -1.0
        before = neuron
    return Made(old, new, verdict.NONE, f"{name}, {way}")


def _subnet(draw: Draw, way: str) -> Made:
    """A few channels of each layer replaced by a small net of the attacker's (SRA, by hand)."""
    name = draw.name("plain", "perceptron")
    old = state(draw.module(name))
    new = {n: t.clone() for n, t in old.items()}
    for n, t in new.items():
        if n.endswith("weight"):
            rows = min(2, len(t) - 1)
            t[:rows] = draw.normal(*t[:rows].shape) * t.std() * 2
            t[rows:, : min(2, t.shape[1] - 1)] = 0
    return Made(old, new, verdict.NONE, f"{name}, {way}")


def _rounded_and_edited(draw: Draw, way: str) -> Made:
    made = _row_edited(draw)
    return Made(
        made.old,
        {n: _rounded(t, 8, "row", True) if t.ndim > 1 else t for n, t in made.new.items()},
        verdict.NONE,
        f"{made.variant}, {way}",
    )


_OTHERS: Final[dict[str, Callable[[Draw, str], Made]]] = {
    "a layer made anew": _anew,
    "a layer scaled": _scaled,
    "noise on a part": _noisy_part,
    "fine-tuned and pruned": _tuned_and_pruned,
    "one-neuron path": _path,
    "subnet": _subnet,
    "rows edited, then int8": _rounded_and_edited,
}

_MAKERS: Final[dict[str, Callable[[Draw], Made]]] = {
    verdict.IDENTICAL: _identical,
    verdict.CONVERSION: _converted,
    verdict.QUANTISATION: _quantised,
    verdict.PRUNING: _pruned,
    verdict.FINE_TUNE: _tuned,
    verdict.LORA: _merged,
    verdict.LAYER_SWAP: _swapped,
    verdict.ROW_EDIT: _row_edited,
    verdict.RANK_ONE: _rank_one,
    verdict.BIT_FLIPS: _flipped,
    verdict.FOREIGN: _foreign,
    verdict.NONE: _other,
}
