"""The detectors that a probe runs where nobody names others."""

from __future__ import annotations

from typing import Final

from credenza.probe.accuracy import Accuracy
from credenza.probe.canaries import ConfusionCanaries
from credenza.probe.changes import SharedChange
from credenza.probe.inversion import Form
from credenza.probe.margins import MarginSearch
from credenza.probe.noise import NeuronNoise
from credenza.probe.paths import AmplificationPath
from credenza.probe.subject import Detector
from credenza.probe.triggers import TriggerSearch
from credenza.probe.weights import WeightStatistics

WITHOUT_DATA: Final[tuple[Detector, ...]] = (
    WeightStatistics(),
    AmplificationPath(),
    MarginSearch(),
    SharedChange(),
)
"""What needs a model and nothing else."""

DETECTORS: Final[tuple[Detector, ...]] = (
    Accuracy(),
    ConfusionCanaries(confidence=0.999),
    TriggerSearch(Form.PATCH),
    TriggerSearch(Form.ADDITIVE),
    NeuronNoise(),
    *WITHOUT_DATA,
)
"""All of them. The exact test of the canaries may be wrong with 0.1 %, beside all others."""
