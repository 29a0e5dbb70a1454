"""Files of every kind: which are one model, which are none, and what is said of the rest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from credenza import artifact
from credenza.errors import InputError
from credenza.findings import Report, Severity
from credenza.scan.weights import reading, weights
from tests.scan.weights.conftest import State


def p_value(report: Report) -> float:
    return next(f.value for f in report.figures if f.name.endswith("p-value"))


def test_what_cannot_be_read_is_said_and_the_rest_is_looked_at(
    trained: State, tmp_path: Path
) -> None:
    save_file(trained, tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-4])
    (tmp_path / "README.md").write_text("A model.")
    report = weights(tmp_path, digest=True)
    assert [u.where.file for u in report.unread] == ["b.safetensors"]
    assert [f.checks for f in report.files] == [(), ("weights",), ()]
    for file in report.files:
        data = (tmp_path / file.path).read_bytes()
        assert (file.sha256, file.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert [f.name for f in report.figures] == ["a.safetensors: zeros", "a.safetensors: p-value"]


def test_every_format_gets_the_same_answer(trained: State, tmp_path: Path) -> None:
    save_file(trained, tmp_path / "m.safetensors")
    expected = p_value(weights(tmp_path / "m.safetensors"))
    torch.save(trained, tmp_path / "m.pt")
    torch.save(trained, tmp_path / "l.pt", _use_new_zipfile_serialization=False)
    for name in ("m.pt", "l.pt"):
        assert p_value(weights(tmp_path / name)) == expected


def test_shards_are_one_model(trained: State, tmp_path: Path) -> None:
    names = sorted(trained)
    for i in range(2):
        part = {name: trained[name] for name in names[i::2]}
        save_file(part, tmp_path / f"model-0000{i + 1}-of-00002.safetensors")
    figures = weights(tmp_path).figures
    assert [f.name for f in figures] == ["model.safetensors: zeros", "model.safetensors: p-value"]


def test_external_data_is_read_where_it_lies(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    values = np.random.default_rng(5).standard_normal((64, 50)).astype("f4")
    values[7, 7] = np.nan
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 50])
    inp = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", [inp], [out], [numpy_helper.from_array(values, "w")])
    path = tmp_path / "m.onnx"
    onnx.save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        path,
        save_as_external_data=True,
        location="m.data",
        size_threshold=0,
    )
    report = weights(tmp_path)
    assert [(f.where.file, f.severity) for f in report.findings] == [("m.data", Severity.HIGH)]
    assert report.unread == ()
    alone = weights(path)
    assert [str(u) for u in alone.unread] == [
        "m.onnx, tensor w: its bytes are in m.data, which is not here"
    ]


def test_arrays_that_are_no_network_have_no_p_value(tmp_path: Path) -> None:
    import joblib

    joblib.dump({"table": np.geomspace(1e-9, 1e9, 4000).reshape(400, 10)}, tmp_path / "m.joblib")
    report = weights(tmp_path / "m.joblib")
    assert not any("p-value" in f.name for f in report.figures)
    assert report.findings == ()
    assert any("no network's format" in why for why in report.uncovered)


def test_packed_arrays_are_unread(tmp_path: Path) -> None:
    import h5py
    import joblib

    values = np.random.default_rng(6).standard_normal((64, 50))
    joblib.dump({"w": values}, tmp_path / "m.joblib", compress=3)
    with h5py.File(tmp_path / "m.h5", "w") as h5:
        h5.create_dataset("w", data=values, chunks=(8, 50), compression="gzip")
        h5["names"] = ["a", "b"]
    report = weights(tmp_path)
    assert [str(u) for u in report.unread] == [
        "m.h5: not summed up: w: a dataset in chunks",
        "m.joblib: not summed up: w: an array inside a compressed pickle",
    ]
    assert any(why.startswith("m.h5: names: ") for why in report.uncovered)


def test_quantised_blocks_are_summed_up_as_the_numbers_they_stand_for(tmp_path: Path) -> None:
    import gguf
    from gguf.quants import quantize

    values = np.random.default_rng(7).standard_normal((64, 256)).astype("f4")
    values[9] *= 50
    kind = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("blk.0.ffn.weight", quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    report = weights(tmp_path / "m.gguf")
    assert report.unread == ()
    assert {f.where.rows for f in report.findings} == {(9,)}


def test_nan_in_a_table_is_a_note(tmp_path: Path) -> None:
    import joblib
    from sklearn.impute import SimpleImputer

    table = np.random.default_rng(8).standard_normal((64, 50))
    table[3, 4], table[5, 6] = np.nan, 1e9
    joblib.dump({"table": table, "imputer": SimpleImputer().fit(table)}, tmp_path / "m.joblib")
    np.savez(tmp_path / "m.npz", table=table)
    np.save(tmp_path / "m.npy", table)
    report = weights(tmp_path)
    assert {f.where.file for f in report.findings} == {"m.joblib", "m.npz", "m.npy"}
    assert {f.severity for f in report.findings if f.rule == "scan.weight-not-finite"} == {
        Severity.NOTE
    }


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        weights(tmp_path / "nowhere")


def test_progress_counts_every_byte_with_a_digest(trained: State, tmp_path: Path) -> None:
    save_file(trained, tmp_path / "m.safetensors")
    seen: list[int] = []
    weights(artifact.open(tmp_path), digest=True, progress=seen.append)
    assert sum(seen) == (tmp_path / "m.safetensors").stat().st_size


def test_a_file_of_very_many_tensors_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MOST_TENSORS", 100)
    save_file({f"t{i}": torch.ones(1) for i in range(250)}, tmp_path / "m.safetensors")
    (unread,) = weights(tmp_path / "m.safetensors").unread
    assert "more tensors than are looked at" in unread.why
    assert "and 149 more" in unread.why
