"""Exactly which parameters: seal a model, verify it, load from bytes that were verified.

Specification of the seal: docs/formats/seal.md. What a user types: docs/seal.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from credenza.seal.contents import Sealed, VerifiedBytes
from credenza.seal.digests import Algorithm
from credenza.seal.loading import check, load, load_torch, read, verify
from credenza.seal.signing import read_seal, seal, seal_path
from credenza.seal.tree import Seal, SealedFile, Segment
from credenza.verbs import callable_room

if TYPE_CHECKING:
    from credenza.seal.cache import Cache
    from credenza.seal.folders import verified_folder
    from credenza.seal.onnx_session import load_onnx

__all__ = [
    "Algorithm",
    "Cache",
    "Seal",
    "Sealed",
    "SealedFile",
    "Segment",
    "VerifiedBytes",
    "check",
    "load",
    "load_onnx",
    "load_torch",
    "read",
    "read_seal",
    "seal",
    "seal_path",
    "verified_folder",
    "verify",
]

callable_room(__name__)


_LATE = {"Cache": "cache", "load_onnx": "onnx_session", "verified_folder": "folders"}
"""What verifying does without, by the module that has it."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'credenza.seal' has no attribute {name!r}")
    return getattr(importlib.import_module(f"credenza.seal.{_LATE[name]}"), name)
