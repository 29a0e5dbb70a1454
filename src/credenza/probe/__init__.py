"""Does a model behave as if it were poisoned?

Detectors measure, clean twins calibrate, and `probe` says what stands out, at a known rate of
false alarms. What a user types: docs/probe.md. What differentiates a model needs the extra
``torch``; what looks at weights or asks a black box does not, so names are imported as used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from credenza.verbs import callable_room

if TYPE_CHECKING:
    from credenza.probe.accuracy import Accuracy as Accuracy
    from credenza.probe.calibration import Calibration as Calibration
    from credenza.probe.calibration import Judgement as Judgement
    from credenza.probe.calibration import Made as Made
    from credenza.probe.calibration import Twin as Twin
    from credenza.probe.calibration import architecture as architecture
    from credenza.probe.calibration import shipped as shipped
    from credenza.probe.canaries import ConfusionCanaries as ConfusionCanaries
    from credenza.probe.canaries import canaries_needed as canaries_needed
    from credenza.probe.changes import SharedChange as SharedChange
    from credenza.probe.detectors import DETECTORS as DETECTORS
    from credenza.probe.detectors import WITHOUT_DATA as WITHOUT_DATA
    from credenza.probe.inversion import Form as Form
    from credenza.probe.inversion import Trigger as Trigger
    from credenza.probe.loading import OnnxBox as OnnxBox
    from credenza.probe.loading import from_export as from_export
    from credenza.probe.loading import from_onnx as from_onnx
    from credenza.probe.loading import from_torchscript as from_torchscript
    from credenza.probe.loading import from_weights as from_weights
    from credenza.probe.margins import MarginSearch as MarginSearch
    from credenza.probe.noise import NeuronNoise as NeuronNoise
    from credenza.probe.paths import AmplificationPath as AmplificationPath
    from credenza.probe.probing import Measurement as Measurement
    from credenza.probe.probing import measure as measure
    from credenza.probe.probing import probe as probe
    from credenza.probe.subject import BlackBox as BlackBox
    from credenza.probe.subject import Detector as Detector
    from credenza.probe.subject import Evidence as Evidence
    from credenza.probe.subject import Measured as Measured
    from credenza.probe.subject import Need as Need
    from credenza.probe.subject import Statistic as Statistic
    from credenza.probe.subject import Subject as Subject
    from credenza.probe.triggers import TriggerSearch as TriggerSearch
    from credenza.probe.twins import Plan as Plan
    from credenza.probe.twins import calibrate as calibrate
    from credenza.probe.twins import made_here as made_here
    from credenza.probe.weights import WeightStatistics as WeightStatistics

_HOMES: Final = {
    "accuracy": ("Accuracy",),
    "calibration": ("Calibration", "Judgement", "Made", "Twin", "architecture", "shipped"),
    "canaries": ("ConfusionCanaries", "canaries_needed"),
    "changes": ("SharedChange",),
    "detectors": ("DETECTORS", "WITHOUT_DATA"),
    "inversion": ("Form", "Trigger"),
    "margins": ("MarginSearch",),
    "noise": ("NeuronNoise",),
    "loading": ("OnnxBox", "from_export", "from_onnx", "from_torchscript", "from_weights"),
    "paths": ("AmplificationPath",),
    "probing": ("Measurement", "measure", "probe"),
    "subject": (*("BlackBox", "Detector", "Evidence", "Measured", "Need", "Statistic", "Subject"),),
    "triggers": ("TriggerSearch",),
    "twins": ("Plan", "calibrate", "made_here"),
    "weights": ("WeightStatistics",),
}
_HOME: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


callable_room(__name__)
