"""No poisoned model reaches the table.

Seal and verify exactly which parameters run; examine artefacts, data and behaviour for
poison; guard the running model in memory; keep a record that nobody can quietly change.
``docs/`` has a page for each verb. Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from credenza.admit import admit as admit
    from credenza.artifact import open as open  # noqa: A004  `credenza.open` is what a caller writes
    from credenza.audit import audit as audit
    from credenza.check import check as check
    from credenza.diff import diff as diff
    from credenza.probe import probe as probe
    from credenza.scan import scan as scan
    from credenza.seal import load as load
    from credenza.seal import load_onnx as load_onnx
    from credenza.seal import load_torch as load_torch
    from credenza.seal import seal as seal
    from credenza.seal import verified_folder as verified_folder
    from credenza.seal import verify as verify

__version__ = "0.1.0"

_ROOMS = frozenset(
    {"admit", "attack", "audit", "check", "diff", "guard", "ledger", "probe", "scan", "seal"}
)
_FUNCTIONS = {
    "open": "artifact",
    "load": "seal",
    "load_onnx": "seal",
    "load_torch": "seal",
    "verified_folder": "seal",
    "verify": "seal",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"credenza.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"credenza.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module 'credenza' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_FUNCTIONS})
