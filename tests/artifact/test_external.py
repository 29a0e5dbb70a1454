from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import credenza
from credenza import artifact
from credenza.artifact.external import joined
from credenza.errors import InputError, MalformedError
from tests.artifact import onnxes


def refusal(folder: Path) -> MalformedError:
    with pytest.raises(MalformedError) as caught:
        artifact.open(folder)
    assert str(caught.value).isprintable()
    return caught.value


def entries(folder: Path, **changed: tuple[str, str]) -> None:
    """Change what the saved model says of each tensor's data: a key by tensor, with its value."""
    made = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in made.graph.initializer:
        key, value = changed.get(tensor.name, ("", ""))
        for entry in tensor.external_data:
            if entry.key == key:
                entry.value = value
    onnx.save(made, folder / "model.onnx")


def test_a_tensor_becomes_one_of_the_file_that_holds_it(tmp_path: Path) -> None:
    made = onnxes.scattered(tmp_path)
    opened = credenza.open(tmp_path)
    data, model = opened.files
    assert (data.path, data.format, model.format) == ("model.data", "tensor data", "onnx")
    assert not model.tensors
    assert [t.name for t in data.tensors] == ["w0", "w1", "w2"]
    for initializer in made.graph.initializer:
        found = artifact.array(opened, opened.tensor(initializer.name))
        np.testing.assert_array_equal(found, numpy_helper.to_array(initializer))


def test_in_a_folder_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    onnxes.scattered(tmp_path / "onnx")
    assert {t.file for t in artifact.open(tmp_path).tensors} == {"onnx/model.data"}


def test_a_model_is_not_opened_without_its_data(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    with pytest.raises(InputError, match="beside it") as caught:
        artifact.open(tmp_path / "model.onnx")
    assert "folder" in caught.value.hint


def test_refuses_data_that_are_missing(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    (tmp_path / "model.data").unlink()
    finding = refusal(tmp_path).finding
    assert (finding.rule, finding.where.file) == ("artifact.external-missing", "model.onnx")


def test_refuses_data_that_are_cut_short(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    data = (tmp_path / "model.data").read_bytes()
    (tmp_path / "model.data").write_bytes(data[:-1])
    finding = refusal(tmp_path).finding
    assert finding.rule == "artifact.external-outside"
    assert (finding.where.file, finding.where.tensor) == ("model.data", "w2")
    (tmp_path / "model.data").write_bytes(data)
    artifact.open(tmp_path)


def test_refuses_an_offset_outside(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    entries(tmp_path, w1=("offset", str(2**62)))
    assert refusal(tmp_path).finding.rule == "artifact.external-outside"


def test_refuses_data_that_are_a_model(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    onnx.save(onnxes.model([onnxes.tensor("v", 64, 64)]), tmp_path / "other.onnx")
    entries(tmp_path, w1=("location", "other.onnx"))
    assert refusal(tmp_path).finding.rule == "artifact.external-format"


def test_refuses_tensors_that_share_some_bytes(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    entries(tmp_path, w1=("offset", "4"))
    finding = refusal(tmp_path).finding
    assert (finding.rule, finding.where.tensor) == ("artifact.external-overlap", "w1")


def test_tensors_may_be_one(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    entries(tmp_path, w1=("offset", "0"))
    opened = artifact.open(tmp_path)
    tied = [artifact.raw(opened, opened.tensor(name)) for name in ("w0", "w1", "w2")]
    assert tied[0] == tied[1] != tied[2]


def test_two_models_may_share_their_data(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    (tmp_path / "second.onnx").write_bytes((tmp_path / "model.onnx").read_bytes())
    assert [t.name for t in artifact.open(tmp_path).tensors] == ["w0", "w1", "w2"]


def test_data_under_a_name_of_code_stay_code(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    (tmp_path / "model.data").rename(tmp_path / "model.py")
    for name in ("w0", "w1", "w2"):
        entries(tmp_path, **{name: ("location", "model.py")})
    opened = artifact.open(tmp_path)
    assert [f.format for f in opened.files] == ["onnx", "python"]
    assert [p.kind for _, p in opened.programs] == ["python source"]
    assert len(list(opened.tensors)) == 3


def test_a_link_to_the_data_is_refused(tmp_path: Path) -> None:
    onnxes.scattered(tmp_path)
    (tmp_path / "model.data").rename(tmp_path.with_name("elsewhere.data"))
    (tmp_path / "model.data").symlink_to(tmp_path.with_name("elsewhere.data"))
    assert refusal(tmp_path).finding.rule == "artifact.symlink"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("w.bin", "f/w.bin"),
        ("./w.bin", "f/w.bin"),
        ("a/w.bin", "f/a/w.bin"),
        ("../w.bin", None),
        ("/w.bin", None),
        ("a/../w.bin", None),
        ("", None),
        (".", None),
        ("a//b", None),
        ("a\\b", None),
        ("w\u202ebin", None),
    ],
)
def test_paths_stay_inside(location: str, path: str | None) -> None:
    assert joined("f", location) == path
