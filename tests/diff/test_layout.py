"""GGUF beside safetensors of the same weights, and of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize
from numpy.typing import NDArray
from safetensors.numpy import save_file

import credenza
from credenza.diff import Verdict, compare
from tests.artifact import ggufs

HEADS = 2
NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.layers.0.input_layernorm.weight": "blk.0.attn_norm.weight",
    "model.layers.0.self_attn.q_proj.weight": "blk.0.attn_q.weight",
    "model.layers.0.self_attn.k_proj.weight": "blk.0.attn_k.weight",
    "model.layers.0.mlp.down_proj.weight": "blk.0.ffn_down.weight",
    "lm_head.weight": "output.weight",
}


def _weights() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    shapes = {n: (64,) if "norm" in n else (64, 32) for n in NAMES}
    return {n: rng.normal(size=shape).astype(np.float32) for n, shape in shapes.items()}


def _judged(folder: Path, weights: dict[str, NDArray[np.float32]], kind: str) -> Verdict:
    save_file(_weights(), folder / "model.safetensors")
    tensors = {}
    for name, a in weights.items():
        if "q_proj" in name or "k_proj" in name:  # as LlamaModel.permute of llama.cpp does
            a = a.reshape(HEADS, 2, 16, 32).swapaxes(1, 2).reshape(64, 32)
        wanted = GGMLQuantizationType.F32 if a.ndim == 1 else GGMLQuantizationType[kind]
        tensors[NAMES[name]] = (quantize(np.ascontiguousarray(a), wanted), wanted)
    pairs = {"llama.attention.head_count": HEADS}
    ggufs.write(folder / "model.gguf", tensors, pairs)
    both = (credenza.open(folder / f"model.{end}") for end in ("safetensors", "gguf"))
    return compare(*both).verdict


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("F32", "identical"),
        ("F16", "dtype conversion"),
        ("BF16", "dtype conversion"),
        ("Q8_0", "quantisation"),
        ("Q5_1", "quantisation"),
        ("Q4_0", "quantisation"),
    ],
)
def test_the_same_weights(tmp_path: Path, kind: str, named: str) -> None:
    assert _judged(tmp_path, _weights(), kind).kind == named


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_other_weights_in_one_layer(tmp_path: Path, kind: str) -> None:
    weights = _weights()
    weights["model.layers.0.self_attn.q_proj.weight"] = -weights[
        "model.layers.0.self_attn.k_proj.weight"
    ]
    assert _judged(tmp_path, weights, kind).kind == "none of these"
