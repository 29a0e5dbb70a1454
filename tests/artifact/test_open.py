from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import credenza
from credenza import artifact
from credenza.errors import InputError, MalformedError
from tests.artifact import ggufs, onnxes, tflites


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
    opened = artifact.open(tmp_path, ignore=["model.sig"])
    assert opened.files == whole.files
    assert opened.ignored == ("model.sig",)


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


@pytest.mark.parametrize("length", [128 + 256 * n for n in range(8)])
def test_no_header_length_makes_a_pickle_of_safetensors(tmp_path: Path, length: int) -> None:
    header = b"{}".ljust(length)
    (tmp_path / "model.bin").write_bytes(length.to_bytes(8, "little") + header)
    assert artifact.open(tmp_path).files[0].format == "safetensors"


def test_no_first_byte_makes_a_pickle_of_safetensors() -> None:
    """Where its first line, which ends in the data, is longer than any operand of a pickle."""
    entry = b'{"t":{"dtype":"U8","shape":[3001],"data_offsets":[0,3001]}}'
    for first in range(256):
        header = entry.ljust(2048 + first)
        data = len(header).to_bytes(8, "little") + header + bytes(3000) + b"\n"
        assert artifact.read(artifact.Held("model.bin", data)).format == "safetensors", first


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "artifact.safetensors-header-length"),
        (b"\x7fELF" * 9, "artifact.safetensors-header-length"),
        (b"", "artifact.safetensors-truncated"),
        (b"text", "artifact.safetensors-truncated"),
        (b"PK\x05\x06".ljust(22, b"\0"), "artifact.safetensors-header-length"),
        (pickle.dumps([1.5]), "artifact.false-name"),
    ],
    ids=["pointer", "elf", "empty", "text", "zip", "pickle"],
)
def test_refuses_a_false_safetensors(tmp_path: Path, data: bytes, rule: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(MalformedError) as caught:
        artifact.open(tmp_path)
    assert caught.value.finding.rule == rule


TENSORS = {
    "fc.weight": torch.randn(3, 5, generator=torch.Generator().manual_seed(0)),
    "fc.bias": torch.tensor([1.0, -2.0, float("inf")], dtype=torch.bfloat16),
    "turned": torch.arange(12).reshape(3, 4).T,
    "part": torch.arange(12)[5:9],
    "count": torch.tensor(7),
    "none": torch.zeros(0, 3),
    "mask": torch.tensor([True, False]),
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_reads_what_torch_saved(tmp_path: Path, zipped: bool) -> None:
    torch.save(TENSORS, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    opened = artifact.open(tmp_path)
    assert {t.name for t in opened.tensors} == TENSORS.keys()
    assert all(program.allowed for _, program in opened.programs)
    for name, tensor in TENSORS.items():
        values = artifact.array(opened, opened.tensor(name))
        wanted = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        np.testing.assert_array_equal(values, wanted.numpy(), strict=True)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_saved(tmp_path: Path, save: Callable[..., None]) -> None:
    arrays = {
        "weight": np.arange(12, dtype=np.float32).reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(12).reshape(3, 4)),
        "big": np.arange(5, dtype=">f8"),
        "scalar": np.float64(2.5),
        "empty": np.zeros((0, 2), np.int8),
    }
    save(tmp_path / "model.npz", **arrays)
    opened = artifact.open(tmp_path)
    for name, wanted in arrays.items():
        tensor = opened.tensor(name)
        np.testing.assert_array_equal(artifact.array(opened, tensor), wanted)
        little = np.asarray(wanted).astype(np.asarray(wanted).dtype.newbyteorder("<"))
        assert artifact.raw(opened, tensor) == little.tobytes()


def test_reads_one_array(tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.arange(4.0))
    opened = artifact.open(tmp_path)
    assert artifact.array(opened, next(opened.tensors)).tolist() == [0, 1, 2, 3]


class Harmful:
    """Unpickling it would create the marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("name", ["model.pkl", "model.bin", "notes.txt", "config.json", "code.py"])
@pytest.mark.parametrize("protocol", range(6))
def test_finds_a_pickle_under_any_name(tmp_path: Path, name: str, protocol: int) -> None:
    marker = tmp_path / "marker"
    (tmp_path / name).write_bytes(pickle.dumps(Harmful(marker), protocol))
    opened = artifact.open(tmp_path)
    assert [(p.name, p.allowed) for _, p in opened.programs] == [("posix.mkdir", False)]
    assert not marker.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "mean.npy", "means.npz"])
def test_refuses_a_pickle_under_a_name_that_promises_none(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    (tmp_path / name).write_bytes(pickle.dumps(Harmful(marker)))
    with pytest.raises(MalformedError, match=r"posix\.mkdir") as caught:
        artifact.open(tmp_path)
    assert caught.value.finding.rule == "artifact.false-name"
    assert not marker.exists()


def test_lists_what_a_checkpoint_would_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    torch.save({"w": torch.ones(2), "x": Harmful(marker)}, tmp_path / "model.pt")
    opened = artifact.open(tmp_path)
    assert [t.name for t in opened.tensors] == ["w"]
    assert ("posix.mkdir", False) in {(p.name, p.allowed) for _, p in opened.programs}
    assert not marker.exists()


def saved() -> list[bytes]:
    """A small file of each format that is parsed."""
    written: list[bytes] = []
    for save in (
        lambda out: torch.save({"w": torch.ones(2)}, out),
        lambda out: torch.save({"w": torch.ones(2)}, out, _use_new_zipfile_serialization=False),
        lambda out: np.savez(out, w=np.ones(2)),
        lambda out: np.savez_compressed(out, w=np.ones(2)),
        lambda out: np.save(out, np.ones(2)),
        lambda out: out.write(safetensors.numpy.save({"w": np.ones(2)})),
        lambda out: out.write(pickle.dumps({"w": np.ones(2)})),
    ):
        out = io.BytesIO()
        save(out)
        written.append(out.getvalue())
    others = [tflites.model([tflites.Made("w", (2,), 9, b"ab")])]
    others += [onnxes.model([onnxes.tensor("w", 2)]).SerializeToString(), ggufs.sample()]
    return [*written, *others, b"PK\x05\x06".ljust(22, b"\0")]


SAVED = saved()
SUFFIXES = ["", ".bin", ".pt", ".npy", ".npz", ".pkl", ".safetensors", ".txt", ".py", ".zip"]
SUFFIXES += [".gguf", ".onnx", ".tflite"]


@settings(max_examples=500)
@given(st.sampled_from(SAVED), st.sampled_from(SUFFIXES), st.data())
def test_changed_bytes_are_read_or_refused(data: bytes, suffix: str, draw: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 3))):
        at = draw.draw(st.integers(0, len(changed)))
        changed[at : at + draw.draw(st.integers(0, 4))] = draw.draw(st.binary(max_size=4))
    try:
        file = artifact.read(artifact.Held(f"model{suffix}", bytes(changed)))
    except (MalformedError, InputError):
        return
    for tensor in file.tensors:
        assert 0 <= tensor.region.start <= tensor.region.stop <= len(changed)


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
