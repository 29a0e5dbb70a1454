"""TensorFlow: operations that read, write or run, in saved models and frozen graphs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from credenza.findings import Severity
from tests.scan.population.interface import COMMAND, Form, Malicious
from tests.scan.population.kerases import LAMBDA, layer, model
from tests.scan.population.protobuf import message


def node(op: str, name: str = "n", **attributes: str) -> bytes:
    """NodeDef with attributes of strings."""
    held = [(5, message((1, key), (2, message((2, v))))) for key, v in attributes.items()]
    return message((1, name), (2, op), *held)


def graph(*nodes: bytes, library: bytes = b"") -> bytes:
    functions = [(2, library)] if library else []
    return message(*((1, n) for n in nodes), *functions, (4, message((1, 1882))))


def saved(graph_: bytes, *more: tuple[int, bytes]) -> bytes:
    """SavedModel of one meta graph."""
    info = message((4, "serve"), (5, "2.16.1"))
    return message((1, 1), (2, message((1, info), (2, graph_), *more)))


def vectors() -> Iterator[Malicious]:
    plain = "scan.md 1, TF SavedModel operations"
    for op in ("ReadFile", "WriteFile", "PyFunc", "EagerPyFunc", "PyFuncStateless",
               "MatchingFiles", "WholeFileReaderV2", "TFRecordReaderV2", "TextLineDataset",
               "RegisterDataset", "Rpc"):  # fmt: skip
        least = Severity.HIGH if "Py" in op or op in ("ReadFile", "WriteFile") else Severity.MEDIUM
        data = saved(graph(node("Const", "c"), node(op)))
        yield _tf(op, plain, "saved_model.pb", data, least)
    body = message((1, message((1, "f"))), (3, node("WriteFile")))
    call = saved(graph(node("f"), library=message((1, body))))
    yield _tf("WriteFile in a function", plain, "saved_model.pb", call)
    frozen = graph(node("Const", "c"), node("PyFunc", "p", token="pyfunc_0"))  # noqa: S106
    yield _tf("PyFunc in a frozen graph", plain, "frozen.pb", frozen)
    yield _tf("WriteFile in a frozen graph", plain, "graph.pb", graph(node("WriteFile")))
    printed = saved(graph(node("PrintV2", "p", output_stream="file:///etc/cron.d/evil")))
    yield _tf("PrintV2 to a file", plain, "saved_model.pb", printed)
    asset = (6, message((2, "../../../etc/passwd")))
    yield _tf("asset outside", "scan.md 2.1, traversal and links", "saved_model.pb",
              saved(graph(node("Const")), asset))  # fmt: skip
    metadata = json.dumps(model(layer("Lambda", {"function": LAMBDA})))
    keras = message((1, message((2, 1), (3, "root"), (4, "_tf_keras_layer"), (5, metadata))))
    yield _tf("Lambda in keras_metadata", "CVE-2024-3660", "keras_metadata.pb", keras)
    text = f'node {{ name: "n" op: "PyFunc" attr {{ key: "x" value {{ s: "{COMMAND}" }} }} }}\n'
    yield _tf("PyFunc in text", plain, "graph.pbtxt", text.encode(), Severity.MEDIUM,
              form=Form.OPAQUE)  # fmt: skip


def _tf(
    name: str, reference: str, path: str, data: bytes, least: Severity = Severity.HIGH,
    form: str = Form.PROTOBUF,
) -> Malicious:  # fmt: skip
    return Malicious(
        name=f"tf {name}", category="tf", reference=reference, least=least,
        files=((path, data),), form=form,
    )  # fmt: skip
