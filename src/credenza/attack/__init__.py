"""The red team: attacks that the rest must stand up to, each a frozen value.

`poison` runs an attack on training data, `edit` one on trained weights, and `success` measures
what either came to. What a user types: docs/attack.md. Needs the extra ``torch``.
"""

from credenza.attack.data import FlipLabels, Poisoned, StampMark, poison
from credenza.attack.interface import Attack, DataAttack
from credenza.attack.marks import Mark

__all__ = [
    "Attack",
    "DataAttack",
    "FlipLabels",
    "Mark",
    "Poisoned",
    "StampMark",
    "poison",
]
