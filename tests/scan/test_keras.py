"""Keras configurations: what the library writes is passed, what others have written is found."""

from __future__ import annotations

import base64
import io
import json
import marshal
import zipfile
from typing import Any

import pytest

from credenza.findings import Severity
from tests.scan.graphs import EVIL, HONEST, accused, of, scanned, worst

CODE = base64.b64encode(marshal.dumps(compile("open('credenza-was-here', 'w')", "x", "exec")))


def configured(config: Any, name: str = "config.json") -> Any:
    return of(name, json.dumps(config).encode())


def layer(class_: str, module: str | None = "keras.layers", /, **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": class_, "config": config, "registered_name": None}


@pytest.mark.parametrize("name", ["configs.json", "configs-keras2.json"])
def test_every_class_of_keras_at_its_defaults_is_passed(name: str) -> None:
    report = scanned(HONEST / name)
    assert len(json.loads((HONEST / name).read_text())) > 250
    assert (report.findings, report.unread) == ((), ())
    assert "keras configuration" in report.files[0].checks


@pytest.mark.parametrize("name", ["dense", "nested", "words"])
def test_what_keras_saves_is_passed(name: str) -> None:
    report = scanned(HONEST / f"{name}.keras")
    assert accused(report) == []
    assert "keras configuration" in report.files[0].checks
    assert "hdf5" in report.files[0].checks


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5", "keras2-lambda.h5"])
def test_a_lambda_is_found(name: str) -> None:
    """CVE-2024-3660, and CVE-2025-9905 for .h5."""
    report = scanned(EVIL / name)
    assert report.worst is Severity.CRITICAL
    assert {f.rule for f in report.findings} == {"scan.keras-code"}


def test_a_lambda_is_said_where_it_stands_and_not_of_its_layer_too() -> None:
    report = scanned(EVIL / "lambda.keras")
    assert [f.what for f in report.findings] == [
        "a lambda, which is Python bytecode",
        "Python bytecode, which runs when the model is loaded or called",
    ]


def test_what_a_lambda_calls_is_said() -> None:
    said = [f.found for f in scanned(EVIL / "lambda.h5").findings]
    assert "bytecode that names os, __import__, system" in said


@pytest.mark.parametrize(
    ("config", "severity", "rule", "found"),
    [
        pytest.param(
            {"class_name": "function", "module": "os", "config": "system"},
            "critical", "scan.keras-call", "os.system", id="CVE-2025-1550",
        ),
        pytest.param(
            {"class_name": "Popen", "module": "subprocess", "config": {}, "registered_name": "x"},
            "critical", "scan.keras-call", "subprocess.Popen", id="CVE-2025-1550-class",
        ),
        pytest.param(
            {"class_name": "function", "module": "builtins", "config": "eval"},
            "critical", "scan.keras-call", "builtins.eval", id="builtins",
        ),
        pytest.param(
            {"class_name": "function", "module": "keras.utils", "config": "get_file"},
            "critical", "scan.keras-call", "keras.utils.get_file", id="CVE-2025-8747",
        ),
        pytest.param(
            {"class_name": "function", "module": "keras.config",
             "config": "enable_unsafe_deserialization"},
            "critical", "scan.keras-call", "keras.config.enable_unsafe_deserialization",
            id="CVE-2025-9906",
        ),
        pytest.param(
            layer("TorchModuleWrapper", module="x"),
            "high", "scan.keras-call", "keras.layers.TorchModuleWrapper", id="CVE-2025-49655",
        ),
        pytest.param(
            layer("StringLookup", vocabulary="/etc/passwd"),
            "high", "scan.keras-file", "StringLookup: /etc/passwd", id="CVE-2025-12058",
        ),
        pytest.param(
            layer("TFSMLayer", filepath="x"),
            "high", "scan.keras-call", "keras.layers.TFSMLayer", id="CVE-2026-1462",
        ),
        pytest.param(
            layer("Lambda", function=[CODE.decode(), None, None], function_type="lambda"),
            "critical", "scan.keras-code", "Lambda", id="lambda-of-keras-2",
        ),
        pytest.param(
            layer("Lambda", None, function="system", function_type="function", module="os"),
            "critical", "scan.keras-call", "os.system", id="lambda-by-name",
        ),
        pytest.param(
            layer("TFOpLambda", None, function="io.write_file"),
            "critical", "scan.keras-call", "tf.io.write_file", id="operation-of-tensorflow",
        ),
        pytest.param(
            {"class_name": "Mine", "module": None, "config": {}, "registered_name": "p>Mine"},
            "high", "scan.keras-call", "Mine (registered as p>Mine)", id="custom",
        ),
        pytest.param(
            {"class_name": "Dense", "module": "evil.layers", "config": {}},
            "high", "scan.keras-call", "evil.layers.Dense", id="a-known-name-elsewhere",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("depth", [0, 3])
def test_is_found(config: Any, severity: str, rule: str, found: str, depth: int) -> None:
    """At the top, and in layers of layers."""
    for _ in range(depth):
        config = layer("TimeDistributed", layer=[config])
    assert worst(configured(layer("Sequential", layers=[config]))) == (severity, rule, found)


def test_a_name_that_is_given_twice_is_read_both_ways() -> None:
    text = b'{"class_name": "Lambda", "config": {}, "class_name": "Dense", "config": {}}'
    found = {(f.rule, f.found) for f in of("config.json", text).findings}
    assert found >= {("artifact.keras-config", "class_name"), ("scan.keras-code", "Lambda")}


def test_a_name_that_is_spelled_with_escapes_is_read() -> None:
    text = rb'{"class\u005fname": "L\u0061mbda", "config": {}}'
    assert worst(of("config.json", text)) == ("high", "scan.keras-code", "Lambda")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
def test_a_configuration_in_another_encoding_is_read(encoding: str) -> None:
    """Keras gives json.loads the bytes, which tells their encoding by itself."""
    text = json.dumps(layer("Lambda")).encode(encoding)
    assert worst(of("config.json", text)) == ("high", "scan.keras-code", "Lambda")


def test_a_class_of_keras_hub_is_worth_knowing_and_no_more() -> None:
    config = layer("BertBackbone", "keras_hub.src.models.bert.bert_backbone")
    report = configured(config | {"registered_name": "keras_hub>BertBackbone"})
    assert report.worst is Severity.LOW


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_another_configuration_is_not_claimed(name: str) -> None:
    """A vocabulary may hold any letter, spelled as JSON does it."""
    report = of(
        name, rb'{"architectures": ["BertModel"], "vocab": {"\u007f": 1, "class_name_": 2}}'
    )
    assert "keras configuration" not in report.files[0].checks


@pytest.mark.parametrize(
    "text", [b'{"class_name": ', b'{"class_name":' + b"[" * 200_000, b'["class_name", "\xff"]']
)
def test_what_is_not_json_is_unread(text: bytes) -> None:
    report = of("config.json", text)
    assert not any(f.severity >= Severity.HIGH for f in report.findings)
    assert report.unread


def test_numbers_that_json_has_not_are_read() -> None:
    assert (
        of("config.json", b'{"class_name": "ReLU", "config": {"max_value": Infinity}}').unread == ()
    )


def test_the_weights_of_an_archive_are_looked_at() -> None:
    """CVE-2026-1669: a link to another file in the weights."""
    h5py = pytest.importorskip("h5py")
    weights, out = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/other.h5", "/x")
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(layer("Sequential", layers=[])))
        archive.writestr("model.weights.h5", weights.getvalue())
    severity, rule, found = worst(of("a.keras", out.getvalue()))
    assert (severity, rule) == ("high", "artifact.hdf5-external")
    assert "/etc/other.h5" in found
