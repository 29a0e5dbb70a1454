from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

import credenza
from credenza import artifact
from credenza.errors import InputError, MalformedError


def model(folder: Path) -> Path:
    """A folder as it is published: shards aside, everything that such a folder holds."""
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensors = {"fc.weight": weight, "fc.bias": np.ones(2, np.float32)}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "np"})
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "modeling.py").write_text(f"open({str(folder / 'marker')!r}, 'w')", "utf-8")
    (folder / "runs").mkdir()
    (folder / "runs" / ".events").write_bytes(b"\0\1\2")
    return folder


def test_opens_a_folder(tmp_path: Path) -> None:
    opened = credenza.open(model(tmp_path))
    assert opened.path == tmp_path
    assert [(f.path, f.format) for f in opened.files] == [
        ("config.json", "config"),
        ("model.safetensors", "safetensors"),
        ("modeling.py", "python"),
        ("runs/.events", "plain"),
    ]
    assert [(f.path, p.kind) for f, p in opened.programs] == [("modeling.py", "python source")]
    assert artifact.array(opened, opened.tensor("fc.weight")).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not (tmp_path / "marker").exists()


def test_opens_a_file(tmp_path: Path) -> None:
    path = model(tmp_path) / "model.safetensors"
    opened = artifact.open(str(path))
    assert [f.path for f in opened.files] == ["model.safetensors"]
    assert artifact.array(opened, opened.tensor("fc.bias")).tolist() == [1.0, 1.0]


def test_the_seal_is_no_part_of_it_and_neither_is_what_is_ignored(tmp_path: Path) -> None:
    whole = artifact.open(model(tmp_path))
    (tmp_path / artifact.SEAL_NAME).write_bytes(b"{}")
    (tmp_path / "model.sig").write_bytes(b"{}")
    assert artifact.open(tmp_path, ignore=["model.sig"]) == whole


def test_reads_what_torch_wrote_as_safetensors(tmp_path: Path) -> None:
    tensors = {
        "bf16": torch.randn(3, 5, generator=torch.manual_seed(0)).to(torch.bfloat16),
        "fp8": torch.randn(4, generator=torch.manual_seed(1)).to(torch.float8_e4m3fn),
        "half": torch.ones(2, dtype=torch.float16),
    }
    safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
    opened = artifact.open(tmp_path)
    for name, tensor in tensors.items():
        values = artifact.array(opened, opened.tensor(name))
        np.testing.assert_array_equal(values.astype(np.float32), tensor.float().numpy())


def test_finds_what_is_no_tensor_file_by_another_name(tmp_path: Path) -> None:
    tensors = {"w": np.ones(2, np.float32)}
    (tmp_path / "model.txt").write_bytes(safetensors.numpy.save(tensors))
    assert artifact.open(tmp_path).files[0].format == "safetensors"


@pytest.mark.parametrize(
    "data",
    [b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", b"\x7fELF" * 9, b"", b"text"],
    ids=["pointer", "elf", "empty", "text"],
)
def test_refuses_a_false_safetensors(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(MalformedError):
        artifact.open(tmp_path)


def test_a_missing_path_and_an_empty_folder_say_nothing_against_a_model(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError) as caught:
            artifact.open(path)
        assert not isinstance(caught.value, MalformedError)


def test_leaves_no_descriptor_open(tmp_path: Path) -> None:
    model(tmp_path)
    before = len(os.listdir("/dev/fd"))
    artifact.open(tmp_path)
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    with pytest.raises(MalformedError):
        artifact.open(tmp_path)
    assert len(os.listdir("/dev/fd")) == before
