"""Opening a model: each file by the first reader that claims it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, cast, final

from credenza.artifact import external, plain, sharded
from credenza.artifact.folder import Place
from credenza.artifact.interface import Bytes, Reader, Signs
from credenza.artifact.model import Artifact, File
from credenza.artifact.promises import FORMAT_OF_NAME
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where


@final
@dataclass(frozen=True, slots=True)
class Later:
    """The reader ``name`` of a module of this room, imported for the first file with its signs.

    Whether such a file is one that it reads, the reader itself decides.
    """

    module: str
    name: str
    signs: Signs

    def claims(self, file: Bytes) -> bool:
        return self.signs.on(file) and self._reader().claims(file)

    def read(self, file: Bytes) -> File:
        return self._reader().read(file)

    def _reader(self) -> Reader:
        module = importlib.import_module(f"credenza.artifact.{self.module}")
        return cast("Reader", getattr(module, self.name)())


_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OPCODES: Final = tuple(bytes([c]) for c in b"\x80(.012FGIJKLMNPQRSTUVX]abcdeghijlopqrstu}")
"""With which a pickle can begin."""
_COMPRESSED: Final = (b"x", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"]\0\0", b"\x04\x22\x4d\x18", b"ZF")
_MAPS: Final = tuple(bytes([c]) for c in (*range(0x81, 0x90), 0xDE, 0xDF))
"""With which MessagePack begins a map that holds something."""

READERS: Final[tuple[Reader, ...]] = (
    Later("torch_legacy", "TorchLegacy", Signs(magics=(*_OPCODES, b"\x8a"))),
    Later("compressed", "CompressedPickle", Signs(magics=_COMPRESSED)),
    Later("pickle_file", "PickleFile", Signs(magics=_OPCODES)),
    Later("torch_zip", "TorchZip", Signs(magics=_ZIP)),
    Later("keras_zip", "Keras", Signs(magics=_ZIP)),
    Later("skops", "Skops", Signs(magics=_ZIP)),
    Later("npz", "Npz", Signs(magics=_ZIP)),
    Later("npy", "Npy", Signs(magics=(b"\x93NUMPY",), suffixes=(".npy",))),
    Later("gguf", "Gguf", Signs(magics=(b"GGUF",), suffixes=(".gguf",))),
    Later("tflite", "Tflite", Signs(magics=(b"TFL3",), at=4, suffixes=(".tflite",))),
    Later("onnx", "Onnx", Signs(magics=(b"\x08",), suffixes=(".onnx",))),
    Later("hdf5", "Hdf5", Signs(magics=(b"\x89HDF",), suffixes=(".h5", ".hdf5"))),
    Later("safetensors", "Safetensors", Signs(magics=(b"{",), at=8, suffixes=(".safetensors",))),
    Later("flax", "Flax", Signs(magics=_MAPS, suffixes=(".msgpack",))),
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
    for suffix, promised in FORMAT_OF_NAME.items():
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
