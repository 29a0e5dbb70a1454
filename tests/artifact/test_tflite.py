from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza import artifact
from credenza.artifact.interface import Held
from credenza.artifact.model import File
from credenza.artifact.tflite import _TYPES, Tflite
from credenza.catalogue import rules
from credenza.errors import InputError, MalformedError
from tests.artifact import tflites
from tests.artifact.counted import Counted
from tests.artifact.tflites import Made
from tests.vectors import make_artifact_tflite as vectors

ROOT = Path(__file__).parents[1] / "vectors"
VECTORS = ROOT / "artifact" / "tflite"
REFUSALS: dict[str, dict[str, Any]] = json.loads((VECTORS / "refusals.json").read_text("utf-8"))


def read(data: bytes) -> File:
    return Tflite().read(Held("model.tflite", data))


@pytest.mark.parametrize("name", REFUSALS)
def test_refuses(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read((VECTORS / f"{name}.tflite").read_bytes())
    finding = caught.value.finding
    assert (finding.rule, finding.where.start) == (REFUSALS[name]["rule"], REFUSALS[name]["start"])
    assert finding.expected
    assert finding.found
    assert str(finding).isprintable()


def test_every_rule_has_a_vector() -> None:
    ours = {r.id for r in rules() if r.id.startswith(("artifact.tflite-", "artifact.flatbuffer-"))}
    assert ours <= {r["rule"] for r in REFUSALS.values()}


def test_vectors_are_what_the_script_writes(tmp_path: Path) -> None:
    script = str(ROOT / "make_artifact_tflite.py")
    subprocess.run([sys.executable, script, str(tmp_path)], check=True)
    written = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert written == {p.name: p.read_bytes() for p in VECTORS.iterdir()}


def reference(data: bytes) -> dict[str, tuple[int, tuple[int, ...], bytes]]:
    """What the tflite package reads: type, shape and bytes of each tensor with data."""
    model = tflite.Model.GetRootAs(data, 0)
    found = {}
    for i in range(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        for j in range(graph.TensorsLength()):
            tensor = graph.Tensors(j)
            buffer = model.Buffers(tensor.Buffer())
            if buffer.DataLength():
                shape = tuple(tensor.Shape(k) for k in range(tensor.ShapeLength()))
                raw = bytes(buffer.DataAsNumpy())
                found[f"{i}/{(tensor.Name() or b'').decode()}"] = tensor.Type(), shape, raw
    return found


def random(kind: int, shape: tuple[int, ...], seed: int) -> bytes:
    """Random bytes of the size of such a tensor; of booleans, 0 and 1."""
    size = (int(np.prod(shape)) * _TYPES[kind].bits + 7) // 8
    top = 2 if _TYPES[kind].label == "BOOL" else 256
    return np.random.default_rng(seed).integers(0, top, size, np.uint8).tobytes()


SHAPES = [(), (3,), (2, 3), (1, 5, 2)]


@pytest.mark.parametrize("seed", range(5))
def test_reads_every_type_as_the_tflite_package_does(tmp_path: Path, seed: int) -> None:
    made = [
        Made(
            f"t{kind}",
            SHAPES[(kind + seed) % 4],
            kind,
            random(kind, SHAPES[(kind + seed) % 4], seed),
        )
        for kind in _TYPES
    ]
    path = tmp_path / "model.tflite"
    path.write_bytes(tflites.model([*made, Made("computed", (4,), 0, None)]))
    opened = artifact.open(path)
    theirs = reference(path.read_bytes())
    assert {f"0/{t.name}" for t in opened.tensors} == theirs.keys()
    for tensor in opened.tensors:
        kind, shape, data = theirs[f"0/{tensor.name}"]
        assert (tensor.dtype, tensor.shape) == (_TYPES[kind], shape)
        assert artifact.raw(opened, tensor) == data
        assert artifact.array(opened, tensor).shape == shape


def test_values(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    made = [Made("w", (2, 3), 0, values.tobytes()), Made("i4", (3,), 17, bytes([0x8F, 0x07]))]
    (tmp_path / "model.tflite").write_bytes(tflites.model(made))
    opened = artifact.open(tmp_path)
    np.testing.assert_array_equal(artifact.array(opened, opened.tensor("w")), values)
    assert artifact.array(opened, opened.tensor("i4")).tolist() == [-1, -8, 7]


def test_names_tell_tensors_apart() -> None:
    w = Made("w", (1,), 9, b"a")
    found = read(tflites.model([w, w, Made("", (1,), 9, b"b")], [w]))
    assert [t.name for t in found.tensors] == ["w", "w#0.1", "tensor 0.2", "subgraph 1/w"]


def test_lists_custom_operators_and_tensorflow_s() -> None:
    found = read(tflites.model([], custom=("Mine", "FlexConv2D", "Mine")))
    assert [(p.kind, p.name, p.allowed) for p in found.programs] == [
        ("tflite operator", "Mine", False),
        ("tensorflow operator", "FlexConv2D", False),
    ]


def test_metadata() -> None:
    notes = {"min_runtime_version": b"1.5.0\0\0\0", "long": b"a" * 1000, "binary": b"\x01\x02"}
    found = dict(read(tflites.model([], description="a reader", notes=notes)).metadata)
    assert found["description"] == "a reader"
    assert found["metadata min_runtime_version"] == "1.5.0"
    assert found["metadata long"].startswith("1000 bytes, sha256 ")
    assert found["metadata binary"].startswith("2 bytes, sha256 ")


def test_says_which_tensors_it_does_not_read() -> None:
    sparse = vectors.tensor("sparse", _6=vectors.Table({}))
    words = vectors.tensor("words", kind=5)
    found = read(bytes(vectors.written(vectors.model([sparse, words]))))
    assert not found.tensors
    assert found.unread == (
        "sparse: a tensor of elements that are sparse",
        "words: a tensor of strings",
    )


def test_files_in_the_archive_at_the_end_are_named() -> None:
    out = io.BytesIO(tflites.model([Made("w", (1,), 9, b"a")]))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("labels.txt", "cat")
    found = read(out.getvalue())
    assert len(found.tensors) == 1
    assert found.unread == ("labels.txt: a file in the ZIP archive at the end",)


def test_buffers_behind_the_flatbuffer(tmp_path: Path) -> None:
    """What a model of over 2 GiB has, small."""
    behind = vectors.Table({1: ("Q", 0), 2: ("Q", 8)})
    root = vectors.model([vectors.tensor()], [vectors.buffer(b""), behind])
    start = len(vectors.written(root))
    behind.fields[1] = ("Q", start)
    for part in (root, behind):
        part.at = -1
    root = vectors.model([vectors.tensor()], [vectors.buffer(b""), behind])
    data = bytes(vectors.written(root)) + np.array([1, 2], "f4").tobytes()
    (tmp_path / "model.tflite").write_bytes(data)
    opened = artifact.open(tmp_path)
    assert artifact.array(opened, opened.tensor("w")).tolist() == [1, 2]


def test_buffers_in_another_file_become_its_own(tmp_path: Path) -> None:
    group = vectors.Table({0: vectors.Text(b"w.bin")})
    root = vectors.outside([group], [vectors.external()])
    (tmp_path / "model.tflite").write_bytes(vectors.written(root))
    with pytest.raises(MalformedError) as caught:
        artifact.open(tmp_path)
    assert caught.value.finding.rule == "artifact.external-missing"
    (tmp_path / "w.bin").write_bytes(np.array([3, 4], "f4").tobytes())
    opened = artifact.open(tmp_path)
    assert [(f.path, f.format) for f in opened.files] == [
        ("model.tflite", "tflite"),
        ("w.bin", "tensor data"),
    ]
    assert artifact.array(opened, opened.tensor("w")).tolist() == [3, 4]
    with pytest.raises(InputError, match="beside it"):
        artifact.open(tmp_path / "model.tflite")


def test_packed_buffers_in_another_file_are_not_read() -> None:
    packed = vectors.external()
    packed.fields[4] = vectors.Text(b"zipped")
    root = vectors.outside([vectors.Table({0: vectors.Text(b"w.bin")})], [packed])
    found = read(bytes(vectors.written(root)))
    assert found.unread == ("w: a tensor of elements that are zipped",)


def test_claims_by_content_and_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(tflites.model([]))
    assert artifact.open(tmp_path).files[0].format == "tflite"
    (tmp_path / "false.tflite").write_bytes(b"text")
    with pytest.raises(MalformedError) as caught:
        artifact.open(tmp_path)
    assert caught.value.finding.rule == "artifact.tflite-magic"


def test_reads_no_tensor_byte() -> None:
    made = [Made(f"w{i}", (1_000_000,), 9, bytes(1_000_000)) for i in range(5)]
    file = Counted("model.tflite", tflites.model(made))
    assert len(Tflite().read(file).tensors) == 5
    assert file.bytes_read < 100 * 2**14 < file.size // 2


SAMPLE = tflites.model(
    [Made("a", (2,), 0, bytes(8)), Made("b", (4,), 17, b"ab"), Made("x", (1,), 0, None)],
    [Made("c", (1,), 4, bytes(8))],
    custom=("Mine",),
    description="sample",
    notes={"k": b"v"},
)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_changed_bytes_are_read_or_refused(draw: st.DataObject) -> None:
    changed = bytearray(SAMPLE)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(changed) - 1))
        changed[at] = draw.draw(st.sampled_from([0, 1, 2, 4, 8, 127, 255, changed[at] ^ 1]))
    data = bytes(changed)
    try:
        file = read(data)
    except MalformedError:
        return
    found = [(name.partition("/")[2], tensor) for name, tensor in reference(data).items()]
    names = [name for name, _ in found]
    theirs = {name: tensor for name, tensor in found if names.count(name) == 1}
    for tensor in file.tensors:
        assert 0 <= tensor.region.start <= tensor.region.stop <= len(data)
        held = theirs.get(tensor.name)
        if held is not None and tensor.name in ("a", "b"):
            assert (tensor.shape, data[tensor.region.start : tensor.region.stop]) == held[1:]


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for head in (b"", b"\x10\0\0\0TFL3"):
        try:
            read(head + data)
        except MalformedError:
            continue
