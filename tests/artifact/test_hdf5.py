"""HDF5 is read as h5py reads it, by a reader that a hostile file cannot lead anywhere."""

from __future__ import annotations

import io
import itertools
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from credenza.artifact import array
from credenza.artifact import open as open_artifact
from credenza.artifact.hdf5 import Hdf5
from credenza.artifact.hdf5.checksum import lookup3
from credenza.artifact.hdf5.source import Source
from credenza.artifact.interface import Held
from credenza.artifact.model import Dtype, File
from credenza.artifact.pickles import BrokenPickleError
from tests.vectors import make_artifact_hdf5 as vectors

VERSIONS = ["earliest", "v108", "v110", "v114", "latest"]
EXPECTED: dict[str, dict[str, Any]] = json.loads((vectors.FOLDER / "refusals.json").read_text())
CODES = [
    "i1",
    "u1",
    "<i2",
    ">u2",
    "<i4",
    ">i4",
    "<u8",
    "<f2",
    ">f4",
    "<f4",
    ">f8",
    "<c8",
    ">c16",
    "?",
]
ARRAYS: dict[str, NDArray[Any]] = {
    **{code: np.arange(6).reshape(2, 3).astype(code) for code in CODES},
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "many axes": np.arange(4.0).reshape((1,) * 30 + (2, 2)),
}


def written(fill: Any, **settings: Any) -> bytes:
    """A file that ``fill`` has filled."""
    out = io.BytesIO()
    with h5py.File(out, "w", **settings) as f:
        fill(f)
    return out.getvalue()


def read(data: bytes) -> File:
    return Hdf5().read(Held("a.h5", data))


def refusal(data: bytes) -> BrokenPickleError:
    with pytest.raises(BrokenPickleError) as caught:
        read(data)
    return caught.value


def same(path: Path) -> None:
    """Every dataset that h5py sees is a tensor of the same values, or is said to be unread."""
    artifact = open_artifact(path)
    datasets: dict[str, Any] = {}
    with h5py.File(path) as f:
        f.visititems(
            lambda n, d: datasets.update({n: d[()]} if isinstance(d, h5py.Dataset) else {})
        )
    unread = {u.split(":")[0] for u in artifact.files[0].unread}
    assert {t.name for t in artifact.tensors} == datasets.keys() - unread
    for tensor in artifact.tensors:
        found = array(artifact, tensor)
        assert np.array_equal(found, datasets[tensor.name])
        assert found.shape == datasets[tensor.name].shape


def test_vectors_are_what_the_script_writes() -> None:
    assert (vectors.FOLDER / "refusals.json").read_text() == vectors.expected()
    for vector in vectors.vectors():
        assert (vectors.FOLDER / f"{vector.name}.h5").read_bytes() == vector.data


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_hostile_file_is_refused_at_its_byte(name: str) -> None:
    error = refusal((vectors.FOLDER / f"{name}.h5").read_bytes())
    assert error.finding.rule == EXPECTED[name]["rule"]
    assert error.finding.where.start == EXPECTED[name]["start"]


@pytest.mark.parametrize("name", ["old", "new"])
def test_the_bases_of_the_vectors_are_read(name: str) -> None:
    found = read(vectors.base(name))
    assert [t.name for t in found.tensors] == ["xx", "yy"]
    assert found.metadata == (("model_config", vectors.CONFIG),)
    assert [(p.name, p.allowed) for p in found.programs] == [("Sequential", True)]


@pytest.mark.parametrize("version", VERSIONS)
def test_values_are_those_of_h5py(version: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version) as f:
        for name, value in ARRAYS.items():
            f[f"group/{name}"] = value
    same(path)
    assert len(list(open_artifact(path).tensors)) == len(ARRAYS)


@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("ordered", [False, True])
def test_groups_of_any_size(version: str, ordered: bool, tmp_path: Path) -> None:
    """Trees of several levels, and heaps with blocks of blocks."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version, track_order=ordered) as f:
        for i in range(9):
            f[f"few/x{i}"] = np.float32(i)
        large = f.create_group("many", track_order=ordered)
        for i in range(1500):
            large[f"a name of some length, so that blocks are filled {i}"] = np.uint8(i % 256)
        deep = f
        for i in range(40):
            deep = deep.create_group(f"g{i}", track_order=ordered)
        deep["bottom"] = np.arange(3)
    same(path)
    assert len(list(open_artifact(path).tensors)) == 1510


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_what_is_no_one_run_of_numbers_is_said(version: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version) as f:
        f["kept"] = np.arange(3)
        f.create_dataset("chunks", data=np.arange(10.0), chunks=(3,))
        f.create_dataset("gzip", data=np.arange(10.0), compression="gzip")
        f.create_dataset("filled", (5,), "f4")
        f["text"] = "text"
        f["texts"] = np.array([b"a", b"bc"])
        f["structure"] = np.zeros(2, "f4,i4")
        f["variable"] = h5py.Empty("f4")
        f.create_dataset("ragged", (2,), h5py.vlen_dtype("i4"))
        f.create_dataset("enum", (2,), h5py.enum_dtype({"A": 0, "B": 1}, "i4"))
        f.create_dataset("reference", (1,), h5py.ref_dtype)
        f["opaque"] = np.array([b"ab"], "V2")
        f["type"] = np.dtype("f4")
        f["array"] = np.zeros(2, np.dtype(("f4", (2,))))[:1]
    found = open_artifact(path).files[0]
    assert [t.name for t in found.tensors] == ["array", "kept"]
    assert dict(u.split(": ", 1) for u in found.unread) == {
        "chunks": "a dataset in chunks",
        "gzip": "a dataset in chunks",
        "filled": "a dataset that was never written, and is its fill value",
        "text": "a dataset of text of variable length",
        "texts": "a dataset of text",
        "structure": "a dataset of structured elements",
        "variable": "a dataset without elements",
        "ragged": "a dataset of elements of variable length",
        "enum": "a dataset of an enumeration",
        "reference": "a dataset of references",
        "opaque": "a dataset of opaque bytes",
        "type": "neither a group nor a dataset",
    }


def test_one_chunk_is_one_run(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as f:
        f.create_dataset("one", data=np.arange(12.0).reshape(3, 4), chunks=(3, 4))
    same(path)
    assert open_artifact(path).tensor("one").shape == (3, 4)


def test_small_data_may_lie_in_the_header(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3,))
        made = h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, space, plist)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(3, dtype="<f4"))
    same(path)
    assert open_artifact(path).tensor("compact").region.start > 96


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_links(version: str) -> None:
    def fill(f: Any) -> None:
        f["real"] = np.arange(3)
        f["again"] = f["real"]
        f["soft"] = h5py.SoftLink("/real")
        f["dangling"] = h5py.SoftLink("/nothing")

    found = read(written(fill, libver=version))
    assert [t.name for t in found.tensors] == ["again", "real"]
    assert len({t.region for t in found.tensors}) == 1
    assert found.unread == ("dangling: a soft link to '/nothing'", "soft: a soft link to '/real'")


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_a_group_that_holds_itself(version: str) -> None:
    def fill(f: Any) -> None:
        f.create_group("a")["up"] = f

    assert refusal(written(fill, libver=version)).finding.rule == "artifact.hdf5-overlap"


@pytest.mark.parametrize("count", [3, 40, 700])
@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_attributes_are_found_wherever_they_are_kept(version: str, count: int) -> None:
    def fill(f: Any) -> None:
        for i in range(count):
            f.attrs[f"a{i}"] = f"value {i}"
        f.attrs["fixed"] = np.bytes_(b"fixed text")
        f.attrs["empty"] = ""
        f.attrs["number"] = 3
        f.attrs["list"] = ["a", "b"]
        f.attrs["model_config"] = '{"class_name":"Lambda","config":{}}'

    found = read(written(fill, libver=version))
    expected = {f"a{i}": f"value {i}" for i in range(count)}
    expected |= {"fixed": "fixed text", "empty": ""}
    assert {k: v for k, v in found.metadata if k != "model_config"} == expected
    assert [(p.name, p.allowed) for p in found.programs] == [("Lambda", False)]


def test_programs_say_where_their_names_stand() -> None:
    data = written(lambda f: f.attrs.update(model_config='{"class_name":"Lambda","config":{}}'))
    (program,) = read(data).programs
    assert data[program.start :].startswith(b"Lambda")


def test_a_refusal_carries_the_programs_found_before() -> None:
    def fill(f: Any) -> None:
        f.attrs["model_config"] = '{"class_name":"Lambda","config":{}}'
        f["out"] = h5py.ExternalLink("/etc/other.h5", "/x")

    assert [p.name for p in refusal(written(fill)).programs] == ["Lambda"]


def test_nothing_outside_the_file_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where a refusal comes late: whatever opens a file fails here."""

    def fails(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    files = [Held(v.name, v.data) for v in vectors.leading_out()]
    monkeypatch.setattr("builtins.open", fails)
    monkeypatch.setattr("os.open", fails)
    for file in files:
        with pytest.raises(BrokenPickleError):
            Hdf5().read(file)


def test_a_shape_far_beyond_the_file() -> None:
    def fill(f: Any, count: int) -> None:
        f.create_dataset("filled", (count,), "u1")

    largest = 4 << 30
    assert len(read(written(lambda f: fill(f, largest))).unread) == 1
    error = refusal(written(lambda f: fill(f, largest + 1)))
    assert error.finding.rule == "artifact.hdf5-space"


def test_attributes_that_share_one_text_are_bounded() -> None:
    """All text together is at most as long as the file, however often one is referred to."""
    texts = {"long": "x" * 4000} | {f"a{i}": f"{i}" for i in range(20)}
    data = written(lambda f: f.attrs.update(texts))
    heap = data.index(b"GCOL").to_bytes(8, "little")
    places = [at for at in range(len(data) - 16) if data[at + 4 : at + 12] == heap]
    long = next(data[at : at + 16] for at in places if data[at : at + 2] == b"\xa0\x0f")

    def pointing(count: int) -> bytes:
        changed = data
        for at in places[:count]:
            changed = changed[:at] + long + changed[at + 16 :]
        return changed

    assert 2 * 4000 < len(data) < 3 * 4000
    assert data[places[0] :].startswith(long)
    assert len(read(pointing(2)).metadata) == len(texts)
    assert refusal(pointing(3)).finding.rule == "artifact.hdf5-attribute"


def test_checksum_is_bob_jenkins() -> None:
    """The values of ``driver5`` in lookup3.c."""
    assert lookup3(b"") == 0xDEADBEEF
    assert lookup3(b"Four score and seven years ago") == 0x17770551


def test_bfloat16_as_keras_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f["w"] = np.array([0x3F80, 0x4000], "<u2").view("V2")
        f["w"].attrs["dtype"] = "bfloat16"
    artifact = open_artifact(path)
    assert artifact.tensor("w").dtype is Dtype.BF16
    assert array(artifact, artifact.tensor("w")).tolist() == [1.0, 2.0]


def fuzzed(version: str, ordered: bool) -> bytes:
    def fill(f: Any) -> None:
        f.attrs["model_config"] = vectors.CONFIG
        for i in range(30):
            f[f"g/x{i}"] = np.arange(3, dtype="f4")
        for i in range(12):
            f["g"].attrs[f"a{i}"] = "v" * i
        f["bool"] = np.array([True])
        f["complex"] = np.array([1j])
        f["soft"] = h5py.SoftLink("/g")
        f.create_dataset("chunks", data=np.arange(100.0), chunks=(10,), compression="gzip")

    return written(fill, libver=version, track_order=ordered)


ORIGINALS = [
    fuzzed(version, ordered) for version in ("earliest", "latest") for ordered in (False, True)
]


@given(st.sampled_from(ORIGINALS), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_mutated_files_are_read_or_refused(
    original: bytes, summed: bool, data: st.DataObject
) -> None:
    """Half of them without checksums, which keep a mutation of the new format from getting far."""
    content = original
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(
            st.binary(min_size=1, max_size=8)
            | st.integers(0, len(content)).map(lambda n: n.to_bytes(8, "little"))
            | st.sampled_from([b"\xff" * 8, bytes(8)])
        )
        content = content[:at] + piece + content[at + len(piece) :]
    with pytest.MonkeyPatch.context() as patch:
        if not summed:
            patch.setattr(Source, "check_sum", lambda *_: None)
        started = time.process_time()
        tracemalloc.start()
        try:
            tensors = read(content).tensors
        except BrokenPickleError:
            return
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 40 * len(content) + (1 << 20)
            assert time.process_time() - started < 10
    spans = sorted({(t.region.start, t.region.stop) for t in tensors if t.region.stop})
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert all(stop <= len(content) for _, stop in spans)


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_behind_a_signature(data: bytes) -> None:
    with pytest.raises(BrokenPickleError):
        read(b"\x89HDF\r\n\x1a\n" + data)
