"""What a signature leaves out, and what may never be left out.

ossf/model-signing-spec, section 6.2: exact paths from the model's top, with all below them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from credenza.artifact.folder import SEAL_NAME

DEFAULT: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""Left out of every signature, listed there or not."""

OWN: Final = (SEAL_NAME,)
"""Our own seal: an attestation beside the model, checked by its own verb."""

_CODE: Final = """
py pyw pyc pyo pyd so dll dylib exe sh bash bat cmd ps1 js mjs lua wasm jar
"""
_TENSORS: Final = """
safetensors bin pt pt2 pth ckpt pkl pickle joblib dill npy npz gguf ggml ggjt onnx ort pb pbtxt
tflite lite h5 hdf5 keras msgpack skops mar mlmodel mlpackage pdmodel pdparams params model t7
engine plan rds rdata llamafile zip tar 7z
"""
_HOW_THEY_ARE_READ: Final = "json jinja jinja2 vocab merges"
LOADABLE: Final = frozenset(f"{_CODE} {_TENSORS} {_HOW_THEY_ARE_READ}".split())
"""Suffixes of what a loader reads or an interpreter runs."""


def is_loadable(path: str) -> bool:
    """Whether a file of that name can take part in what a model does."""
    name = path.rpartition("/")[2].lower()
    return any(part in LOADABLE for part in name.split(".")[1:])


def covering(path: str, entries: Collection[str]) -> str | None:
    """The entry that leaves the path out, itself or a folder above it; None where none does.

    Quick where ``entries`` is a set.
    """
    while path:
        if path in entries:
            return path
        path = path.rpartition("/")[0]
    return None
