"""Arrays as numpy writes them: in .npy, in .npz and in pickles."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from credenza.artifact import array
from credenza.artifact import open as open_artifact
from credenza.artifact.interface import Held, Reader
from credenza.artifact.model import File
from credenza.artifact.npy import MOST_HEADER, Npy
from credenza.artifact.npz import Npz
from credenza.artifact.pickle_file import PickleFile
from credenza.artifact.pickles import BrokenPickleError

CODES = [
    "?",
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
]
ARRAYS: dict[str, NDArray[Any]] = {
    **{code: np.arange(6).reshape(2, 3).astype(code) for code in CODES},
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3)),
}


class Runs:
    """Would create a file if it were loaded."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return Path.touch, (Path("credenza-was-here"),)  # type: ignore[return-value]


def npy(value: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, value, allow_pickle=True)
    return out.getvalue()


def refused(reader: Reader, data: bytes, name: str) -> BrokenPickleError:
    with pytest.raises(BrokenPickleError) as caught:
        reader.read(Held(name, data))
    return caught.value


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_npy_reads_as_numpy_does(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy(ARRAYS[name]))
    artifact = open_artifact(path)
    found = array(artifact, artifact.tensor("a"))
    assert np.array_equal(found, np.load(path))
    assert found.shape == ARRAYS[name].shape
    assert artifact.files[0].unread == ()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_versions(version: tuple[int, int]) -> None:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.arange(3), version)
    assert Npy().read(Held("a.npy", out.getvalue())).tensors[0].shape == (3,)


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_reads_as_numpy_does(compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(path, **dict[str, Any](ARRAYS))
    artifact = open_artifact(path)
    loaded = np.load(path)
    assert {t.name for t in artifact.tensors} == set(loaded.files)
    for tensor in artifact.tensors:
        assert tensor.region.encoding == ("deflate" if compressed else "raw")
        assert np.array_equal(array(artifact, tensor), loaded[tensor.name])


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_objects_are_programs(
    compressed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = io.BytesIO()
    objects = np.array([Runs()], dtype=object)
    (np.savez_compressed if compressed else np.savez)(out, objects=objects, plain=np.arange(3))
    found = Npz().read(Held("a.npz", out.getvalue()))
    assert [t.name for t in found.tensors] == ["plain"]
    assert found.unread == ("objects: an array of Python objects",)
    bad = [p for p in found.programs if not p.allowed]
    assert bad
    assert {p.member for p in bad} == {"objects.npy"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [
        np.array(["a", "b"]),
        np.array([b"x"]),
        np.zeros(2, "f4,i4"),
        np.array(["2026-01-01"], "M8[D]"),
    ],
)
def test_other_elements_are_said_and_not_guessed(value: NDArray[Any]) -> None:
    found = Npy().read(Held("a.npy", npy(value)))
    assert found.tensors == ()
    assert len(found.unread) == 1


def test_objects_inside_a_structure_are_a_pickle() -> None:
    value = np.zeros(1, dtype=[("n", "i4"), ("o", object)])
    found = Npy().read(Held("a.npy", npy(value)))
    assert found.unread == ("a: an array of Python objects",)
    assert found.programs


def header(text: str, data: bytes = b"\0" * 12, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode("latin-1") + data


GOOD = "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("(3,)", "(-3,)"),
        GOOD.replace("(3,)", "(True,)"),
        GOOD.replace("(3,)", "[3]"),
        GOOD.replace("(3,)", "(0, 9223372036854775807)"),
        GOOD.replace("False", "0"),
        GOOD.replace("'shape': (3,)", ""),
        GOOD.replace("}", "'more': 1}"),
        GOOD.replace("(3,)", "__import__('os')"),
        "(" * 5000,
        "",
    ],
)
def test_other_headers_are_refused(text: str) -> None:
    assert Npy().read(Held("a.npy", header(GOOD))).tensors[0].size == 3
    assert refused(Npy(), header(text), "a.npy").finding.rule == "artifact.npy-header"


def test_header_limits_from_both_sides() -> None:
    longest = GOOD.rstrip().ljust(MOST_HEADER)
    assert Npy().read(Held("a.npy", header(longest))).tensors
    assert refused(Npy(), header(longest + " "), "a.npy").finding.rule == "artifact.npy-header"
    wrong = header(GOOD, version=b"\x04\x00")
    assert refused(Npy(), wrong, "a.npy").finding.rule == "artifact.npy-header"


def test_npy_must_be_of_its_size() -> None:
    for data in (header(GOOD, bytes(11)), header(GOOD, bytes(13))):
        assert refused(Npy(), data, "a.npy").finding.rule == "artifact.array-size"
    objects = npy(np.array([None], dtype=object))
    error = refused(Npy(), objects + b"x", "a.npy")
    assert error.finding.rule == "artifact.pickle-trailing"
    assert error.programs


def test_npz_holds_arrays_only() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("objects.npy", npy(np.array([Runs()], dtype=object)))
        z.writestr("setup.py", "")
    error = refused(Npz(), out.getvalue(), "a.npz")
    assert error.finding.rule == "artifact.npz-layout"
    assert any(not p.allowed for p in error.programs)


def python2(value: NDArray[Any]) -> bytes:
    """The opcodes with which Python 2's numpy wrote an array, protocol 2, without its memo."""

    def string(data: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(data)) + data

    shape = b"".join(b"J" + struct.pack("<i", n) for n in value.shape)
    dtype = b"cnumpy\ndtype\n" + string(value.dtype.str[1:].encode()) + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + string(value.dtype.str[:1].encode()) + b"NNNJ\xff\xff\xff\xff"
    dtype += b"J\xff\xff\xff\xffK\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return start + b"(K\x01(" + shape + b"t" + dtype + b"\x89" + string(value.tobytes()) + b"tb"


def test_the_digits_as_python2_wrote_them(tmp_path: Path) -> None:
    """Like mnist.pkl: three pairs of images and labels."""
    images = np.arange(24, dtype="<f4").reshape(2, 12) / 24
    labels = np.array([5, 2], dtype="<i8")
    pair = python2(images) + python2(labels) + b"\x86"
    path = tmp_path / "mnist.pkl"
    path.write_bytes(b"\x80\x02" + pair * 3 + b"\x87.")
    artifact = open_artifact(path)
    assert [t.name for t in artifact.tensors] == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]
    assert np.array_equal(array(artifact, artifact.tensor("2.0")), images)
    assert np.array_equal(array(artifact, artifact.tensor("1.1")), labels)
    assert all(p.allowed for _, p in artifact.programs)
    loaded = pickle.loads(path.read_bytes(), encoding="latin1")
    assert np.array_equal(loaded[2][0], images)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_pickled_arrays_are_byte_ranges(name: str, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    value = ARRAYS[name]
    path.write_bytes(pickle.dumps({"w": {"x": [value]}, "n": np.float64(2)}, protocol))
    artifact = open_artifact(path)
    assert np.array_equal(array(artifact, artifact.tensor("w.x.0")), value)
    assert [p.name for _, p in artifact.programs if not p.allowed] == []


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_arrays_written_as_text_are_said(protocol: int) -> None:
    found = PickleFile().read(Held("a.pkl", pickle.dumps([np.arange(300.0)], protocol)))
    assert found.unread == ("0: an array whose bytes are written as text, not as they are",)
    assert all(p.allowed for p in found.programs)


def test_pickled_array_alone_and_of_objects() -> None:
    assert read(pickle.dumps(np.arange(3), 5)).tensors[0].name == "array"
    objects = read(pickle.dumps([np.array([None], dtype=object)], 4))
    assert objects.unread == ("0: an array of Python objects",)


def test_pickled_array_of_another_size() -> None:
    data = pickle.dumps(np.arange(3, dtype="<i4"), 4).replace(b"K\x03\x85", b"K\x04\x85", 1)
    assert refused(PickleFile(), data, "a.pkl").finding.rule == "artifact.array-size"


def read(data: bytes) -> File:
    return PickleFile().read(Held("a.pkl", data))


def archive() -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, a=np.arange(3), o=np.array([None], dtype=object))
    return out.getvalue()


ORIGINALS: list[tuple[Reader, str, bytes]] = [
    (Npy(), "a.npy", npy(np.arange(3))),
    (Npy(), "a.npy", npy(np.array([None, 1], dtype=object))),
    (Npz(), "a.npz", archive()),
    (PickleFile(), "a.pkl", pickle.dumps([np.arange(3), np.float32(1)], 4)),
    (PickleFile(), "a.pkl", pickle.dumps([np.arange(3), np.float32(1)], 5)),
]


@given(st.sampled_from(ORIGINALS), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_files_are_read_or_refused(
    original: tuple[Reader, str, bytes], data: st.DataObject
) -> None:
    reader, name, content = original
    at = data.draw(st.integers(0, len(content) - 1))
    piece = data.draw(st.binary(max_size=4))
    file = Held(name, content[:at] + piece + content[at + len(piece) :])
    try:
        tensors = reader.read(file).tensors
    except BrokenPickleError:
        return
    assert all(0 <= t.region.start <= t.region.stop <= file.size for t in tensors)
