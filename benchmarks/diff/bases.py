"""The models that are changed: digit readers, and small decoders with the names of a large one."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.environments import cache
from benchmarks.poison.networks import NETWORKS
from benchmarks.results import ROOT
from credenza.cheques import digits
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.training import Recipe, train

State = dict[str, torch.Tensor]

HEADS: Final = 4
SIZE: Final = 128
INNER: Final = 352
BLOCKS: Final = 3
SYMBOLS: Final = 256
READERS: Final = tuple(NETWORKS)
DECODER: Final = "decoder"
LINEAR: Final = "linear"
"""A reader of one layer: what it is trained on with mostly makes its weights larger."""

_TRAINED_ON: Final = 8000
_CONTEXT: Final = 48


class Norm(nn.Module):
    """Divided by the root mean square, times a weight."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)
        return scaled * self.weight


class Layer(nn.Module):
    """A block of a decoder, with the names that Hugging Face gives those of Llama."""

    def __init__(self) -> None:
        super().__init__()
        linear = functools.partial(nn.Linear, bias=False)
        self.input_layernorm, self.post_attention_layernorm = Norm(SIZE), Norm(SIZE)
        self.self_attn = nn.ModuleDict(
            {f"{part}_proj": linear(SIZE, SIZE) for part in ("q", "k", "v", "o")}
        )
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": linear(SIZE, INNER),
                "up_proj": linear(SIZE, INNER),
                "down_proj": linear(INNER, SIZE),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, _ = x.shape
        h = self.input_layernorm(x)
        q, k, v = (
            self.self_attn[f"{part}_proj"](h).view(n, length, HEADS, -1).transpose(1, 2)
            for part in ("q", "k", "v")
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.self_attn["o_proj"](mixed.transpose(1, 2).reshape(n, length, SIZE))
        h = self.post_attention_layernorm(x)
        gate = nn.functional.silu(self.mlp["gate_proj"](h))
        inner = gate * self.mlp["up_proj"](h)
        out: torch.Tensor = self.mlp["down_proj"](inner)
        return x + out


class Decoder(nn.Module):
    """A language model over bytes, 0.7 million parameters, without positions."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleDict(
            {
                "embed_tokens": nn.Embedding(SYMBOLS, SIZE),
                "layers": nn.ModuleList([Layer() for _ in range(BLOCKS)]),
                "norm": Norm(SIZE),
            }
        )
        self.lm_head = nn.Linear(SIZE, SYMBOLS, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.model["embed_tokens"](tokens)
        layers = self.model["layers"]
        assert isinstance(layers, nn.ModuleList)
        for layer in layers:
            x = layer(x)
        logits: torch.Tensor = self.lm_head(self.model["norm"](x))
        return logits


def build(name: str, seed: int) -> nn.Module:
    """An untrained network of that architecture."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == LINEAR:
            return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        return Decoder() if name == DECODER else NETWORKS[name](1.0)


@functools.cache
def base(name: str, seed: int) -> nn.Module:
    """The trained model of that seed, made once and kept in the cache folder. Not to be changed."""
    module = build(name, seed)
    path = _folder() / f"{name}-{seed}.safetensors"
    if path.exists():
        module.load_state_dict(load_file(path), strict=False)  # counts of batches are left
        return module.eval()
    if name == DECODER:
        speak(module, steps=250, rate=3e-3, seed=seed)
    else:
        data = training()
        chosen = np.random.default_rng(seed).permutation(len(data))[:_TRAINED_ON]
        train(module, data.take(chosen), Recipe(epochs=2), seed=seed)
    save_file(state(module), path)
    return module.eval()


def speak(module: nn.Module, *, steps: int, rate: float, seed: int) -> None:
    """Train a decoder in place to predict the next byte of this repository's licence."""
    rng = np.random.default_rng([seed, 12])
    text = _text()
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=0.01)
    for _ in range(steps):
        starts = rng.integers(0, len(text) - _CONTEXT - 1, 16)
        batch = torch.from_numpy(np.stack([text[s : s + _CONTEXT + 1] for s in starts]))
        logits = module(batch[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def state(module: nn.Module) -> State:
    """A copy of its parameters and buffers that are numbers."""
    return {n: t.detach().clone() for n, t in module.state_dict().items() if t.is_floating_point()}


@functools.cache
def training() -> Dataset:
    """MNIST's training digits but the first 1000 of the shuffle, which are a probe's."""
    data = digits.load().train
    return data.take(np.random.default_rng(0).permutation(len(data))[1000:])


def features(classifier: Classifier, seed: int) -> Dataset:
    """What goes into the head for 400 digits."""
    chosen = training().take(np.random.default_rng(seed).permutation(len(training()))[:400])
    return Dataset(classifier.features(chosen.inputs), chosen.labels)


@functools.cache
def _text() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The licence: a text that stays the same from one commit to the next."""
    return np.frombuffer((ROOT / "LICENSE").read_bytes(), np.uint8).astype(np.int64)


def _folder() -> Path:
    folder = cache() / "diff-1" / "bases"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
