"""TFLite models for tests, written by the flatbuffers package through the tflite package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import tflite


@dataclass(frozen=True)
class Made:
    """A tensor: its name, shape, number of its type, and bytes; without bytes it is computed."""

    name: str
    shape: tuple[int, ...]
    kind: int
    data: bytes | None


def model(
    *graphs: list[Made],
    custom: tuple[str, ...] = (),
    description: str = "",
    notes: dict[str, bytes] | None = None,
) -> bytes:
    """A model of those graphs."""
    b = flatbuffers.Builder(0)
    held = [b"", *(t.data for g in graphs for t in g if t.data is not None)]
    held += (notes or {}).values()
    buffers = _vector(b, tflite.ModelStartBuffersVector, [_buffer(b, data) for data in held])
    number = 0
    made = []
    for graph in graphs:
        tensors = []
        for tensor in graph:
            number += tensor.data is not None
            tensors.append(_tensor(b, tensor, 0 if tensor.data is None else number))
        vector = _vector(b, tflite.SubGraphStartTensorsVector, tensors)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, vector)
        made.append(tflite.SubGraphEnd(b))
    subgraphs = _vector(b, tflite.ModelStartSubgraphsVector, made)
    codes = _vector(b, tflite.ModelStartOperatorCodesVector, [_code(b, c) for c in ("", *custom)])
    first = len(held) - len(notes or {})
    said = [_note(b, name, first + i) for i, name in enumerate(notes or {})]
    metadata = _vector(b, tflite.ModelStartMetadataVector, said)
    words = b.CreateString(description)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddDescription(b, words)
    tflite.ModelAddBuffers(b, buffers)
    tflite.ModelAddMetadata(b, metadata)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


def _vector(b: Any, start: Any, offsets: list[int]) -> int:
    start(b, len(offsets))
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _buffer(b: Any, data: bytes) -> int:
    held = b.CreateByteVector(data) if data else None
    tflite.BufferStart(b)
    if held is not None:
        tflite.BufferAddData(b, held)
    return int(tflite.BufferEnd(b))


def _tensor(b: Any, tensor: Made, number: int) -> int:
    name = b.CreateString(tensor.name)
    tflite.TensorStartShapeVector(b, len(tensor.shape))
    for n in reversed(tensor.shape):
        b.PrependInt32(n)
    shape = b.EndVector()
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, tensor.kind)
    tflite.TensorAddBuffer(b, number)
    tflite.TensorAddName(b, name)
    return int(tflite.TensorEnd(b))


def _code(b: Any, custom: str) -> int:
    name = b.CreateString(custom) if custom else None
    tflite.OperatorCodeStart(b)
    if name is not None:
        tflite.OperatorCodeAddCustomCode(b, name)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, tflite.BuiltinOperator.CUSTOM)
        tflite.OperatorCodeAddBuiltinCode(b, tflite.BuiltinOperator.CUSTOM)
    return int(tflite.OperatorCodeEnd(b))


def _note(b: Any, name: str, number: int) -> int:
    words = b.CreateString(name)
    tflite.MetadataStart(b)
    tflite.MetadataAddName(b, words)
    tflite.MetadataAddBuffer(b, number)
    return int(tflite.MetadataEnd(b))
