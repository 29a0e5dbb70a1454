"""Every format: what was sealed verifies, and loads as the library that wrote it gives it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

import credenza
from credenza.errors import AlteredError
from credenza.seal import seal, verify
from tests.seal.models import KEY, TRUST

VECTORS = Path(__file__).parent.parent / "vectors" / "artifact"
Values = dict[str, NDArray[Any]]


def hdf5(folder: Path) -> Values:
    values: Values = {"g/w": np.arange(6, dtype=">f4").reshape(2, 3), "b": np.array([True, False])}
    with h5py.File(folder / "weights.h5", "w", libver="latest") as f:
        for name, value in values.items():
            f[name] = value
        f.create_dataset("chunks", data=np.arange(10), chunks=(3,))
    return values


def keras(folder: Path) -> Values:
    shutil.copy(VECTORS / "keras" / "plain.keras", folder / "model.keras")
    values = np.load(VECTORS / "keras" / "plain.npz")
    names = ["conv2d/vars/0", "conv2d/vars/1", "dense/vars/0", "dense/vars/1"]
    return {f"layers/{name}": values[str(i)] for i, name in enumerate(names)}


def flax(folder: Path) -> Values:
    shutil.copy(VECTORS / "flax" / "state.msgpack", folder / "flax_model.msgpack")
    return dict(np.load(VECTORS / "flax" / "state.npz"))


def joblib_file(folder: Path) -> Values:
    value = {"w": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "n": np.arange(4, dtype="i2")}
    joblib.dump(value, folder / "a.joblib")
    loaded: Values = joblib.load(folder / "a.joblib")
    return loaded


def skops_file(folder: Path) -> Values:
    rng = np.random.default_rng(0)
    model = LogisticRegression().fit(rng.random((20, 3)), rng.integers(0, 2, 20))
    skops.io.dump(model, folder / "a.skops")
    return {name: getattr(model, name) for name in ("coef_", "intercept_", "classes_")}


WRITERS: list[Callable[[Path], Values]] = [hdf5, keras, flax, joblib_file, skops_file]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reader").mkdir()
    return tmp_path / "reader"


@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__)
def test_what_was_sealed_loads_as_its_library_gives_it(
    write: Callable[[Path], Values], folder: Path
) -> None:
    values = write(folder)
    taken = seal(credenza.open(folder), KEY)
    assert verify(folder, TRUST).value.seal == taken
    loaded = credenza.load(folder, TRUST)
    assert values.keys() <= loaded.keys()
    for name, value in values.items():
        assert np.array_equal(loaded[name], value)
        assert loaded[name].shape == value.shape


@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__)
def test_a_byte_of_a_tensor_is_named(write: Callable[[Path], Values], folder: Path) -> None:
    write(folder)
    model = credenza.open(folder)
    seal(model, KEY)
    tensor = next(t for t in model.tensors if t.size > 1)
    path = folder / tensor.file
    data = bytearray(path.read_bytes())
    data[tensor.region.start] ^= 1
    path.write_bytes(data)
    with pytest.raises(AlteredError) as caught:
        verify(folder, TRUST)
    assert [f.where.tensor for f in caught.value.report.findings] == [tensor.name]


@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__)
def test_every_byte_is_sealed(write: Callable[[Path], Values], folder: Path) -> None:
    write(folder)
    seal(credenza.open(folder), KEY)
    (path,) = (p for p in folder.iterdir() if p.name != "credenza.seal")
    data = path.read_bytes()
    for at in range(0, len(data), max(1, len(data) // 40)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :])
        with pytest.raises(AlteredError):
            verify(folder, TRUST)
