"""The two versions of a change as files."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize
from numpy.typing import NDArray
from safetensors.torch import save_file

from benchmarks.diff.bases import HEADS, State
from benchmarks.diff.changes import Made

_PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write(made: Made, folder: Path) -> tuple[Path, Path]:
    """The folders of the old and the new version."""
    old, new = folder / "old", folder / "new"
    shards(old, made.old, 1)
    if made.gguf:
        llama(new, made.new, made.gguf)
    else:
        shards(new, made.new, made.shards)
    return old, new


def shards(folder: Path, values: State, count: int) -> None:
    """Safetensors files, each with every ``count``-th tensor."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(values)
    for i in range(count):
        part = {n: values[n].contiguous() for n in names[i::count]}
        save_file(part, folder / f"model-{i + 1:05}-of-{count:05}.safetensors")


def llama(folder: Path, values: State, kind: str) -> None:
    """One GGUF file as llama.cpp's converter writes it: its names, rows of q and k in pairs.

    Matrices are of the type ``kind``, everything else float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    wanted = GGMLQuantizationType[kind]
    for name, tensor in values.items():
        array: NDArray[np.float32] = tensor.float().numpy()
        if "q_proj" in name or "k_proj" in name:
            height = len(array) // HEADS
            array = array.reshape(HEADS, 2, height // 2, -1).swapaxes(1, 2).reshape(array.shape)
        named = f"{_translated(name)}.weight"
        if array.ndim > 1:
            packed = array if kind == "F32" else quantize(np.ascontiguousarray(array), wanted)
            writer.add_tensor(named, packed, raw_dtype=wanted)
        else:
            writer.add_tensor(named, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _translated(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem in _WHOLE:
        return _WHOLE[stem]
    _, _, number, part = stem.split(".", 3)
    return f"blk.{number}.{_PARTS[part]}"
