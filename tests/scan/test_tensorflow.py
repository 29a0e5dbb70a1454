"""TensorFlow graphs: what it exports is passed, what runs, reads or writes beside is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from credenza.findings import Severity
from tests.scan.graphs import EVIL, HONEST, accused, of, scanned, worst

OPERATOR, PATH = "scan.tensorflow-operator", "scan.tensorflow-path"


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    length = len(content)
    size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([number << 3 | 2]) + size + content


def node(op: str, name: str = "n", *inputs: str, value: bytes = b"") -> bytes:
    body = field(1, name.encode()) + field(2, op.encode())
    body += b"".join(field(3, i.encode()) for i in inputs)
    return field(1, body + value)


def constant(name: str, text: str) -> bytes:
    tensor = b"\x08\x07" + field(8, text.encode())
    entry = field(1, b"value") + field(2, field(8, tensor))
    return node("Const", name, value=field(5, entry))


@pytest.mark.parametrize(
    "path",
    sorted(p for p in HONEST.rglob("*") if p.suffix in (".pb", ".pbtxt", ".meta")),
    ids=lambda p: f"{p.parent.name}/{p.name}",
)
def test_what_tensorflow_writes_is_passed(path: Path) -> None:
    report = scanned(path)
    assert (accused(report), report.unread) == ([], ())
    if path.name != "fingerprint.pb":
        assert "tensorflow graph" in report.files[0].checks


@pytest.mark.parametrize(
    ("name", "rule", "found"),
    [
        ("reads", OPERATOR, "ReadFile"),
        ("writes", OPERATOR, "WriteFile"),
        ("branches", OPERATOR, "WriteFile"),
        ("calls_python", OPERATOR, "EagerPyFunc"),
        ("prints", PATH, "file://credenza-was-here"),
        ("saves", PATH, "/tmp/credenza-was-here"),  # noqa: S108  what is found, not a file
        ("keras_metadata", "scan.keras-code", "Lambda"),
    ],
)
def test_what_does_more_than_compute_is_found(name: str, rule: str, found: str) -> None:
    """By graphs that TensorFlow wrote."""
    severity, *said = worst(scanned(EVIL / f"{name}.pb"))
    assert said == [rule, found]
    assert severity == ("high" if name == "saves" else "critical")


@pytest.mark.parametrize("name", ["graph.pb", "graph.bin", "graph"])
def test_a_frozen_graph_is_found_by_its_content(name: str) -> None:
    assert worst(of(name, node("Add") + node("PyFunc"))) == ("critical", OPERATOR, "PyFunc")


@pytest.mark.parametrize(
    ("op", "severity"),
    [("Vendor>Op", "high"), ("NoSuchOperation", "high"), ("TextLineDataset", "high"),
     ("ImmutableConst", "critical"), ("PyFuncStateless", "critical")],
)  # fmt: skip
def test_an_operation_is_judged_by_its_name(op: str, severity: str) -> None:
    assert worst(of("a.pb", node(op))) == (severity, OPERATOR, op)


def test_a_function_of_the_graph_is_no_custom_operation() -> None:
    function = field(2, field(1, field(1, field(1, b"mine")) + field(3, node("WriteFile")[2:])))
    report = of("a.pb", node("mine") + function)
    assert [f.found for f in report.findings] == ["WriteFile"]


def test_a_graph_that_is_given_twice_is_read_twice() -> None:
    """TensorFlow's parser merges the two."""
    graphs = field(2, node("Add")) + field(2, node("PyFunc"))
    assert worst(of("saved_model.pb", b"\x08\x01" + field(2, graphs)))[2] == "PyFunc"


@pytest.mark.parametrize(
    ("path", "out"),
    [("/etc/passwd", True), ("../x", True), ("a/../../x", True), ("gs://b/x", True),
     ("C:\\x", True), ("variables/variables", False), ("model", False)],
)  # fmt: skip
def test_a_fixed_path_of_a_checkpoint(path: str, out: bool) -> None:
    graph = constant("c", path) + node("RestoreV2", "r", "c", "names", "slices")
    assert accused(of("a.pb", graph)) == ([f"{PATH}: {path!a}".replace("'", "")] if out else [])


def test_an_asset_outside_of_the_model() -> None:
    asset = field(6, field(2, b"../../etc/passwd"))
    model = b"\x08\x01" + field(2, field(2, node("Add")) + asset)
    assert worst(of("saved_model.pb", model)) == ("high", PATH, "../../etc/passwd")


def test_a_vocabulary_outside_of_the_model() -> None:
    graph = constant("c", "/etc/passwd") + node("InitializeTableFromTextFileV2", "i", "table", "c")
    assert worst(of("a.pb", graph)) == ("high", PATH, "/etc/passwd")


@pytest.mark.parametrize(
    "text",
    [b'node { name: "a" op: "PyFunc" }', b"node{op:'PyFunc'}", b'node <\n op\n:\n"PyFunc" >'],
)
def test_a_graph_as_text(text: bytes) -> None:
    assert worst(of("graph.pbtxt", text)) == ("critical", OPERATOR, "PyFunc")


@pytest.mark.parametrize("text", [rb'node { op: "Py\106unc" }', b'node { op: # a\n "PyFunc" }'])
def test_a_graph_as_text_that_hides_its_operations_is_unread(text: bytes) -> None:
    assert of("graph.pbtxt", text).unread


def test_what_stands_before_a_break_is_kept() -> None:
    report = of("a.pb", node("PyFunc") + b"\x0a\x7f")
    assert report.unread
    whole = of("a.pb", node("PyFunc") + field(1, field(1, b"n") + field(2, b"Add") + b"\x2a\x7f"))
    assert (whole.worst, len(whole.unread)) == (Severity.CRITICAL, 1)


def test_what_is_no_graph_is_unread() -> None:
    report = of("a.pb", b"nothing of TensorFlow")
    assert (report.findings, len(report.unread)) == ((), 1)
