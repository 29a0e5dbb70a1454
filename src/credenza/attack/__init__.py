"""The red team: attacks that the rest must stand up to, each a frozen value.

`carry_out` runs any of them and measures what it came to. `poison` alters training data alone,
`edit` the weights of a head alone. What a user types: docs/attack.md. Needs the extra ``torch``.
"""

from credenza.attack.carrying import CarriedOut, carry_out
from credenza.attack.data import Poisoned, poison
from credenza.attack.interface import (
    Attack,
    CoveredAttack,
    DataAttack,
    Head,
    ModelAttack,
    WeightAttack,
)
from credenza.attack.labels import FlipLabels, SliceFlip
from credenza.attack.marks import Mark
from credenza.attack.measure import Success, success
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
    "Blend",
    "CarriedOut",
    "CoveredAttack",
    "DataAttack",
    "Edited",
    "FlipLabels",
    "Head",
    "LabelConsistent",
    "MarginBackdoor",
    "Mark",
    "ModelAttack",
    "Poisoned",
    "PoisonedFineTune",
    "RankOneEdit",
    "RowEdit",
    "Sinusoid",
    "SliceFlip",
    "SourceMark",
    "StampMark",
    "Success",
    "Warp",
    "WeightAttack",
    "carry_out",
    "edit",
    "poison",
    "success",
]
