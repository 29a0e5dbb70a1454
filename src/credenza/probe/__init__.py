"""Does a model behave as if it were poisoned, given a few hundred trusted samples.

What a user types: docs/probe.md. Needs the extra ``torch``.
"""

from credenza.probe.canaries import ConfusionCanaries, canaries_needed
from credenza.probe.interface import Outcome
from credenza.probe.inversion import Form, Trigger
from credenza.probe.noise import NeuronNoise
from credenza.probe.population import Calibration, Twin, architecture, shipped
from credenza.probe.probing import probe
from credenza.probe.subject import Detector, Evidence, Measured, Need, Statistic, Subject
from credenza.probe.triggers import TriggerSearch
from credenza.verbs import callable_room

__all__ = [
    "Calibration",
    "ConfusionCanaries",
    "Detector",
    "Evidence",
    "Form",
    "Measured",
    "Need",
    "NeuronNoise",
    "Outcome",
    "Statistic",
    "Subject",
    "Trigger",
    "TriggerSearch",
    "Twin",
    "architecture",
    "canaries_needed",
    "probe",
    "shipped",
]

callable_room(__name__)
