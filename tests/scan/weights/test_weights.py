"""Whole reports: honest networks are not accused, edits are found, what cannot be read is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from credenza import artifact
from credenza.errors import InputError
from credenza.findings import Report, Severity
from credenza.scan.weights import LEVEL, Calibration, reading, shipped, weights

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def trained() -> State:
    """A digit reader that no calibration has seen."""
    from sklearn.datasets import load_digits

    torch.manual_seed(77)
    digits = load_digits()
    inputs = torch.tensor(digits.data, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    labels = torch.tensor(digits.target)
    module = nn.Sequential(
        *(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(576, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 10)),
    )
    optimizer = torch.optim.Adam(module.parameters(), 0.002)
    for _ in range(100):
        batch = torch.randint(len(inputs), (64,))
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(inputs[batch]), labels[batch]))
        optimizer.step()
    return {name: value.clone() for name, value in module.state_dict().items()}


def examined(state: State, folder: Path) -> Report:
    save_file(state, folder / "m.safetensors")
    return weights(folder / "m.safetensors")


def p_value(report: Report) -> float:
    return next(f.value for f in report.figures if f.name.endswith("p-value"))


def test_an_honest_network_is_not_accused(trained: State, tmp_path: Path) -> None:
    report = examined(trained, tmp_path)
    assert report.findings == ()
    assert report.unread == ()
    assert p_value(report) > LEVEL
    assert "probe" in report.uncovered[-1]


def test_every_format_gets_the_same_answer(trained: State, tmp_path: Path) -> None:
    expected = p_value(examined(trained, tmp_path))
    torch.save(trained, tmp_path / "m.pt")
    torch.save(trained, tmp_path / "l.pt", _use_new_zipfile_serialization=False)
    for name in ("m.pt", "l.pt"):
        assert p_value(weights(tmp_path / name)) == expected


def edited(trained: State) -> State:
    return {name: value.clone() for name, value in trained.items()}


def test_a_class_that_shouts_is_found_and_named(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["7.weight"][2] *= 20
    report = examined(state, tmp_path)
    named = [f for f in report.findings if f.where.tensor == "7.weight" and f.where.rows == (2,)]
    assert named
    assert len(set(report.findings)) == len(report.findings)
    assert report.worst is Severity.LOW
    assert p_value(report) <= LEVEL
    assert named[0].figures[0].value == p_value(report)


@pytest.mark.parametrize(
    ("tensor", "rule"),
    [("4.weight", "scan.weight-twins"), ("0.weight", "scan.weight-twins")],
)
def test_a_row_copied_over_another_is_found(
    tensor: str, rule: str, trained: State, tmp_path: Path
) -> None:
    state = edited(trained)
    state[tensor][3] = state[tensor][9]
    (finding,) = examined(state, tmp_path).findings
    assert finding.rule == rule
    assert finding.where.rows == (3, 9)


def test_a_flipped_bit_is_found_at_medium(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["4.weight"].view(torch.int32)[7, 11] ^= 1 << 30
    report = examined(state, tmp_path)
    first = report.findings[0]
    assert (first.rule, first.severity) == ("scan.weight-range", Severity.MEDIUM)
    assert (first.where.tensor, first.where.rows) == ("4.weight", (7,))


def test_a_zeroed_batch_norm_is_found(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["5.weight"].zero_()
    (finding,) = examined(state, tmp_path).findings
    assert (finding.rule, finding.where.tensor) == ("scan.weight-zeroed", "5.weight")


def test_a_batch_norm_that_never_saw_data_is_a_note(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["5.running_mean"].zero_()
    assert examined(state, tmp_path).findings == ()
    state["5.running_var"].fill_(1)
    (finding,) = examined(state, tmp_path).findings
    assert (finding.rule, finding.severity) == ("scan.weight-untouched", Severity.NOTE)
    state["1.running_mean"].zero_()
    state["1.running_var"].fill_(1)
    (finding,) = examined(state, tmp_path).findings
    assert finding.found.endswith("and 1 more")


@pytest.mark.parametrize(
    ("value", "severity"),
    [(np.nan, Severity.HIGH), (np.inf, Severity.HIGH), (0.05, None)],
)
def test_a_number_that_is_not_finite_is_high(
    value: float, severity: Severity | None, trained: State, tmp_path: Path
) -> None:
    state = edited(trained)
    state["4.weight"][0, 0] = value
    assert examined(state, tmp_path).worst is severity


def test_a_mask_of_infinities_is_a_note(trained: State, tmp_path: Path) -> None:
    mask = torch.full((12, 12), -torch.inf).triu(1)
    lowest = torch.full((12, 12), torch.finfo(torch.float32).min).triu(1)
    state = {**trained, "mask": mask, "lowest": lowest, "limit": torch.tensor(torch.inf)}
    report = examined(state, tmp_path)
    assert {f.severity for f in report.findings} == {Severity.NOTE}
    assert {f.where.tensor for f in report.findings} == {"mask", "limit"}


@pytest.mark.parametrize("tensor", ["5.weight", "5.bias", "4.weight"])
def test_infinities_among_equal_numbers_are_no_mask(
    tensor: str, trained: State, tmp_path: Path
) -> None:
    for value in (0.0, 1.0, torch.inf):
        state = edited(trained)
        state[tensor].fill_(value).view(-1)[3] = torch.inf
        assert examined(state, tmp_path).worst is Severity.HIGH


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


def test_what_is_odder_than_too_few_is_a_note(trained: State, tmp_path: Path) -> None:
    state = edited(trained)
    state["4.weight"][3] = state["4.weight"][9]
    save_file(state, tmp_path / "m.safetensors")
    known = shipped()
    few = Calibration(
        population="p", made="", units=known.units, networks=known.like(9).networks[:20]
    )
    worst = weights(tmp_path / "m.safetensors", calibration=few).worst
    assert worst is Severity.NOTE
