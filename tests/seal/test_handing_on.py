"""Verified bytes for libraries that load models their own way."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import joblib
import numpy as np
import onnx
import onnxruntime
import pytest
import skops.io
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

import credenza
from credenza.errors import AlteredError, InputError, UnsealedError
from credenza.seal import read, seal, verified_folder
from tests.seal.models import KEY, TRUST, small_model

WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)


def _onnx(folder: Path, *, external: bool) -> Path:
    """A model of one matrix product, with its matrix in the file or beside it."""
    folder.mkdir()
    weight = numpy_helper.from_array(WEIGHT, "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [weight],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save_model(
        model,
        folder / "model.onnx",
        save_as_external_data=external,
        location="weights.bin",
        size_threshold=0,
    )
    return folder


def _run(session: onnxruntime.InferenceSession) -> object:
    return session.run(None, {"x": np.ones((1, 4), np.float32)})[0]


@pytest.mark.parametrize("external", [False, True])
def test_an_onnx_session_runs_on_verified_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, external: bool
) -> None:
    model = _onnx(tmp_path / "m", external=external)
    seal(credenza.open(model), KEY)
    monkeypatch.chdir(tmp_path)  # where the runtime would look for external data by itself
    (tmp_path / "weights.bin").write_bytes(bytes(WEIGHT.nbytes))
    session = credenza.load_onnx(model, TRUST)
    np.testing.assert_array_equal(_run(session), WEIGHT.sum(axis=0, keepdims=True))


def test_an_onnx_model_that_was_altered_is_not_run(tmp_path: Path) -> None:
    model = _onnx(tmp_path / "m", external=True)
    with pytest.raises(UnsealedError):
        credenza.load_onnx(model, TRUST)
    seal(credenza.open(model), KEY)
    (model / "weights.bin").write_bytes(bytes(WEIGHT.nbytes))
    with pytest.raises(AlteredError):
        credenza.load_onnx(model, TRUST)


def test_which_onnx_file_has_to_be_said(tmp_path: Path) -> None:
    model = _onnx(tmp_path / "m", external=False)
    (model / "other.onnx").write_bytes((model / "model.onnx").read_bytes())
    seal(credenza.open(model), KEY)
    with pytest.raises(InputError, match="say which"):
        credenza.load_onnx(model, TRUST)
    assert _run(credenza.load_onnx(model, TRUST, file="other.onnx")) is not None
    with pytest.raises(InputError, match="was not read"):
        credenza.load_onnx(model, TRUST, file="none.onnx")


def test_what_the_runtime_refuses_is_our_error(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY)
    with pytest.raises(InputError, match="onnxruntime refuses"):
        credenza.load_onnx(model, TRUST, file="config.json")


def test_a_verified_folder_is_a_private_copy_that_goes_away(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY)
    with verified_folder(model, TRUST) as copy:
        assert copy.name == model.name
        for path in (p for p in model.rglob("*") if p.is_file() and p.name != "credenza.seal"):
            same = copy / path.relative_to(model)
            assert same.read_bytes() == path.read_bytes()
            assert stat.S_IMODE(same.stat().st_mode) == 0o400
        assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
        (model / "config.json").write_text("changed afterwards")
        assert (copy / "config.json").read_text() == '{"classes": 10}'
    assert not copy.parent.exists()


def test_a_verified_copy_of_one_file(tmp_path: Path) -> None:
    file = small_model(tmp_path) / "model.safetensors"
    seal(credenza.open(file), KEY)
    with verified_folder(file, TRUST) as copy:
        assert copy.name == "model.safetensors"
        assert copy.read_bytes() == file.read_bytes()


def test_a_refused_folder_leaves_no_copy(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    within = tmp_path / "within"
    within.mkdir()
    with pytest.raises(UnsealedError), verified_folder(model, TRUST, within=within):
        pytest.fail("an unsealed model was handed out")
    seal(credenza.open(model), KEY)
    (model / "config.json").write_text('{"classes": 11}')
    with pytest.raises(AlteredError), verified_folder(model, TRUST, within=within):
        pytest.fail("an altered model was handed out")
    assert os.listdir(within) == []


def test_a_copy_that_finds_no_room(tmp_path: Path, small_disk: Path) -> None:
    model = tmp_path / "m"
    model.mkdir()
    np.save(model / "w.npy", np.ones(2**18))
    seal(credenza.open(model), KEY)
    with (
        pytest.raises(InputError, match="No space left on device"),
        verified_folder(model, TRUST, within=small_disk),
    ):
        pytest.fail("half a model was handed out")
    assert os.listdir(small_disk) == []


def test_scikit_learn_from_verified_bytes(tmp_path: Path) -> None:
    model = tmp_path / "m"
    model.mkdir()
    inputs = np.random.default_rng(0).standard_normal((40, 3))
    fitted = LogisticRegression().fit(inputs, inputs[:, 0] > 0)
    joblib.dump(fitted, model / "model.joblib")
    skops.io.dump(fitted, model / "model.skops")
    seal(credenza.open(model), KEY)
    verified = read(model, TRUST).value
    for loaded in (
        joblib.load(io.BytesIO(verified.file("model.joblib"))),
        skops.io.loads(verified.file("model.skops")),
    ):
        np.testing.assert_array_equal(loaded.predict(inputs), fitted.predict(inputs))


def test_transformers_from_a_verified_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
    )
    made = transformers.BertModel(config)
    made.save_pretrained(tmp_path / "bert")
    seal(credenza.open(tmp_path / "bert"), KEY)
    with verified_folder(tmp_path / "bert", TRUST) as copy:
        loaded = transformers.AutoModel.from_pretrained(copy, local_files_only=True)
    for name, tensor in made.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name], tensor)
