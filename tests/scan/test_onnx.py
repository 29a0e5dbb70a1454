"""ONNX: what its writers write is passed, what is not in the model or leads out of it is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from credenza.findings import Severity
from tests.scan.graphs import accused, of, scanned, worst

BACKEND = Path(onnx.__file__).parent / "backend" / "test" / "data"
OPERATOR = "scan.onnx-operator"


def model(*nodes: Any, functions: Any = (), tensors: Any = (), **metadata: str) -> Any:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "y")]
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:], list(tensors))
    domains = {n.domain for n in nodes} | {f.domain for f in functions} | {""}
    opsets = [helper.make_opsetid(d, 17 if not d else 1) for d in sorted(domains)]
    made = helper.make_model(graph, opset_imports=opsets, functions=list(functions))
    helper.set_model_props(made, metadata)
    return made


def add(domain: str = "", op: str = "Relu", **attributes: Any) -> Any:
    return helper.make_node(op, ["x"], ["y"], domain=domain, **attributes)


def outside(location: str, **entries: str) -> Any:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def scan_of(made: Any, name: str = "a.onnx") -> Any:
    return of(name, made.SerializeToString())


def test_what_onnx_and_its_exporters_write_is_passed() -> None:
    """The models of the test suite of ONNX itself, which comes with the package."""
    models = sorted(BACKEND.rglob("*.onnx"))
    assert len(models) > 100
    for path in models:
        report = scanned(path)
        assert (accused(report), report.unread) == ([], ()), path


@pytest.mark.parametrize("name", ["a.onnx", "a.pb", "a.bin"])
def test_a_model_is_found_by_its_content(name: str) -> None:
    report = scan_of(model(add("custom", "Op")), name)
    assert accused(report) == [f"{OPERATOR}: custom::Op"]
    assert report.unread == ()


@pytest.mark.parametrize(
    ("domain", "op", "severity"),
    [
        ("", "Relu", None),
        ("ai.onnx.ml", "TreeEnsembleClassifier", None),
        ("com.microsoft", "FusedMatMul", None),
        ("com.microsoft", "NewerThanThis", Severity.LOW),
        ("ai.onnx.contrib", "BertTokenizer", Severity.LOW),
        ("com.microsoft", "EPContext", Severity.HIGH),
        ("vendor.example", "Op", Severity.HIGH),
        ("ai.onnx.contrib", "PyCustomOpDef", Severity.CRITICAL),
        ("pyop", "PyOp", Severity.CRITICAL),
        ("com.microsoft", "PythonOp", Severity.CRITICAL),
        ("", "PyOp", Severity.CRITICAL),
    ],
)
def test_an_operator_is_judged_by_its_domain(
    domain: str, op: str, severity: Severity | None
) -> None:
    assert scan_of(model(add(domain, op))).worst is severity


def test_an_operator_in_a_branch_and_in_a_function_is_found() -> None:
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])
    inner = helper.make_node("Deep", ["x"], ["z"], domain="hidden")
    branch = helper.make_graph([inner], "b", [], [value])
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [helper.make_node("Op", ["a"], ["b"], domain="hidden")],
        [helper.make_opsetid("hidden", 1)],
    )  # fmt: skip
    made = model(add("", "If", then_branch=branch, else_branch=branch), functions=[function])
    made.graph.node.append(helper.make_node("F", ["x"], ["q"], domain="own"))
    found = sorted(accused(scan_of(made)))
    assert found == [f"{OPERATOR}: hidden::Deep", f"{OPERATOR}: hidden::Op"]


def test_a_function_in_the_place_of_an_operator_is_found() -> None:
    body = [helper.make_node("Identity", ["a"], ["b"])]
    function = helper.make_function("", "Relu", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    assert accused(scan_of(model(add(), functions=[function]))) == [f"{OPERATOR}: ai.onnx::Relu"]


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../../etc/passwd", "a/../../b", "https://example.com/w", "C:\\w", "..\\w",
     "*/_ORT_MEM_ADDR_/*", ""],
)  # fmt: skip
def test_data_outside_of_the_model_are_found(location: str) -> None:
    """CVE-2022-25882, CVE-2024-27318, CVE-2025-51480."""
    report = scan_of(model(add(), tensors=[outside(location)]))
    assert worst(report)[:2] == ("high", "artifact.external-path")


def test_data_beside_the_model_are_passed() -> None:
    made = outside("a.onnx.data", offset="0", length="8")
    report = scan_of(model(add(), tensors=[made]))
    assert (report.findings, report.unread) == ((), ())


@pytest.mark.parametrize("key", ["__class__", "data_location"])
def test_a_key_that_no_one_writes_is_found(key: str) -> None:
    """CVE-2026-34445: any attribute of an object was set."""
    report = scan_of(model(add(), tensors=[outside("w", **{key: "x"})]))
    assert worst(report)[:2] == ("high", "artifact.external-entry")


def test_what_leads_out_hides_nothing_behind_it() -> None:
    tensors = [outside("/a"), outside("/b")]
    tensors[1].name = "v"
    made = model(add(), add("hidden", "Op"), tensors=tensors, code="eval(1)")
    rules = [f.rule for f in scan_of(made).findings]
    assert sorted(rules) == [
        "artifact.external-path", "artifact.external-path", "scan.onnx-metadata", OPERATOR,
    ]  # fmt: skip


def test_two_tensors_that_share_some_bytes_are_found() -> None:
    tensors = [outside("w", offset="0", length="8"), outside("w", offset="4", length="8")]
    tensors[1].name = "v"
    assert worst(scan_of(model(add(), tensors=tensors)))[1] == "artifact.external-overlap"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("__import__('os').system('touch credenza-was-here')", True),
        ("<script>alert(1)</script>", True),
        ("{0: 'person', 1: 'os'}", False),
        ("a model that evaluates cheques (export of 2026)", False),
    ],
)
def test_code_in_the_metadata(text: str, code: bool) -> None:
    """YOLOv5 evaluated the names of its classes."""
    assert bool(accused(scan_of(model(add(), names=text)))) is code


def test_a_shape_of_any_size_is_found() -> None:
    tensor = outside("w")
    tensor.dims[:] = [1 << 40, 1 << 40]
    assert worst(scan_of(model(add(), tensors=[tensor])))[1] == "artifact.onnx-shape"


def test_a_newer_type_is_unread_and_not_accused() -> None:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    tensor.data_type = 99
    report = scan_of(model(add(), tensors=[tensor]))
    assert (report.findings, len(report.unread)) == ((), 1)


def test_a_cut_file_is_unread_and_not_accused() -> None:
    data = model(add(), tensors=[numpy_helper.from_array(np.ones(64, np.float32), "w")])
    report = of("a.onnx", data.SerializeToString()[:-20])
    assert report.findings == ()
    assert report.unread
