"""ONNX models for tests, written by the onnx package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model(initializers: list[Any], nodes: list[Any] | None = None, **more: Any) -> onnx.ModelProto:
    """A model with those tensors, and nodes, or one that passes its input on."""
    x = helper.make_tensor_value_info("x", FLOAT, [1])
    y = helper.make_tensor_value_info("y", FLOAT, [1])
    found = nodes or [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(found, "g", [x], [y], initializers)
    domains = {n.domain for n in found} - {""}
    opsets = [helper.make_opsetid("", 21), *(helper.make_opsetid(d, 1) for d in sorted(domains))]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10, **more)
    copied: onnx.ModelProto = onnx.ModelProto.FromString(made.SerializeToString())
    return copied


def tensor(name: str, *shape: int, seed: int = 0, dtype: Any = np.float32) -> Any:
    """A tensor of random numbers."""
    values = np.random.default_rng(seed).normal(size=shape or None)
    return numpy_helper.from_array(np.asarray(values).astype(dtype), name)


def scattered(folder: Path, count: int = 3) -> onnx.ModelProto:
    """A model whose tensors lie in a file beside it, saved in that folder."""
    made = model([tensor(f"w{i}", 4, 8, seed=i) for i in range(count)])
    kept: onnx.ModelProto = onnx.ModelProto.FromString(made.SerializeToString())
    onnx.save(
        made,
        folder / "model.onnx",
        save_as_external_data=True,
        location="model.data",
        size_threshold=0,
    )
    return kept
