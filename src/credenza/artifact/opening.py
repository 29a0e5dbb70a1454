"""Opening a model: each file by the first reader that claims it."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

from credenza.artifact import external, plain, sharded
from credenza.artifact.compressed import CompressedPickle
from credenza.artifact.flax import Flax
from credenza.artifact.folder import Place
from credenza.artifact.gguf import Gguf
from credenza.artifact.hdf5 import Hdf5
from credenza.artifact.interface import Bytes, Reader
from credenza.artifact.keras_zip import Keras
from credenza.artifact.model import Artifact, File
from credenza.artifact.npy import Npy
from credenza.artifact.npz import Npz
from credenza.artifact.onnx import Onnx
from credenza.artifact.pickle_file import PickleFile
from credenza.artifact.safetensors import Safetensors
from credenza.artifact.skops import Skops
from credenza.artifact.tflite import Tflite
from credenza.artifact.torch_legacy import TorchLegacy
from credenza.artifact.torch_zip import TorchZip
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where

READERS: Final[tuple[Reader, ...]] = (
    TorchLegacy(),
    CompressedPickle(),
    PickleFile(),
    TorchZip(),
    Keras(),
    Skops(),
    Npz(),
    Npy(),
    Gguf(),
    Tflite(),
    Onnx(),
    Hdf5(),
    Safetensors(),
    Flax(),
    plain.PYTHON,
    plain.BYTECODE,
    plain.NATIVE,
    plain.SCRIPT,
    plain.LfsPointer(),
    plain.Config(),
    plain.Plain(),
)
"""The first that claims a file reads it. Those that can hold programs come first, and code by its
name comes after them: a pickle is a pickle under any name."""

_FORMAT_OF_NAME: Final = {
    ".safetensors": "safetensors",
    ".npy": "npy",
    ".npz": "npz",
    ".gguf": "gguf",
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".keras": "keras",
    ".skops": "skops",
    ".msgpack": "flax",
}
"""Names that promise a format without pickles. A file that breaks the promise is refused."""


def open(  # noqa: A001  `artifact.open` is what a caller writes
    path: str | os.PathLike[str], *, ignore: Collection[str] = ()
) -> Artifact:
    """The model at ``path``, a file or a folder, without executing anything of it.

    Everything in the folder is part of it but the seal at its top, and what ``ignore`` names
    (`credenza.artifact.files` says what may be named).

    Raises `InputError` where nothing can be read there, and `MalformedError` for the first file
    that is not what it claims to be, or abuses its format.
    """
    with Place(path) as place:
        found = tuple(_read_listed(place, f.path) for f in place.files(ignore=ignore))
        if place.is_file:
            external.check_alone(found[0])
        else:
            found = external.bind(found)
        for name in (f.path for f in found if f.path.endswith(sharded.SUFFIXES)):
            with place.open(name) as index:
                sharded.check(index, found)
        return Artifact(path=place.root, files=found, ignored=tuple(sorted(set(ignore))))


def read(file: Bytes) -> File:
    """What one file holds, by the first of `READERS` that claims it.

    Raises `MalformedError` where it is not what it claims to be, or abuses its format.
    """
    reader = next(r for r in READERS if r.claims(file))
    result = reader.read(file)
    _check_promise(result)
    return result


def _read_listed(place: Place, relative: str) -> File:
    with place.open(relative) as file:
        return read(file)


def _check_promise(file: File) -> None:
    for suffix, promised in _FORMAT_OF_NAME.items():
        if file.path.lower().endswith(suffix) and file.format != promised:
            runs = ", ".join(ascii(p.name)[1:-1] for p in file.programs[:8] if not p.allowed)
            raise MalformedError(
                Finding(
                    rule="artifact.false-name",
                    severity=Severity.CRITICAL if runs else Severity.HIGH,
                    what="the name promises a format that the content does not have",
                    where=Where(file=file.path),
                    expected=promised,
                    found=f"{file.format}, which would run {runs}" if runs else file.format,
                )
            )
