"""GGUF files for tests, written by the gguf package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFEndian


def blocks(kind: GGMLQuantizationType, rows: int, seed: int = 0) -> Any:
    """Random blocks of a type, two a row: any bytes are some, but for floats."""
    size = GGML_QUANT_SIZES[kind][1] * 2
    return np.random.default_rng(seed).integers(0, 256, (rows, size), np.uint8)


def write(
    path: Path,
    tensors: Mapping[str, tuple[Any, GGMLQuantizationType | None]],
    pairs: Mapping[str, Any] | None = None,
    *,
    big: bool = False,
    alignment: int | None = None,
) -> Path:
    """A GGUF file of those tensors: arrays, or the bytes of blocks of a type."""
    order = GGUFEndian.BIG if big else GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    for key, value in (pairs or {}).items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
    for name, (array, kind) in tensors.items():
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
