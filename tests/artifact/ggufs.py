"""GGUF files for tests, written by the gguf package."""

from __future__ import annotations

import struct
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


def sample() -> bytes:
    """A small file with everything in it."""
    text = struct.pack("<Q", 1) + b"a"
    pairs = [
        struct.pack("<Q", 1) + key + struct.pack("<I", kind) + value
        for key, kind, value in (
            (b"s", 8, text),
            (b"n", 4, bytes(4)),
            (b"l", 9, struct.pack("<IQ", 8, 2) + text * 2),
            (b"b", 9, struct.pack("<IQ", 7, 2) + b"\0\1"),
            (b"d", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 2) + b"ab"),
        )
    ]
    entries = [
        text + struct.pack("<IQIQ", 1, 4, 0, 0),
        struct.pack("<Q", 1) + b"b" + struct.pack("<IQQIQ", 2, 32, 1, 8, 32),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, len(pairs)) + b"".join(pairs + entries)
    return head + bytes(-len(head) % 32) + bytes(32 + 34)
