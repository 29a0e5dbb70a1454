"""ONNX: by hand, with external data, and from scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "onnx"


def files() -> Files:
    import onnx

    found: Files = {
        "dense.onnx": lambda path: onnx.save(_dense(), str(path)),
        "functions.onnx": lambda path: onnx.save(_function(), str(path)),
        "branch.onnx": lambda path: onnx.save(_branch(), str(path)),
        "external": _external,
    }
    try:
        import skl2onnx
    except ImportError:
        return found
    return found | {f"{name}.onnx": _converted(skl2onnx, name) for name in ("logistic", "network")}


def _dense() -> Any:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((4, 2), np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [weight],
    )
    return helper.make_model(graph)


def _function() -> Any:
    from onnx import TensorProto, helper

    opset = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    body = [helper.make_node("Mul", ["a", "a"], ["b"])]
    square = helper.make_function("local", "Square", ["a"], ["b"], body, opset[:1])
    graph = helper.make_graph(
        [helper.make_node("Square", ["x"], ["y"], domain="local")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    return helper.make_model(graph, functions=[square], opset_imports=opset)


def _branch() -> Any:
    from onnx import TensorProto, helper

    def inner(name: str, op: str) -> Any:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
        return helper.make_graph([helper.make_node(op, ["x"], [name])], name, [], [out])

    choice = helper.make_node(
        "If", ["c"], ["y"], then_branch=inner("t", "Neg"), else_branch=inner("e", "Abs")
    )
    graph = helper.make_graph(
        [choice],
        "g",
        [
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    return helper.make_model(graph)


def _external(folder: Path) -> None:
    import onnx

    folder.mkdir()
    onnx.save(
        _dense(),
        str(folder / "model.onnx"),  # older versions take no Path
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )


def _converted(skl2onnx: Any, name: str) -> Write:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    kinds = {"logistic": LogisticRegression(), "network": MLPClassifier((3,), max_iter=9, tol=1)}
    fitted = kinds[name].fit(x, (x[:, 0] > 0).astype(int))

    def write(path: Path) -> None:
        path.write_bytes(skl2onnx.to_onnx(fitted, x[:1]).SerializeToString())

    return write
