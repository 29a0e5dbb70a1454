"""Do a model's weights look like those of honest models?

`weights` sums up every tensor in one pass over each file, and says what stands out, with the rate
at which honest networks stand out as much. What it cannot see: docs/scan.md.
"""

from credenza.scan.weights.calibration import LARGE, Calibration, Honest, Unit, shipped
from credenza.scan.weights.examining import LEVEL, weights
from credenza.scan.weights.models import Model, scored
from credenza.scan.weights.scores import Oddity, Place

__all__ = [
    "LARGE",
    "LEVEL",
    "Calibration",
    "Honest",
    "Model",
    "Oddity",
    "Place",
    "Unit",
    "scored",
    "shipped",
    "weights",
]
