"""What Keras saves, by files that Keras 3 wrote (tests/vectors/make_artifact_keras.py)."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.artifact import array
from credenza.artifact import open as open_artifact
from credenza.artifact.interface import Held
from credenza.artifact.keras_config import programs_of
from credenza.artifact.keras_zip import Keras
from credenza.artifact.model import Dtype
from credenza.artifact.pickles import BrokenPickleError
from credenza.errors import MalformedError

FOLDER = Path(__file__).parent.parent / "vectors" / "artifact" / "keras"


def refused(data: bytes) -> BrokenPickleError:
    with pytest.raises(BrokenPickleError) as caught:
        Keras().read(Held("a.keras", data))
    return caught.value


def archive(**members: str | bytes) -> bytes:
    """An archive of members by name, with ``_json`` for ``.json``."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in members.items():
            z.writestr(name.replace("_json", ".json"), content)
    return out.getvalue()


def named(config: Any) -> dict[str, bool]:
    """What a configuration names, and whether it is allowed."""
    found = programs_of(Held("config.json", b""), json.dumps(config), 0)
    return {f"{p.kind}: {p.name}": p.allowed for p in found}


def disallowed(path: Path) -> list[str]:
    return [f"{p.kind}: {p.name}" for _, p in open_artifact(path).programs if not p.allowed]


@pytest.mark.parametrize("name", ["plain", "lambda", "custom"])
def test_weights_are_those_of_keras(name: str) -> None:
    values = np.load(FOLDER / f"{name}.npz")
    artifact = open_artifact(FOLDER / f"{name}.keras")
    assert artifact.files[0].format == "keras"
    layers = [t for t in artifact.tensors if t.name.startswith("layers/")]
    assert len(layers) == len(values.files)
    for i, tensor in enumerate(layers):
        assert np.array_equal(array(artifact, tensor), values[str(i)])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.h5")), ids=lambda p: p.name)
def test_hdf5_files_are_read_as_h5py_reads_them(path: Path) -> None:
    artifact = open_artifact(path)
    datasets: dict[str, Any] = {}
    with h5py.File(path) as f:
        f.visititems(
            lambda n, d: datasets.update({n: d[()]} if isinstance(d, h5py.Dataset) else {})
        )
        assert dict(artifact.files[0].metadata) == {
            k: v for k, v in f.attrs.items() if isinstance(v, str)
        }
    assert {t.name for t in artifact.tensors} == datasets.keys()
    assert artifact.files[0].unread == ()
    for tensor in artifact.tensors:
        if tensor.dtype is not Dtype.BF16:
            assert np.array_equal(array(artifact, tensor), datasets[tensor.name])


def test_bfloat16_weights() -> None:
    values = np.load(FOLDER / "bfloat16.npz")
    artifact = open_artifact(FOLDER / "bfloat16.weights.h5")
    for i, tensor in enumerate(artifact.tensors):
        assert tensor.dtype is Dtype.BF16
        assert np.array_equal(array(artifact, tensor), values[str(i)])


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_model_of_keras_own_parts_has_no_program_that_is_not_allowed(suffix: str) -> None:
    path = FOLDER / f"plain.{suffix}"
    assert disallowed(path) == []
    names = {p.name.rpartition(".")[2] for _, p in open_artifact(path).programs}
    assert {"Functional", "Conv2D", "Dense", "Relu", "GlorotUniform", "L2", "SGD"} <= names


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_lambdas_and_custom_layers_are_listed(suffix: str) -> None:
    lambdas = disallowed(FOLDER / f"lambda.{suffix}")
    assert len(lambdas) == 3
    assert lambdas[0].endswith("Lambda")
    assert lambdas[1] == "keras lambda: __lambda__"
    assert lambdas[2].startswith("marshalled code: ")
    custom = disallowed(FOLDER / f"custom.{suffix}")
    assert len(custom) == 2
    assert "Mine>Doubled" in custom[0]
    assert custom[1].startswith("marshalled code: ")


def test_programs_say_where_they_stand() -> None:
    with zipfile.ZipFile(FOLDER / "lambda.keras") as z:
        config = z.read("config.json")
    found = [p for _, p in open_artifact(FOLDER / "lambda.keras").programs if not p.allowed]
    assert {p.member for p in found} == {"config.json"}
    assert [config[p.start :][:6] for p in found[:2]] == [b"Lambda", b"__lamb"]


DENSE: dict[str, Any] = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {},
    "registered_name": None,
}


@pytest.mark.parametrize(
    ("change", "name", "allowed"),
    [
        ({}, "keras class: keras.layers.Dense", True),
        ({"registered_name": "Dense"}, "keras class: keras.layers.Dense", True),
        ({"module": "keras.src.core"}, "keras class: keras.src.core.Dense", True),
        ({"module": None}, "keras class: Dense", True),
        ({"module": "os"}, "keras class: os.Dense", False),
        ({"module": "kerasx.layers"}, "keras class: kerasx.layers.Dense", False),
        ({"class_name": "dense"}, "keras class: keras.layers.dense", False),
        ({"class_name": "Lambda"}, "keras class: keras.layers.Lambda", False),
        ({"class_name": "TFSMLayer"}, "keras class: keras.layers.TFSMLayer", False),
        ({"module": None, "class_name": "TFOpLambda"}, "keras class: TFOpLambda", False),
        (
            {"registered_name": "Evil>Dense"},
            "keras class: keras.layers.Dense (registered as Evil>Dense)",
            False,
        ),
    ],
)  # fmt: skip
def test_classes(change: dict[str, Any], name: str, allowed: bool) -> None:
    assert named({"layers": [[DENSE | change]]}) == {name: allowed}


def function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def test_functions() -> None:
    """CVE-2025-1550 and CVE-2025-8747: a configuration may name any function of any module."""
    assert named(function("keras.activations", "relu")) == {
        "keras function: keras.activations.relu": True
    }
    assert named(function("builtins", "relu")) == {"keras function: builtins.relu": True}
    for module, name in (("os", "system"), ("keras.utils", "get_file"), ("builtins", "eval")):
        assert named(function(module, name)) == {f"keras function: {module}.{name}": False}


def test_code_without_its_class() -> None:
    code = "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACXAHwAZAF6BQAAUwA="
    assert named({"activation": {"value": [code, None, None]}}) == {
        f"marshalled code: {len(code)} characters of base64": False
    }
    assert named({"name": "Yes this is plain text of more than twenty letters"}) == {}


def test_a_vocabulary_that_is_a_path() -> None:
    """CVE-2025-12058: a lookup layer reads the file that its configuration names."""
    layer = DENSE | {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}
    assert named(layer) == {
        "keras class: keras.layers.StringLookup": True,
        "keras file: vocabulary /etc/passwd": False,
    }
    assert len(named(layer | {"config": {"vocabulary": ["a", "b"]}})) == 1


@pytest.mark.parametrize(
    "text",
    ["", "{", "[NaN]", '{"a":1,"a":2}', '{"x":[{"b":1,"b":1}]}', "[" * 100_000, "\ud800", "{}x"],
)
def test_a_configuration_that_is_none(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    error = refused(archive(config_json=content, metadata_json="{}"))
    assert error.finding.rule == "artifact.keras-config"


def test_compressed_archives_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(FOLDER / "plain.keras") as z:
        members = {i.filename: z.read(i) for i in z.infolist()}
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members.items():
            z.writestr(name, content)
    stored, packed = open_artifact(FOLDER / "plain.keras"), open_artifact(path)
    assert [t.name for t in packed.tensors] == [t.name for t in stored.tensors]
    for one, other in zip(stored.tensors, packed.tensors, strict=True):
        assert other.region.encoding == "deflate"
        assert np.array_equal(array(stored, one), array(packed, other))


def test_parts_that_are_missing_or_not_known() -> None:
    assert refused(archive(metadata_json="{}")).finding.rule == "artifact.keras-layout"
    data = archive(
        config_json=json.dumps(DENSE | {"class_name": "Lambda"}),
        metadata_json='{"keras_version":"3.15.1"}',
        **{"assets/words.txt": "a", "assets/setup.py": "", "x.pkl": "N."},
    )
    found = Keras().read(Held("a.keras", data))
    assert found.metadata == (("keras_version", "3.15.1"),)
    assert found.unread == ("assets/words.txt: a member of a kind that is not known",)
    assert [p.name for p in found.programs] == ["keras.layers.Lambda", "assets/setup.py", "x.pkl"]
    broken = archive(
        config_json=json.dumps(DENSE | {"class_name": "Lambda"}), **{"model.weights.h5": b"no HDF5"}
    )
    error = refused(broken)
    assert error.finding.rule == "artifact.hdf5-signature"
    assert [p.name for p in error.programs] == ["keras.layers.Lambda"]


def test_an_archive_is_one_by_its_content() -> None:
    data = (FOLDER / "plain.keras").read_bytes()
    assert Keras().claims(Held("weights.bin", data))
    assert not Keras().claims(Held("weights.bin", archive(a="b")))


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "a.skops", "a.msgpack"])
def test_a_name_that_promises_what_the_content_is_not(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(MalformedError) as caught:
        open_artifact(tmp_path)
    assert caught.value.finding.rule == "artifact.false-name"
    assert "os.system" in str(caught.value)


ORIGINAL = (FOLDER / "lambda.keras").read_bytes()


@given(st.integers(0, len(ORIGINAL) - 1), st.binary(min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_mutated_archives_are_read_or_refused(at: int, piece: bytes) -> None:
    file = Held("a.keras", ORIGINAL[:at] + piece + ORIGINAL[at + len(piece) :])
    try:
        tensors = Keras().read(file).tensors
    except BrokenPickleError:
        return
    assert all(0 <= t.region.start <= t.region.stop <= file.size for t in tensors)
