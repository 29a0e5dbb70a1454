"""Tensors of every kind, out of files: each once, in order, and into the digest."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from credenza import artifact
from credenza.artifact import Dtype, File, OpenFile, Region, Tensor, array, open_bytes
from credenza.errors import InputError
from credenza.scan.weights.reading import Failed, Outcome, is_weights, matrix, read
from credenza.scan.weights.statistics import Accumulator, Statistics

PLAIN = Tensor(
    name="t",
    dtype=Dtype.F32,
    shape=(16,),
    file="t",
    region=Region(start=0, stop=64, nbytes=64),
)
TYPES = [d for d in Dtype if is_weights(replace(PLAIN, dtype=d))]


def held(path: Path, file: File, *, digest: bool = False) -> tuple[dict[str, Outcome], str]:
    found: dict[str, Outcome] = {}
    with open_bytes(path, file.path) as opened:
        wanted = [t for t in file.tensors if is_weights(t)]
        sha256 = read(opened, wanted, lambda t, o: found.update({t.name: o}), digest=digest)
    return found, sha256


def check(path: Path) -> dict[str, Outcome]:
    """What a file's tensors come to, by numpy from `artifact.array`, and streamed."""
    opened = artifact.open(path)
    found, sha256 = held(path, opened.files[0], digest=True)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for tensor in filter(is_weights, opened.tensors):
        got = found[tensor.name]
        assert isinstance(got, Statistics), got
        with np.errstate(all="ignore"):
            values = np.ascontiguousarray(array(opened, tensor))
            flat = values.view(values.real.dtype).ravel()
            flat = flat.astype(np.float64 if flat.itemsize == 8 else np.float32)
        sums = Accumulator(*matrix(tensor))
        sums.feed(flat)
        whole = sums.finish()
        assert (got.size, got.nan, got.infinite) == (whole.size, whole.nan, whole.infinite)
        assert (got.minimum, got.maximum) == (whole.minimum, whole.maximum)
        assert got.largest == whole.largest
        assert got.zeros == whole.zeros
    return found


@pytest.mark.parametrize("dtype", TYPES, ids=lambda d: d.label)
def test_every_type_streams_as_it_is_read(dtype: Dtype, tmp_path: Path) -> None:
    rows, columns = 24, 3 * max(dtype.block, 16)
    size = rows * columns // dtype.block * dtype.bits // 8
    data = np.random.default_rng(2).integers(0, 256, size + 3, np.uint8).tobytes()
    (tmp_path / "t").write_bytes(data)
    tensor = Tensor(
        name="t",
        dtype=dtype,
        shape=(rows, columns),
        file="t",
        region=Region(start=3, stop=3 + size, nbytes=size),
    )
    file = File(path="t", size=len(data), format="test", tensors=(tensor,))
    found, sha256 = held(tmp_path, file, digest=True)
    assert sha256 == hashlib.sha256(data).hexdigest()
    model = artifact.Artifact(path=tmp_path, files=(file,))
    got = found["t"]
    if isinstance(got, Failed):  # nobody computes the values of some types of GGML
        with pytest.raises(InputError, match=got.why.partition(":")[2].strip()):
            array(model, tensor)
        return
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(array(model, tensor))
    flat = values.view(values.real.dtype)
    finite = flat[np.isfinite(flat)]
    assert got.nan == int(np.isnan(flat).sum())
    assert got.nan + got.infinite == flat.size - finite.size
    assert (got.minimum, got.maximum) == (finite.min(), finite.max())


def test_files_of_each_format(tmp_path: Path) -> None:
    import h5py
    from safetensors.numpy import save_file

    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((300, 70)).astype("f4"), rng.standard_normal((9, 3, 3, 3))
    save_file({"a": a, "b": b}, tmp_path / "m.safetensors")
    np.savez(tmp_path / "m.npz", a=a, b=b)
    np.savez_compressed(tmp_path / "c.npz", a=a, b=b)
    np.save(tmp_path / "m.npy", np.asfortranarray(a))
    with h5py.File(tmp_path / "m.h5", "w") as h5:
        h5["a"], h5["b"] = a, b
    state = {"a": torch.from_numpy(a), "t": torch.from_numpy(a).T, "b": torch.from_numpy(b).half()}
    torch.save(state, tmp_path / "m.pt")
    torch.save(state, tmp_path / "l.pt", _use_new_zipfile_serialization=False)
    for path in sorted(tmp_path.iterdir()):
        found = check(path)
        assert len(found) == {"m.npy": 1, "m.pt": 3, "l.pt": 3}.get(path.name, 2), path


def test_a_file_of_many_chunks(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    big = np.random.default_rng(4).standard_normal((3, 400_001)).astype("f4")
    save_file({"big": big, "half": big[:, :99_999].astype("f2")}, tmp_path / "m.safetensors")
    check(tmp_path / "m.safetensors")


def one(tmp_path: Path, data: bytes, tensor: Tensor) -> Outcome:
    (tmp_path / "t").write_bytes(data)
    file = File(path="t", size=len(data), format="test", tensors=(tensor,))
    return held(tmp_path, file)[0]["t"]


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (replace(PLAIN, region=Region(start=0, stop=999, nbytes=999)), "the file ends before it"),
        (replace(PLAIN, shape=(17,)), "its bytes end before it does"),
        (replace(PLAIN, shape=(1 << 40,), strides=(0,)), "beyond what is looked at"),
        (replace(PLAIN, shape=(2048, 2048), strides=(0, 0)), None),
        (replace(PLAIN, strides=(-1,)), "does not lie inside"),
        (
            replace(PLAIN, region=Region(start=0, stop=64, nbytes=64, encoding="deflate")),
            "no deflate stream",
        ),
    ],
)
def test_a_tensor_that_lies_about_itself(tensor: Tensor, why: str | None, tmp_path: Path) -> None:
    got = one(tmp_path, b"\xff\x01" * 32, tensor)
    if why is None:
        assert isinstance(got, Statistics)
    else:
        assert isinstance(got, Failed)
        assert why in got.why


def test_a_stream_that_inflates_to_more_or_less_than_it_claims(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t", bytes(1 << 20))
    info = zipfile.ZipFile(path).infolist()[0]
    data = path.read_bytes()[31 : 31 + info.compress_size]
    for claimed, why in ((1 << 18, "more than it claims"), (1 << 22, "less than it claims")):
        region = Region(start=0, stop=len(data), nbytes=claimed, encoding="deflate")
        got = one(tmp_path, data, replace(PLAIN, shape=(claimed // 4,), region=region))
        assert isinstance(got, Failed)
        assert why in got.why


def test_views_of_the_same_bytes_are_looked_at_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(bytes(1 << 20))
    region = Region(start=0, stop=1 << 20, nbytes=1 << 20)
    views = tuple(replace(PLAIN, name=f"t{i}", shape=(1 << 18,), region=region) for i in range(400))
    file = File(path="t", size=1 << 20, format="test", tensors=views)
    found, _ = held(tmp_path, file)
    looked_at = sum(isinstance(o, Statistics) for o in found.values())
    assert looked_at < 300
    assert len(found) == 400


def test_regions_that_overlap_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(bytes(128))
    second = replace(PLAIN, name="u", region=Region(start=32, stop=96, nbytes=64))
    file = File(path="t", size=128, format="test", tensors=(PLAIN, second))
    found, _ = held(tmp_path, file)
    assert isinstance(found["t"], Statistics)
    assert found["u"] == Failed("its bytes overlap those of others")


def test_a_file_that_shrinks_ends_the_digest_thread(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(bytes(64))
    with open_bytes(tmp_path, "t") as opened:
        assert isinstance(opened, OpenFile)
        path.write_bytes(bytes(8))
        with pytest.raises(InputError, match="64 bytes expected"):
            read(opened, [PLAIN], lambda _t, _o: None, digest=True)


def test_tensors_in_one_deflate_stream_are_inflated_once(tmp_path: Path) -> None:
    """A Keras archive is one HDF5 file, deflated, and each of its tensors a part of that."""
    values = np.random.default_rng(9).standard_normal((40, 300)).astype("f4")
    deflate = zlib.compressobj(wbits=-15)
    data = deflate.compress(values.tobytes()) + deflate.flush()
    (tmp_path / "t").write_bytes(data)
    region = Region(start=0, stop=len(data), nbytes=values.nbytes, encoding="deflate")
    tensors = tuple(
        replace(PLAIN, name=f"{i}", shape=(300,), offset=1200 * i, region=region) for i in range(40)
    )
    file = File(path="t", size=len(data), format="test", tensors=tensors)
    found, _ = held(tmp_path, file)
    for i, row in enumerate(values):
        got = found[f"{i}"]
        assert isinstance(got, Statistics)
        assert (got.minimum, got.maximum) == (row.min(), row.max())


@pytest.mark.parametrize("size", [1, 1 << 21, (3 << 21) - 4, 3 << 21, (3 << 21) + 4])
def test_a_stream_that_inflates_much_is_given_to_its_end(size: int, tmp_path: Path) -> None:
    deflate = zlib.compressobj(wbits=-15)
    data = deflate.compress(bytes(4 * size)) + deflate.flush()
    region = Region(start=0, stop=len(data), nbytes=4 * size, encoding="deflate")
    got = one(tmp_path, data, replace(PLAIN, shape=(size,), region=region))
    assert isinstance(got, Statistics)
    assert (got.size, got.zeros) == (size, size)
