"""Pickles, interpreted without being loaded.

One small machine over all 68 opcodes of protocols 0 to 5. It imports nothing, looks nothing up
and calls nothing: what a pickle would call becomes a `Call` in a graph of abstract values, and
every name that it would look up becomes a `Program`. Scanner, tensor readers and the enforcing
loader all stand on this one machine, so that none of them sees another pickle than the rest.
Names are imported when they are first used: archives are read without any pickle.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from credenza.artifact.pickles.errors import BrokenPickleError, broken
    from credenza.artifact.pickles.lists import TENSORS, Allowed, Names, Use
    from credenza.artifact.pickles.machine import Pickle, interpret
    from credenza.artifact.pickles.stream import Constant, Frames, Limits
    from credenza.artifact.pickles.usage import Misuse, Uses
    from credenza.artifact.pickles.values import (
        Call,
        Dict,
        Global,
        Interleaved,
        Kind,
        List,
        OutOfBand,
        Persistent,
        Set,
        Span,
        Tuple,
        Value,
        text,
    )

_MODULES = {
    "lists": (
        "TENSORS",
        "Allowed",
        "Names",
        "Use",
    ),
    "errors": (
        "BrokenPickleError",
        "broken",
    ),
    "machine": (
        "Pickle",
        "interpret",
    ),
    "stream": (
        "Constant",
        "Frames",
        "Limits",
    ),
    "usage": (
        "Misuse",
        "Uses",
    ),
    "values": (
        "Call",
        "Dict",
        "Global",
        "Interleaved",
        "Kind",
        "List",
        "OutOfBand",
        "Persistent",
        "Set",
        "Span",
        "Tuple",
        "Value",
        "text",
    ),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "TENSORS",
    "Allowed",
    "BrokenPickleError",
    "Call",
    "Constant",
    "Dict",
    "Frames",
    "Global",
    "Interleaved",
    "Kind",
    "Limits",
    "List",
    "Misuse",
    "Names",
    "OutOfBand",
    "Persistent",
    "Pickle",
    "Set",
    "Span",
    "Tuple",
    "Use",
    "Uses",
    "Value",
    "broken",
    "interpret",
    "text",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'credenza.artifact.pickles' has no attribute {name!r}")
    module = importlib.import_module(f"credenza.artifact.pickles.{_MODULE_OF[name]}")
    return getattr(module, name)
