"""joblib's files: pickles with arrays between the opcodes, and compressed ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.numpy_pickle_compat import write_zfile
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from credenza.artifact import array
from credenza.artifact import open as open_artifact
from credenza.artifact import read as read_file
from credenza.artifact.compressed import CompressedPickle
from credenza.artifact.interface import Held
from credenza.artifact.model import File
from credenza.artifact.pickle_file import PickleFile
from credenza.artifact.pickles import BrokenPickleError
from credenza.errors import MissingExtraError

METHODS = ["zlib", "gzip", "bz2", "xz", "lzma", "lz4"]
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
    "boolean": np.array([[True, False]]),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3)),
}
OTHERS: dict[str, NDArray[Any]] = {
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "structure": np.zeros(2, "f4,i4"),
    "dates": np.array(["2026-01-01"], "M8[D]"),
    "raw": np.zeros(2, "V3"),
}
WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"


class Runs:
    """Would create a file if it were loaded."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("credenza-was-here",)


def dumped(value: object, path: Path, **settings: Any) -> bytes:
    joblib.dump(value, path, **settings)
    return path.read_bytes()


def read(data: bytes, name: str = "a.joblib") -> File:
    return read_file(Held(name, data))


def refused(data: bytes) -> BrokenPickleError:
    with pytest.raises(BrokenPickleError) as caught:
        read(data)
    return caught.value


def disallowed(file: File) -> list[str]:
    return [p.name for p in file.programs if not p.allowed]


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_arrays_are_runs_of_bytes(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.joblib"
    joblib.dump({"w": {"x": [ARRAYS]}, "n": 3}, path, protocol=protocol)
    artifact = open_artifact(path)
    loaded = joblib.load(path)["w"]["x"][0]
    assert artifact.files[0].format == "joblib"
    assert {t.name for t in artifact.tensors} == {f"w.x.0.{name}" for name in ARRAYS}
    for tensor in artifact.tensors:
        found = array(artifact, tensor)
        assert np.array_equal(found, loaded[tensor.name.rpartition("w.x.0.")[2]])
        assert found.shape == loaded[tensor.name.rpartition("w.x.0.")[2]].shape
    if protocol >= 2:
        assert disallowed(artifact.files[0]) == []


def test_an_array_alone(tmp_path: Path) -> None:
    found = read(dumped(np.arange(5), tmp_path / "a"), "model.bin")
    assert [(t.name, t.shape) for t in found.tensors] == [("array", (5,))]
    assert found.format == "joblib"


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_what_is_read_on_behind_an_array_of_another_kind(name: str, tmp_path: Path) -> None:
    found = read(dumped([OTHERS[name], np.arange(3)], tmp_path / "a"))
    assert [t.name for t in found.tensors] == ["1"]
    assert len(found.unread) == 1
    assert disallowed(found) == []


def test_objects_are_a_pickle_of_their_own(tmp_path: Path) -> None:
    """It has its own memo for joblib and not for pickle, so nobody says that it does no harm."""
    found = read(dumped([np.array([Runs(), "x"]), np.arange(3)], tmp_path / "a"))
    assert [t.name for t in found.tensors] == ["1"]
    assert found.unread == ("0: an array of Python objects",)
    assert "posix.mkdir" in disallowed(found)
    assert WRAPPER in disallowed(found)
    assert not Path("credenza-was-here").exists()


def test_a_model_of_scikit_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["no", "yes"], dtype=object)[rng.integers(0, 2, 40)]
    model = RandomForestClassifier(2, max_depth=2, random_state=0).fit(rng.random((40, 3)), labels)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    artifact = open_artifact(path)
    assert "sklearn.ensemble._forest.RandomForestClassifier" in disallowed(artifact.files[0])
    values = artifact.tensor("estimators_.0.tree_.values")
    assert np.array_equal(array(artifact, values), model.estimators_[0].tree_.value)


def test_as_joblib_before_1_1_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without padding the array's bytes are opcodes to pickle, so the wrapper is not allowed."""
    monkeypatch.setattr(joblib.numpy_pickle, "NUMPY_ARRAY_ALIGNMENT_BYTES", None)
    monkeypatch.setattr(
        joblib.numpy_pickle.NumpyArrayWrapper.__init__, "__defaults__", (False, None)
    )
    value = np.frombuffer(b"cos\nsystem\n(X\x01\x00\x00\x00xtR.", "u1")
    path = tmp_path / "a.joblib"
    joblib.dump(value, path)
    artifact = open_artifact(path)
    assert np.array_equal(array(artifact, artifact.tensor("array")), value)
    assert WRAPPER in disallowed(artifact.files[0])


def test_an_ordinary_unpickler_stops_at_the_padding(tmp_path: Path) -> None:
    """What makes a wrapper harmless to allow: no loader reads the array's bytes as opcodes."""
    value = np.frombuffer(b"cos\ngetcwd\n)R.", "u1")
    data = dumped(value, tmp_path / "a")
    assert disallowed(read(data)) == []
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(data)


def simple(tmp_path: Path) -> bytes:
    return dumped(np.arange(4, dtype="<i4"), tmp_path / "simple")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x04\x85", b"K\x05\x85"),  # a shape that goes past the end
        (b"\x8c\x02i4", b"\x8c\x02i9"),  # an element of 9 bytes
        (b"\x8c\x02i4", b"\x8c\x02q4"),  # a type that is none of numpy's
        (b"\x8c\x02i4", b"\x8c\x02O4"),  # objects, whose flags do not say so
        (b"\x8c\x02i4", b"\x8c\x02V4"),  # a structure, whose size is not in the state
        (b"\x8c\x01C", b"\x8c\x01X"),  # an order that is none
        (b"\x8c\x05order", b"\x8c\x05orde_"),
        (b"alignment_bytes\x94K\x10", b"alignment_bytes\x94K\x00"),
        (b"alignment_bytes\x94K\x10", b"alignment_bytes\x94K\x11"),
        (b"\xff\xff\x00\x00\x00\x00\x01", b"\xff\xfe\x00\x00\x00\x00\x01"),
    ],
)
def test_an_array_that_joblib_does_not_write(old: bytes, new: bytes, tmp_path: Path) -> None:
    data = simple(tmp_path)
    assert read(data).tensors
    assert data.count(old) == 1
    changed = data.replace(old, new)
    error = refused(changed)
    assert error.finding.rule == "artifact.joblib-array"
    assert WRAPPER in {p.name for p in error.programs}


def test_flags_that_turn_bytes_into_a_pickle(tmp_path: Path) -> None:
    """joblib unpickles an array's bytes where the dtype's flags say that it holds objects."""
    data = dumped(np.zeros(2, "f4,i4"), tmp_path / "a")
    assert data.count(b"K\x08K\x01K\x10t") == 1
    error = refused(data.replace(b"K\x08K\x01K\x10t", b"K\x08K\x01K\x11t"))
    assert error.finding.rule == "artifact.joblib-array"


def test_an_array_inside_a_frame(tmp_path: Path) -> None:
    """Python's unpickler holds the frame in memory, and joblib reads behind it."""
    data = simple(tmp_path)
    length = int.from_bytes(data[3:11], "little")
    changed = data[:3] + (length + 4).to_bytes(8, "little") + data[11:]
    assert refused(changed).finding.rule == "artifact.pickle-frame"


def test_what_joblib_compressed_before_0_10_is_read(tmp_path: Path) -> None:
    """``ZF``, a length, and zlib, whatever the name."""
    data = pickle.dumps([Runs(), "x" * 99], protocol=2)
    at = tmp_path / "a.bin"
    with at.open("wb") as file:
        write_zfile(file, data)
    (found,) = open_artifact(at).files
    assert (found.format, dict(found.metadata)["compression"]) == ("joblib", "joblib's ZF")
    assert disallowed(found) == ["posix.mkdir"]
    assert {p.member for p in found.programs} == {"joblib's ZF stream"}
    at.write_bytes(at.read_bytes() + b"x")
    with pytest.raises(BrokenPickleError, match="bytes follow the joblib's ZF stream"):
        open_artifact(at)


@pytest.mark.parametrize("method", METHODS)
def test_compressed_files_list_their_programs(method: str, tmp_path: Path) -> None:
    value = {"w": np.arange(1000.0), "bad": Runs()}
    data = dumped(value, tmp_path / "a", compress=(method, 3))
    for name in ("a.joblib", "a.pkl", "model.bin"):
        found = read(data, name)
        assert found.format == "joblib"
        assert found.size == len(data)
        assert found.unread == ("w: an array inside a compressed pickle",)
        assert disallowed(found) == ["posix.mkdir"]
        assert ("compression", method) in found.metadata
        assert {p.member for p in found.programs} == {f"{method} stream"}


@pytest.mark.parametrize("method", METHODS)
def test_a_compressed_file_that_breaks_off_shows_what_stands_before(
    method: str, tmp_path: Path
) -> None:
    value = [Runs(), np.random.default_rng(0).random(30_000)]
    data = dumped(value, tmp_path / "a", compress=(method, 3))
    error = refused(data[: len(data) * 3 // 4])
    assert error.finding.rule == "artifact.compressed-stream"
    if method not in ("bz2", "lz4"):  # whose blocks are larger than what is left
        assert "posix.mkdir" in {p.name for p in error.programs}
    assert refused(data + b"\0").finding.rule == "artifact.compressed-stream"


def test_compressed_pickles_of_others(tmp_path: Path) -> None:
    for old in range(6):
        data = pickle.dumps({"a": [1, "two"]}, old)
        assert read(gzip.compress(data), "a.bin").format == "joblib"
    for text in (b"name,value\n1,2\n" * 100, b"", b"\0" * 100):
        for compressed in (gzip.compress(text), bz2.compress(text), lzma.compress(text)):
            assert not CompressedPickle().claims(Held("table.csv", compressed))


def test_growth_from_both_sides() -> None:
    """256 MiB in any case, and a hundred times the size of the file."""

    def bomb(size: int) -> bytes:
        head = b"\x80\x04B" + (size - 8).to_bytes(4, "little")
        stream = zlib.compressobj(9)
        parts = [stream.compress(head)]
        left = size - 8
        while left:
            step = min(left, 1 << 20)
            parts.append(stream.compress(bytes(step)))
            left -= step
        return b"".join([*parts, stream.compress(b"."), stream.flush()])

    limit = 256 << 20
    tracemalloc.start()
    assert read(bomb(limit)).programs == ()
    error = refused(bomb(limit + 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.finding.rule == "artifact.compressed-bomb"
    assert peak < 16 << 20


def test_lz4_without_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A refusal to say, and never another answer."""
    data = dumped([1], tmp_path / "a", compress=("lz4", 3))
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    for name in ("a.joblib", "model.bin"):
        with pytest.raises(MissingExtraError, match="'lz4'"):
            read(data, name)


def fuzzed() -> list[bytes]:
    value = {"a": np.arange(12.0), "o": np.array([1, None], dtype=object), **OTHERS}
    found = []
    for method in (0, *METHODS):
        out = io.BytesIO()
        joblib.dump(value, out, compress=(method, 3) if method else 0)
        found.append(out.getvalue())
    return found


ORIGINALS = fuzzed()


@given(st.sampled_from(ORIGINALS), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_files_are_read_or_refused(original: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(original) - 1))
    piece = data.draw(st.binary(min_size=1, max_size=8))
    file = Held("a.joblib", original[:at] + piece + original[at + len(piece) :])
    try:
        tensors = read_file(file).tensors
    except BrokenPickleError:
        return
    assert all(0 <= t.region.start <= t.region.stop <= file.size for t in tensors)


def test_plain_pickles_stay_what_they_are() -> None:
    assert PickleFile().read(Held("a.pkl", pickle.dumps([np.arange(3)]))).format == "pickle"
