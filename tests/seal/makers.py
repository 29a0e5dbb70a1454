"""Honest models of every format, made at random: what alterations are tried on."""

from __future__ import annotations

import os
import pickle
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import gguf
import h5py
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.numpy import save_file

Arrays = dict[str, NDArray[Any]]
Maker = Callable[[Path, random.Random], Path]
"""Makes a model below a folder, and says where it is: a folder, or a file."""

_MEMORY: Final = "/dev/shm"  # noqa: S108  a folder of an unpredictable name is made in it
_DTYPES: Final = ("<f4", "<f4", "<f2", "<f8", "<i4", "<i8", "|u1")


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder to be thrown away: in memory where there is such a place, for seals are synced."""
    return tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)


def arrays(rng: random.Random) -> Arrays:
    """Two matrices of one shape and type, and others of any."""
    values = np.random.default_rng(rng.getrandbits(64))
    rows, columns = rng.randint(3, 12), rng.randint(13, 40)
    shapes: list[tuple[int, ...]] = [(rows, columns), (rows, columns)]
    shapes += [tuple(rng.randint(1, 9) for _ in range(rng.randint(0, 4))) for _ in range(4)]
    made: Arrays = {}
    for i, shape in enumerate(shapes):
        dtype = np.dtype("<f4" if i < 2 else rng.choice(_DTYPES))
        bits = values.integers(1, 64, size=shape)
        made[f"layer{i}.weight_{rng.getrandbits(20):05x}"] = np.asarray(bits, dtype)
    return made


def safetensors_folder(folder: Path, rng: random.Random) -> Path:
    """Weights in two files, a configuration, code, a folder below, a hidden file, an empty one."""
    model = folder / "reader"
    (model / "more").mkdir(parents=True)
    save_file(arrays(rng), model / "model.safetensors", metadata={"format": "pt"})
    other = {f"more.{name}": value for name, value in arrays(rng).items()}
    save_file(other, model / "more" / "model.safetensors")
    (model / "config.json").write_text(f'{{"classes": {rng.randint(10, 99)}}}')
    (model / "more" / "reader.py").write_text("print('never run')\n")
    (model / ".hidden").write_bytes(rng.randbytes(40))
    (model / "empty").touch()
    return model


def safetensors_file(folder: Path, rng: random.Random) -> Path:
    save_file(arrays(rng), folder / "model.safetensors")
    return folder / "model.safetensors"


def torch_folder(folder: Path, rng: random.Random) -> Path:
    """A checkpoint as `torch.save` writes it now, and one as it once did."""
    model = folder / "reader"
    model.mkdir()
    for name, zipped in (("model.pt", True), ("old.pt", False)):
        made = arrays(rng)
        tensors = {f"{name}.{key}": torch.from_numpy(value) for key, value in made.items()}
        torch.save(tensors, model / name, _use_new_zipfile_serialization=zipped)
    return model


def npz_file(folder: Path, rng: random.Random) -> Path:
    save: Any = rng.choice((np.savez, np.savez_compressed))
    save(folder / "model.npz", **arrays(rng))
    return folder / "model.npz"


def npy_folder(folder: Path, rng: random.Random) -> Path:
    """A file a tensor."""
    model = folder / "reader"
    model.mkdir()
    for name, value in arrays(rng).items():
        np.save(model / f"{name}.npy", value)
    return model


def pickle_file(folder: Path, rng: random.Random) -> Path:
    protocol = rng.choice((2, 3, 4, 5))
    (folder / "model.pkl").write_bytes(pickle.dumps(arrays(rng), protocol))
    return folder / "model.pkl"


def hdf5_file(folder: Path, rng: random.Random) -> Path:
    with h5py.File(folder / "model.h5", "w") as file:
        for name, value in arrays(rng).items():
            file[name] = value
    return folder / "model.h5"


def gguf_file(folder: Path, rng: random.Random) -> Path:
    """Weights and key-value pairs."""
    writer = gguf.GGUFWriter(folder / "model.gguf", "reader")
    writer.add_string("tokenizer.chat_template", f"{{{{ messages }}}} {rng.getrandbits(30)}")
    for name, value in arrays(rng).items():
        if value.dtype in (np.float32, np.float16) and value.ndim:
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "model.gguf"


def onnx_folder(folder: Path, rng: random.Random) -> Path:
    """A graph, and its weights in a file beside it."""
    model = folder / "reader"
    model.mkdir()
    weights = [numpy_helper.from_array(value, name) for name, value in arrays(rng).items()]
    graph = onnx.helper.make_graph([], "reader", [], [], weights)
    whole = onnx.helper.make_model(graph)
    onnx.save_model(
        whole,
        model / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=64,
    )
    return model


MAKERS: Final[tuple[Maker, ...]] = (
    safetensors_folder,
    safetensors_file,
    torch_folder,
    npz_file,
    npy_folder,
    pickle_file,
    hdf5_file,
    gguf_file,
    onnx_folder,
)
"""A format is a line here."""
