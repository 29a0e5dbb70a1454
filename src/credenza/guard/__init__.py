"""A running torch model stays as it was sealed: looked at again and again, and put right.

Needs the extra ``torch``.
"""

from credenza.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401  the answer to "is it there", before anything needs it
except ImportError as e:
    raise MissingExtraError("credenza.guard", "torch") from e

from credenza.guard.memory import Sealed
from credenza.guard.pace import Pace
from credenza.guard.sweeping import Guard, Incident, OnTamper, Sweep

__all__ = ["Guard", "Incident", "OnTamper", "Pace", "Sealed", "Sweep"]
