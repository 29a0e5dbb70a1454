from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from credenza import artifact
from credenza.artifact.interface import Held
from credenza.artifact.model import File
from credenza.artifact.onnx import Onnx
from credenza.catalogue import rules
from credenza.errors import InputError, MalformedError
from tests.artifact import onnxes
from tests.artifact.counted import Counted

ROOT = Path(__file__).parents[1] / "vectors"
VECTORS = ROOT / "artifact" / "onnx"
REFUSALS: dict[str, dict[str, Any]] = json.loads((VECTORS / "refusals.json").read_text("utf-8"))
BINDING = {"missing", "format", "outside", "overlap"}
"""Rules for which more than one file is needed: see test_external.py."""


def read(data: bytes) -> File:
    return Onnx().read(Held("model.onnx", data))


def opened(folder: Path, model: onnx.ModelProto) -> artifact.Artifact:
    onnx.save(model, folder / "model.onnx")
    return artifact.open(folder)


@pytest.mark.parametrize("name", REFUSALS)
def test_refuses(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read((VECTORS / f"{name}.onnx").read_bytes())
    finding = caught.value.finding
    assert (finding.rule, finding.where.start) == (REFUSALS[name]["rule"], REFUSALS[name]["start"])
    assert finding.expected
    assert finding.found
    assert str(finding).isprintable()


def test_every_rule_has_a_vector() -> None:
    prefixes = ("artifact.onnx-", "artifact.protobuf-", "artifact.external-")
    ours = {r.id for r in rules() if r.id.startswith(prefixes)}
    others = {f"artifact.external-{name}" for name in BINDING} | {"artifact.protobuf-count"}
    assert ours - others == {r["rule"] for r in REFUSALS.values()}


def test_vectors_are_what_the_script_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "make_artifact_onnx.py"), str(tmp_path)], check=True)
    written = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert written == {p.name: p.read_bytes() for p in VECTORS.iterdir()}


KINDS = sorted(
    set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED, TensorProto.STRING}
)  # every element type of the onnx package


def random_tensor(kind: int, name: str, shape: tuple[int, ...], seed: int) -> Any:
    """A tensor of that type whose bytes are random, but for booleans."""
    made = TensorProto(name=name, data_type=kind, dims=shape)
    bits = {21: 4, 22: 4, 23: 4, 25: 2, 26: 2, 27: 6, 28: 6}.get(kind)
    width = bits or 8 * helper.tensor_dtype_to_np_dtype(kind).itemsize
    size = (int(np.prod(shape)) * width + 7) // 8
    top = 2 if kind == TensorProto.BOOL else 256
    made.raw_data = np.random.default_rng(seed).integers(0, top, size, np.uint8).tobytes()
    return made


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: str(TensorProto.DataType.Name(k)))
@pytest.mark.parametrize("shape", [(), (3,), (2, 4), (0, 5), (1, 3, 5)], ids=str)
def test_reads_every_type_as_the_onnx_package_does(
    tmp_path: Path, kind: int, shape: tuple[int, ...]
) -> None:
    made = random_tensor(kind, "w", shape, kind)
    found = opened(tmp_path, onnxes.model([made]))
    tensor = found.tensor("w")
    assert tensor.shape == shape
    assert artifact.raw(found, tensor) == made.raw_data
    theirs = numpy_helper.to_array(made)
    ours = artifact.array(found, tensor)
    if ours.dtype != theirs.dtype:  # numpy lacks the type, and ml_dtypes has it
        theirs = theirs.astype(ours.dtype)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_reads_numbers_in_a_field_of_their_type(tmp_path: Path, dtype: Any) -> None:
    values = (np.arange(6) - 2.5).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    made = helper.make_tensor("w", kind, [2, 3], values)
    assert not made.raw_data
    found = opened(tmp_path, onnxes.model([made]))
    np.testing.assert_array_equal(
        artifact.array(found, found.tensor("w")), numpy_helper.to_array(made)
    )


def test_says_which_tensors_it_does_not_read(tmp_path: Path) -> None:
    numbers = helper.make_tensor("shape", TensorProto.INT64, [2], [1, -1])
    words = onnx.TensorProto(name="words", data_type=8, dims=[1], string_data=[b"a"])
    piece = onnxes.tensor("piece", 4)
    piece.segment.begin = 0
    found = read(onnxes.model([numbers, words, piece]).SerializeToString())
    assert not found.tensors
    assert [u.partition(":")[0] for u in found.unread] == ["shape", "words", "piece"]


def test_does_not_read_floats_in_pieces() -> None:
    """A decoder puts two chunks of a packed field together."""
    whole = b"\x08\x02\x10\x01\x42\x01w\x22\x08" + bytes(8)
    parts = b"\x08\x02\x10\x01\x42\x01w\x22\x04" + bytes(4) + b"\x25" + bytes(4)
    for body, count in ((whole, 1), (parts, 0)):
        graph = b"\x2a" + bytes([len(body)]) + body
        found = read(b"\x08\x08\x3a" + bytes([len(graph)]) + graph)
        assert (len(found.tensors), len(found.unread)) == (count, 1 - count)


def branches() -> onnx.ModelProto:
    """A model with tensors wherever a model can have them."""

    def body(name: str, seed: int) -> Any:
        out = helper.make_tensor_value_info("o", onnxes.FLOAT, [2])
        node = helper.make_node("Identity", ["w"], ["o"])
        return helper.make_graph([node], name, [], [out], [onnxes.tensor("w", 2, seed=seed)])

    nodes = [
        helper.make_node("Constant", [], ["c"], value=onnxes.tensor("", 3, seed=1)),
        helper.make_node("ConstantOfShape", ["s"], ["z"], value=onnxes.tensor("", 1, seed=2)),
        helper.make_node("If", ["b"], ["y"], then_branch=body("t", 3), else_branch=body("e", 4)),
        helper.make_node("F", ["x"], ["f"], domain="local"),
    ]
    inner = helper.make_node("Constant", [], ["k"], value=onnxes.tensor("", 2, seed=5))
    function = helper.make_function(
        "local", "F", ["x"], ["k"], [inner], [helper.make_opsetid("", 21)]
    )
    made = onnxes.model([onnxes.tensor("w", 2, 2, seed=6)], nodes, functions=[function])
    values, indices = onnxes.tensor("sparse", 2, seed=7), numpy_helper.from_array(np.array([0, 3]))
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [9]))
    step = made.training_info.add()
    step.algorithm.CopyFrom(body("a", 8))
    return made


def test_reads_the_tensors_of_inner_graphs_functions_and_training(tmp_path: Path) -> None:
    found = opened(tmp_path, branches())
    seeds = {
        "c": 1,
        "z:value": 2,
        "y:then_branch/w": 3,
        "y:else_branch/w": 4,
        "local::F/k": 5,
        "w": 6,
        "sparse": 7,
        "training 0 algorithm/w": 8,
    }
    assert {t.name for t in found.tensors} == {*seeds, "sparse:indices"}
    for name, seed in seeds.items():
        tensor = found.tensor(name)
        wanted = numpy_helper.to_array(onnxes.tensor("", *tensor.shape, seed=seed))
        np.testing.assert_array_equal(artifact.array(found, tensor), wanted)
    assert artifact.array(found, found.tensor("sparse:indices")).tolist() == [0, 3]
    assert not list(found.programs)
    assert not found.files[0].unread


def test_metadata_says_who_made_it_and_which_operators_it_takes(tmp_path: Path) -> None:
    made = onnxes.model([], producer_name="maker", doc_string="of the model")
    helper.set_model_props(made, {"classes": "2", "long": "x" * 70_000})
    found = dict(opened(tmp_path, made).files[0].metadata)
    assert found["producer_name"] == "maker"
    assert found["doc_string"] == "of the model"
    assert (found["ir_version"], found["opset ai.onnx"]) == ("10", "21")
    assert found["metadata classes"] == "2"
    assert found["metadata long"].startswith("70000 bytes, sha256 ")
    functions = dict(opened(tmp_path, branches()).files[0].metadata)
    assert functions["function local::F"].partition(" bytes, sha256 ")[2]


def test_lists_operators_that_would_run_code_of_others(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gelu", ["x"], ["a"], domain="com.microsoft"),
        helper.make_node("EPContext", ["a"], ["b"], domain="com.microsoft"),
        helper.make_node("Anything", ["b"], ["c"], domain="somebody"),
        helper.make_node("Anything", ["c"], ["d"], domain="somebody"),
        helper.make_node("PyOp", ["d"], ["e"], domain="ai.onnx.contrib"),
        helper.make_node("Scaler", ["e"], ["y"], domain="ai.onnx.ml"),
    ]
    programs = [p for _, p in opened(tmp_path, onnxes.model([], nodes)).programs]
    assert [(p.kind, p.name, p.allowed) for p in programs] == [
        ("onnx operator", "com.microsoft::Gelu", True),
        ("onnx operator", "com.microsoft::EPContext", False),
        ("onnx operator", "somebody::Anything", False),
        ("onnx operator", "ai.onnx.contrib::PyOp", False),
    ]


def test_lists_a_function_that_takes_the_place_of_an_operator(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    made = onnxes.model([])
    for domain in ("", "local"):
        made.functions.append(
            helper.make_function(
                domain, "Relu", ["x"], ["y"], [node], [helper.make_opsetid("", 21)]
            )
        )
    programs = [p for _, p in opened(tmp_path, made).programs]
    assert [(p.kind, p.name, p.allowed) for p in programs] == [
        ("onnx function in place of an operator", "ai.onnx::Relu", False)
    ]


def test_unknown_fields_are_said_to_be_unread() -> None:
    found = read(onnxes.model([]).SerializeToString() + b"\xf8\x07\x01")
    assert found.unread == ("field 127 of a model, at byte 0, which is not known",)


def test_claims_by_content_and_by_name(tmp_path: Path) -> None:
    data = onnxes.model([onnxes.tensor("w", 3)]).SerializeToString()
    (tmp_path / "model.bin").write_bytes(data)
    assert artifact.open(tmp_path).files[0].format == "onnx"
    assert not Onnx().claims(Held("model.bin", data[:-1]))
    assert not Onnx().claims(Held("model.bin", b"\x08\x08"))
    (tmp_path / "false.onnx").write_bytes(b"text")
    with pytest.raises(MalformedError):
        artifact.open(tmp_path)


def test_reads_no_tensor_byte() -> None:
    tensors = [onnxes.tensor(f"w{i}", 400, 500) for i in range(10)]
    file = Counted("model.onnx", onnxes.model(tensors).SerializeToString())
    assert len(Onnx().read(file).tensors) == 10
    assert file.bytes_read < 100 * 2**14 < file.size // 4


def walked() -> bytes:
    """A model without the messages that are not looked into, those of inputs and outputs."""
    made = branches()
    graphs = [made.graph, made.training_info[0].algorithm]
    graphs += [a.g for n in made.graph.node for a in n.attribute if a.type == a.GRAPH]
    for graph in graphs:
        del graph.input[:], graph.output[:]
    return bytes(made.SerializeToString())


SAMPLE = walked()
PIECES = [b"\x2a", b"\x3a\0", b"\xff" * 10, b"\x80", b"\x0a\x02", b"\x70\x01", b"\0", b"\x3b"]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_accepts_nothing_that_the_onnx_package_refuses(draw: st.DataObject) -> None:
    changed = bytearray(SAMPLE)
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(changed)))
        piece = draw.draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)))
        changed[at : at + draw.draw(st.sampled_from([len(piece), 0, 1]))] = piece
    data = bytes(changed)
    try:
        file = read(data)
    except (MalformedError, InputError):
        return
    theirs = onnx.ModelProto.FromString(data)
    held = {i.name: i for i in theirs.graph.initializer}
    for tensor in file.tensors:
        assert 0 <= tensor.region.start <= tensor.region.stop
        if tensor.name in held and tensor.file == "model.onnx":
            region = data[tensor.region.start : tensor.region.stop]
            assert numpy_helper.to_array(held[tensor.name]).tobytes() == region


def test_an_operator_set_of_a_function_is_a_message() -> None:
    """One that is none was passed over: found by the test above."""
    with pytest.raises(DecodeError):
        onnx.ModelProto.FromString(
            broken := SAMPLE.replace(b"\x0a\0\x10\x15R\x05local", b"\x80\0\x10\x15R\x05local")
        )
    with pytest.raises(MalformedError):
        read(broken)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"\x08\x08\x42\x02\x10\x11\x3a"):
        try:
            read(start + data)
        except MalformedError:
            continue


def test_fields_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\x08\x08\x3a\x06" + b"\x0a\x00" * 3
    monkeypatch.setattr("credenza.artifact.protobuf.MOST_FIELDS", 8)
    assert read(data)
    monkeypatch.setattr("credenza.artifact.protobuf.MOST_FIELDS", 7)
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert caught.value.finding.rule == "artifact.protobuf-count"


def test_100_000_empty_nodes_take_no_memory() -> None:
    made = onnx.ModelProto.FromString(b"\x08\x08\x3a" + b"\x80\x80\x10" + b"\x0a\x00" * 2**17)
    data = made.SerializeToString()
    tracemalloc.start()
    assert not read(data).tensors
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
