"""One model in two layouts: tensors of llama.cpp (GGUF) beside those of Hugging Face.

llama.cpp's `convert_hf_to_gguf.py` renames the tensors, and for the architecture ``llama`` turns
the rows of each attention head of the query and key projections from halves into pairs, for its
rotary embedding (`LlamaModel.permute`). Values stay; GGML counts axes from the other end, which
`credenza.artifact` has turned round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import Artifact, Dtype, Tensor
from credenza.diff.matrix import Matrix, Stored

_WHOLE: Final = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_BLOCK: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names of decoders that are built as Llama is: Mistral, Qwen and many others."""

_NAME: Final = re.compile(r"(?:blk\.(\d+)\.)?([a-z_]+)\.(weight|bias)")
_HEADS: Final = {"attn_q": "head_count", "attn_k": "head_count_kv"}


@dataclass(frozen=True, slots=True)
class Placed:
    """A tensor, the name that both layouts know it by, and ``heads``, whose rows come in pairs.

    ``heads`` is 0 where the rows are in the usual order.
    """

    tensor: Tensor
    name: str
    heads: int = 0


def placed(artifact: Artifact) -> Iterator[Placed]:
    """The tensors of an artefact under the names of Hugging Face, those of llama.cpp translated.

    Names that no table knows stay as they are.
    """
    for file in artifact.files:
        about = dict(file.metadata) if file.format == "gguf" else {}
        for tensor in file.tensors:
            yield _translated(tensor, about) if about else Placed(tensor, tensor.name)


def has_gguf(artifact: Artifact) -> bool:
    """Whether a file of it is GGUF."""
    return any(file.format == "gguf" for file in artifact.files)


def _translated(tensor: Tensor, about: dict[str, str]) -> Placed:
    match = _NAME.fullmatch(tensor.name)
    if not match:
        return Placed(tensor, tensor.name)
    block, part, kind = match.groups()
    known = _WHOLE.get(part) if block is None else _BLOCK.get(part)
    if known is None:
        return Placed(tensor, tensor.name)
    name = f"{known}.{kind}" if block is None else f"model.layers.{block}.{known}.{kind}"
    return Placed(tensor, name, _heads(part, tensor, about))


def _heads(part: str, tensor: Tensor, about: dict[str, str]) -> int:
    """How many heads' rows were turned; 0 where none were, or the file does not say how many."""
    if about.get("general.architecture") != "llama" or part not in _HEADS:
        return 0
    count = about.get(f"llama.attention.{_HEADS[part]}", about.get("llama.attention.head_count"))
    number = (count or "").rpartition(" ")[2]  # "uint32 32": see `credenza.artifact.gguf_values`
    heads = int(number) if number.isdecimal() else 0
    return heads if heads and tensor.shape and tensor.shape[0] % (2 * heads) == 0 else 0


@final
@dataclass(frozen=True, slots=True)
class Turned:
    """A matrix whose rows come in the order that llama.cpp gives them: for each head the first of
    one half, the first of the other, the second of the one, and so on.
    """

    inner: Matrix
    heads: int

    @property
    def rows(self) -> int:
        return self.inner.rows

    @property
    def columns(self) -> int:
        return self.inner.columns

    @property
    def dtype(self) -> Dtype:
        return self.inner.dtype

    @property
    def sliceable(self) -> bool:
        return self.inner.sliceable

    def block(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        height = self.rows // self.heads
        first, last = start // height * height, -(-stop // height) * height
        bits, values = self.inner.block(first, last)
        within = np.arange(start, stop)
        head, at = within // height, within % height
        order = head * height + at % 2 * (height // 2) + at // 2 - first
        return bits[order], values[order]


def matrices(old: Artifact, a: Placed, new: Artifact, b: Placed) -> tuple[Matrix, Matrix]:
    """Both as matrices whose rows stand for the same, in the order of ``new``'s layout or, where
    only ``old`` is llama.cpp's, in that of ``old``.
    """
    was: Matrix = Stored(old, a.tensor)
    now: Matrix = Stored(new, b.tensor)
    if a.heads == b.heads:
        return was, now
    return (Turned(was, b.heads), now) if b.heads else (was, Turned(now, a.heads))
