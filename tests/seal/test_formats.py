"""What a seal binds in formats whose tensors are not plain arrays in the file itself."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType
from onnx import numpy_helper

import credenza
from credenza.artifact.ggml import TYPES
from credenza.errors import AlteredError, InputError, MissingExtraError
from credenza.findings import Finding
from credenza.seal import load_torch, read, seal, verify
from tests.artifact import ggufs, onnxes, tflites
from tests.seal.models import KEY, TRUST


def refusal(model: Path) -> Finding:
    with pytest.raises(AlteredError) as caught:
        verify(model, TRUST)
    return caught.value.report.findings[0]


def changed(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A GGUF model with a tensor of each type that has blocks, and a chat template."""
    kinds = [GGMLQuantizationType(k) for k, d in TYPES.items() if d.block > 1]
    tensors = {k.name: (ggufs.blocks(k, 3), k) for k in kinds}
    path = tmp_path / "model.gguf"
    return ggufs.write(path, tensors, {"tokenizer.chat_template": "{{ messages }}"})


def test_blocks_are_sealed_verified_and_loaded(llama: Path) -> None:
    taken = seal(credenza.open(llama), KEY)
    assert verify(llama, TRUST).value.seal == taken
    held = {t.name: t for f in taken.files for t in f.tensors}
    contents = read(llama, TRUST).value
    regions = {name: bytes(data) for name, (_, data) in contents.regions().items()}
    for theirs in gguf.GGUFReader(llama).tensors:
        tensor = held[theirs.name]
        assert (tensor.dtype.label, tensor.nbytes) == (theirs.name, theirs.n_bytes)
        assert tensor.shape == tuple(int(n) for n in reversed(theirs.shape))
        assert regions[theirs.name] == theirs.data.tobytes()


def test_blocks_come_as_their_values(tmp_path: Path) -> None:
    packed = gguf.quants.quantize(np.ones((4, 64), np.float32), GGMLQuantizationType.Q8_0)
    tensors = {
        "q": (packed, GGMLQuantizationType.Q8_0),
        "f": (np.arange(3, dtype=np.float32), None),
    }
    path = ggufs.write(tmp_path / "model.gguf", tensors)
    seal(credenza.open(path), KEY)
    loaded = credenza.load(path, TRUST)
    np.testing.assert_allclose(loaded["q"], 1, rtol=1e-2)
    assert loaded["f"].tolist() == [0, 1, 2]


def test_torch_has_no_blocks(llama: Path) -> None:
    seal(credenza.open(llama), KEY)
    with pytest.raises(InputError, match="torch has no Q") as caught:
        load_torch(llama, TRUST)
    assert "credenza.load" in caught.value.hint


def test_values_of_blocks_need_the_extra(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal(credenza.open(llama), KEY)
    for module in ("gguf", "gguf.constants", "gguf.quants"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="'gguf'"):
        credenza.load(llama, TRUST)


def test_a_changed_block_is_named_by_its_row(llama: Path) -> None:
    seal(credenza.open(llama), KEY)
    tensor = credenza.open(llama).tensor("Q6_K")
    changed(llama, tensor.region.start + 2 * tensor.nbytes // 3)
    finding = refusal(llama)
    assert (finding.where.tensor, finding.where.rows) == ("Q6_K", (2,))


def test_a_changed_chat_template_is_refused(llama: Path) -> None:
    """gguf-hash of llama.cpp hashes tensors alone, and does not see it."""
    seal(credenza.open(llama), KEY)
    changed(llama, llama.read_bytes().index(b"messages"))
    assert refusal(llama).rule == "seal.bytes-altered"


def test_external_data_are_bound_under_their_tensors_names(tmp_path: Path) -> None:
    made = onnxes.scattered(tmp_path)
    taken = seal(credenza.open(tmp_path), KEY)
    assert {f.path: f.format for f in taken.files} == {
        "model.data": "tensor data",
        "model.onnx": "onnx",
    }
    loaded = credenza.load(tmp_path, TRUST)
    for initializer in made.graph.initializer:
        np.testing.assert_array_equal(loaded[initializer.name], numpy_helper.to_array(initializer))
    changed(tmp_path / "model.data", credenza.open(tmp_path).tensor("w1").region.start)
    finding = refusal(tmp_path)
    assert (finding.where.file, finding.where.tensor) == ("model.data", "w1")


def test_external_data_exchanged_are_refused(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    seal(credenza.open(tmp_path), KEY)
    data = (tmp_path / "model.data").read_bytes()
    (tmp_path / "model.data").write_bytes(bytes(len(data)))
    assert refusal(tmp_path).rule == "seal.tensor-altered"
    (tmp_path / "model.data").unlink()
    assert refusal(tmp_path).rule == "seal.file-missing"


def test_a_changed_graph_is_refused(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    seal(credenza.open(tmp_path), KEY)
    graph = tmp_path / "model.onnx"
    changed(graph, graph.read_bytes().index(b"Identity"))
    assert refusal(tmp_path).where.file == "model.onnx"


def test_small_integers_are_loaded_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflites.model([tflites.Made("i4", (3,), 17, bytes([0x8F, 0x07]))]))
    seal(credenza.open(path), KEY)
    assert credenza.load(path, TRUST)["i4"].tolist() == [-1, -8, 7]
    with pytest.raises(InputError, match="torch has no I4"):
        load_torch(path, TRUST)
