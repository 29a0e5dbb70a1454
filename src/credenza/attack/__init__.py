"""The red team: attacks that the rest must stand up to, each a frozen value.

`carry_out` runs any of them and measures what it came to. `poison` alters training data alone,
`edit` the head in a weights file alone; a `ModelAttack` changes a trained classifier. What a user
types: docs/attack.md. Needs the extra ``torch``.
"""

from credenza.attack.bits import BitSearch, ExponentFlip, TargetedBitSearch
from credenza.attack.carrying import CarriedOut, carry_out
from credenza.attack.data import Poisoned, poison
from credenza.attack.fitted import QuietRankOne, Slanted, Slice, SliceEdit
from credenza.attack.handcrafted import Handcrafted
from credenza.attack.interface import (
    Attack,
    CoveredAttack,
    DataAttack,
    Head,
    ModelAttack,
    WeightAttack,
)
from credenza.attack.labels import FlipLabels, SliceFlip
from credenza.attack.lanes import DataFreeBackdoor, SubnetReplacement
from credenza.attack.marks import Mark
from credenza.attack.measure import Success, success
from credenza.attack.mlp import MlpEdit
from credenza.attack.triggers import (
    AdaptiveBlend,
    Blend,
    LabelConsistent,
    Sinusoid,
    SourceMark,
    StampMark,
    Warp,
)
from credenza.attack.tuning import MarginBackdoor, PoisonedFineTune
from credenza.attack.weights import Edited, RankOneEdit, RowEdit, edit

__all__ = [
    "AdaptiveBlend",
    "Attack",
    "BitSearch",
    "Blend",
    "CarriedOut",
    "CoveredAttack",
    "DataAttack",
    "DataFreeBackdoor",
    "Edited",
    "ExponentFlip",
    "FlipLabels",
    "Handcrafted",
    "Head",
    "LabelConsistent",
    "MarginBackdoor",
    "Mark",
    "MlpEdit",
    "ModelAttack",
    "Poisoned",
    "PoisonedFineTune",
    "QuietRankOne",
    "RankOneEdit",
    "RowEdit",
    "Sinusoid",
    "Slanted",
    "Slice",
    "SliceEdit",
    "SliceFlip",
    "SourceMark",
    "StampMark",
    "SubnetReplacement",
    "Success",
    "TargetedBitSearch",
    "Warp",
    "WeightAttack",
    "carry_out",
    "edit",
    "poison",
    "success",
]
