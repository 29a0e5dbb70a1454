"""A model is loaded only after it was judged, and then stays as it was sealed.

`load_pickle` needs nothing more. `Guard` looks at a running torch model again and again, and puts
it right: that needs the extra ``torch``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from credenza.errors import MissingExtraError

if TYPE_CHECKING:
    from credenza.guard.memory import Sealed
    from credenza.guard.pace import Pace
    from credenza.guard.pickles import load_pickle
    from credenza.guard.sweeping import Guard, Incident, OnTamper, Sweep

_MODULE_OF = {
    "Guard": "sweeping",
    "Incident": "sweeping",
    "OnTamper": "sweeping",
    "Pace": "pace",
    "Sealed": "memory",
    "Sweep": "sweeping",
    "load_pickle": "pickles",
}

__all__ = ["Guard", "Incident", "OnTamper", "Pace", "Sealed", "Sweep", "load_pickle"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'credenza.guard' has no attribute {name!r}")
    if name != "load_pickle":
        try:
            import torch as _torch  # noqa: F401  before anything needs it
        except ImportError as e:
            raise MissingExtraError("credenza.guard", "torch") from e
    return getattr(importlib.import_module(f"credenza.guard.{_MODULE_OF[name]}"), name)
