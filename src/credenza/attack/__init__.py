"""The red team: attacks that the rest must stand up to, each a frozen value.

`poison` runs an attack on training data, `edit` one on the head in a weights file; a `ModelAttack`
changes a trained classifier; and `success` measures what any of them came to. What a user types:
docs/attack.md. Needs the extra ``torch``.
"""

from credenza.attack.bits import BitSearch, ExponentFlip, TargetedBitSearch
from credenza.attack.data import FlipLabels, Poisoned, StampMark, poison
from credenza.attack.fitted import QuietRankOne, Slanted, Slice, SliceEdit
from credenza.attack.handcrafted import Handcrafted
from credenza.attack.interface import Attack, DataAttack, Head, ModelAttack, WeightAttack
from credenza.attack.lanes import DataFreeBackdoor, SubnetReplacement
from credenza.attack.marks import Mark
from credenza.attack.measure import Success, success
from credenza.attack.mlp import MlpEdit
from credenza.attack.weights import Edited, RankOneEdit, RowEdit, edit

__all__ = [
    "Attack",
    "BitSearch",
    "DataAttack",
    "DataFreeBackdoor",
    "Edited",
    "ExponentFlip",
    "FlipLabels",
    "Handcrafted",
    "Head",
    "Mark",
    "MlpEdit",
    "ModelAttack",
    "Poisoned",
    "QuietRankOne",
    "RankOneEdit",
    "RowEdit",
    "Slanted",
    "Slice",
    "SliceEdit",
    "StampMark",
    "SubnetReplacement",
    "Success",
    "TargetedBitSearch",
    "WeightAttack",
    "edit",
    "poison",
    "success",
]
