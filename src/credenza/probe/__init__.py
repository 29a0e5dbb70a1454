"""Does a model behave as if it were poisoned?

Detectors measure, clean twins calibrate, and `probe` says what stands out, at a known rate of
false alarms. What a user types: docs/probe.md. Needs the extra ``torch``.
"""

from typing import Final

from credenza.probe.calibration import Calibration, Judgement, Twin
from credenza.probe.canaries import ConfusionCanaries, canaries_needed
from credenza.probe.changes import SharedChange
from credenza.probe.inversion import Form, Trigger
from credenza.probe.margins import MarginSearch
from credenza.probe.noise import NeuronNoise
from credenza.probe.paths import AmplificationPath
from credenza.probe.probing import Measurement, measure, probe
from credenza.probe.subject import Detector, Evidence, Measured, Need, Statistic, Subject
from credenza.probe.triggers import TriggerSearch
from credenza.probe.twins import Plan, architecture, calibrate
from credenza.probe.weights import WeightStatistics
from credenza.verbs import callable_room

WITHOUT_DATA: Final[tuple[Detector, ...]] = (
    WeightStatistics(),
    AmplificationPath(),
    MarginSearch(),
    SharedChange(),
)
"""What needs a model and nothing else."""

DETECTORS: Final[tuple[Detector, ...]] = (
    ConfusionCanaries(confidence=0.999),
    TriggerSearch(Form.PATCH),
    TriggerSearch(Form.ADDITIVE),
    NeuronNoise(),
    *WITHOUT_DATA,
)
"""All of them; the exact test of the canaries is at 0.1 % false alarms."""

__all__ = [
    "DETECTORS",
    "WITHOUT_DATA",
    "AmplificationPath",
    "Calibration",
    "ConfusionCanaries",
    "Detector",
    "Evidence",
    "Form",
    "Judgement",
    "MarginSearch",
    "Measured",
    "Measurement",
    "Need",
    "NeuronNoise",
    "Plan",
    "SharedChange",
    "Statistic",
    "Subject",
    "Trigger",
    "TriggerSearch",
    "Twin",
    "WeightStatistics",
    "architecture",
    "calibrate",
    "canaries_needed",
    "measure",
    "probe",
]

callable_room(__name__)
