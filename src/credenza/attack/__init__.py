"""The red team: attacks that the rest must stand up to, each a frozen value.

`poison` runs an attack on training data, `edit` one on trained weights, and `success` measures
what either came to. What a user types: docs/attack.md. Needs the extra ``torch``.
"""

from credenza.attack.data import FlipLabels, Poisoned, StampMark, poison
from credenza.attack.interface import Attack, DataAttack, Head, WeightAttack
from credenza.attack.marks import Mark
from credenza.attack.measure import Success, success
from credenza.attack.weights import Edited, RankOneEdit, RowEdit, edit

__all__ = [
    "Attack",
    "DataAttack",
    "Edited",
    "FlipLabels",
    "Head",
    "Mark",
    "Poisoned",
    "RankOneEdit",
    "RowEdit",
    "StampMark",
    "Success",
    "WeightAttack",
    "edit",
    "poison",
    "success",
]
