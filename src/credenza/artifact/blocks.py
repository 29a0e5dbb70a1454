"""Values of the types that GGML quantises in blocks, by the ``gguf`` package (the extra `gguf`).

llama.cpp's `ggml-quants.c` is where the types come from; `gguf.quants` is the same in numpy.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact.model import Buffer, Dtype, Tensor
from credenza.errors import InputError, MissingExtraError

_HALVES: Final[dict[Dtype, tuple[int, ...]]] = {
    Dtype.Q4_0: (0,),
    Dtype.Q8_0: (0,),
    Dtype.Q4_K: (0, 2),
    Dtype.Q6_K: (208,),
    Dtype.MXFP4: (),
    Dtype.NVFP4: (),
}
"""Where in a block 16-bit numbers are, by type; the rest of it are bytes. The types that
``gguf_convert_endian.py`` of the gguf package knows how to turn round."""


def values(tensor: Tensor, packed: Buffer) -> NDArray[np.float32]:
    """The values of a tensor whose blocks are ``packed``, in its shape.

    Raises `InputError` for a type, or a type in big-endian order, whose values nobody computes,
    `MissingExtraError` without the gguf package.
    """
    if not tensor.size:
        return np.zeros(tensor.shape, np.float32)
    blocks = np.frombuffer(packed, np.uint8).reshape(-1, tensor.dtype.bits // 8)
    if tensor.byteorder == "big":
        blocks = _turned(tensor, blocks)
    return _dequantized(tensor, blocks.reshape(math.prod(tensor.shape[:-1]), -1))


def _dequantized(tensor: Tensor, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    try:
        from gguf.constants import GGMLQuantizationType
        from gguf.quants import dequantize
    except ImportError as e:
        raise MissingExtraError(f"reading values of type {tensor.dtype.label}", "gguf") from e
    try:
        with np.errstate(all="ignore"):  # a scale may be anything, NaN and infinity included
            found = dequantize(rows, GGMLQuantizationType[tensor.dtype.label])
    except (NotImplementedError, KeyError) as e:  # KeyError: a type newer than the package
        raise _valueless(
            tensor, f"the gguf package computes no values of {tensor.dtype.label}"
        ) from e
    return np.asarray(found, np.float32).reshape(tensor.shape)


def _turned(tensor: Tensor, blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Big-endian blocks in little-endian order."""
    if tensor.dtype not in _HALVES:
        raise _valueless(tensor, f"{tensor.dtype.label} in big-endian order is not read")
    turned = blocks.copy()
    for at in _HALVES[tensor.dtype]:
        turned[:, at : at + 2] = blocks[:, [at + 1, at]]
    return turned


def _valueless(tensor: Tensor, why: str) -> InputError:
    hint = "credenza.artifact.raw gives its bytes"
    return InputError(f"tensor {tensor.name!r}: {why}", hint=hint)
