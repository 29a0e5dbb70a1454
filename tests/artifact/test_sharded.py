from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from credenza import artifact
from credenza.artifact.interface import Held
from credenza.artifact.sharded import check
from credenza.errors import MalformedError

INDEX = "model.safetensors.index.json"


def sharded(folder: Path, shards: int) -> dict[str, str]:
    """A model of one tensor a shard, and the map of its index."""
    mapped = {}
    for i in range(shards):
        shard = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        save_file({f"layer.{i}": np.full(3, i, np.float32)}, folder / shard)
        mapped[f"layer.{i}"] = shard
    index(folder, mapped)
    return mapped


def index(folder: Path, mapped: Any) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": mapped}), "utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(MalformedError) as caught:
        artifact.open(folder)
    assert caught.value.finding.where.file is not None
    return caught.value.finding.rule


def test_reads_a_hundred_shards(tmp_path: Path) -> None:
    mapped = sharded(tmp_path, 100)
    model = artifact.open(tmp_path)
    assert {t.name: t.file for t in model.tensors} == mapped
    last = model.tensor("layer.99")
    assert artifact.array(model, last).tolist() == [99.0, 99.0, 99.0]


def test_reads_an_index_in_a_folder_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "text_encoder").mkdir()
    mapped = sharded(tmp_path / "text_encoder", 2)
    names = {t.file for t in artifact.open(tmp_path).tensors}
    assert names == {f"text_encoder/{shard}" for shard in mapped.values()}


def checkpoint(folder: Path, *, zipped: bool = True) -> dict[str, str]:
    """A model of PyTorch's own in two shards, and the map of its index."""
    mapped = {}
    for i in range(2):
        shard = f"pytorch_model-{i + 1:05d}-of-00002.bin"
        held = {f"layer.{i}": torch.full((3,), float(i))}
        torch.save(held, folder / shard, _use_new_zipfile_serialization=zipped)
        mapped[f"layer.{i}"] = shard
    torch_index(folder, mapped)
    return mapped


def torch_index(folder: Path, mapped: Any) -> None:
    (folder / "pytorch_model.bin.index.json").write_text(
        json.dumps({"weight_map": mapped}), "utf-8"
    )


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_reads_the_shards_of_pytorch(tmp_path: Path, zipped: bool) -> None:
    mapped = checkpoint(tmp_path, zipped=zipped)
    assert {t.name: t.file for t in artifact.open(tmp_path).tensors} == mapped


def test_holds_an_index_of_pytorch_against_its_shards(tmp_path: Path) -> None:
    mapped = checkpoint(tmp_path)
    first, second = mapped.values()
    torch_index(tmp_path, mapped | {"layer.0": second})
    assert refusal(tmp_path) == "artifact.index-tensor"
    torch_index(tmp_path, mapped | {"layer.2": "pytorch_model-00003-of-00003.bin"})
    assert refusal(tmp_path) == "artifact.index-shard"
    torch_index(tmp_path, mapped | {"layer.2": "../x.bin"})
    assert refusal(tmp_path) == "artifact.path"
    torch_index(tmp_path, mapped)
    torch.save({"layer.0": torch.zeros(3), "layer.1": torch.zeros(3)}, tmp_path / first)
    assert refusal(tmp_path) == "artifact.index-twice"


def test_a_shard_of_pytorch_is_no_shard_of_safetensors(tmp_path: Path) -> None:
    mapped = checkpoint(tmp_path)
    index(tmp_path, mapped)
    assert refusal(tmp_path) == "artifact.index-shard"
    (tmp_path / INDEX).unlink()
    save_file({"layer.0": np.ones(3, np.float32)}, tmp_path / "model.safetensors")
    torch_index(tmp_path, {"layer.0": "model.safetensors"})
    assert refusal(tmp_path) == "artifact.index-shard"


def test_refuses_a_shard_that_is_missing(tmp_path: Path) -> None:
    mapped = sharded(tmp_path, 2)
    index(tmp_path, mapped | {"layer.2": "model-00003-of-00002.safetensors"})
    assert refusal(tmp_path) == "artifact.index-shard"


def test_refuses_a_shard_of_another_format(tmp_path: Path) -> None:
    mapped = sharded(tmp_path, 2)
    (tmp_path / "code.py").write_text("pass", "utf-8")
    index(tmp_path, mapped | {"layer.2": "code.py"})
    assert refusal(tmp_path) == "artifact.index-shard"


def test_refuses_a_tensor_that_its_shard_does_not_hold(tmp_path: Path) -> None:
    mapped = sharded(tmp_path, 2)
    index(tmp_path, mapped | {"layer.0": mapped["layer.1"]})
    assert refusal(tmp_path) == "artifact.index-tensor"


def test_refuses_a_tensor_that_two_shards_hold(tmp_path: Path) -> None:
    mapped = sharded(tmp_path, 2)
    both = {"layer.0": np.ones(3, np.float32), "layer.1": np.ones(3, np.float32)}
    save_file(both, tmp_path / mapped["layer.1"])
    assert refusal(tmp_path) == "artifact.index-twice"


@pytest.mark.parametrize("shard", ["../x.safetensors", "/x.safetensors", "a/../../x.safetensors"])
def test_refuses_a_shard_outside(tmp_path: Path, shard: str) -> None:
    mapped = sharded(tmp_path, 1)
    index(tmp_path, mapped | {"layer.1": shard})
    assert refusal(tmp_path) == "artifact.path"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"weight_map":[]}',
        '{"weight_map":{"a":1}}',
        '{"weight_map":{},"weight_map":{}}',
        '{"weight_map":{"a":"b","a":"c"}}',
        '{"weight_map":{"a":' + "1" * 5000 + "}}",
    ],
)
def test_refuses_what_is_no_index(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        check(Held(INDEX, text.encode()), [])
    assert caught.value.finding.rule == "artifact.index-entry"
    assert str(caught.value).isprintable()


def test_refuses_an_index_that_is_not_text() -> None:
    with pytest.raises(MalformedError, match="cannot be read"):
        check(Held(INDEX, b'{"\xff"'), [])
