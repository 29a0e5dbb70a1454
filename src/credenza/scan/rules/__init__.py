"""The rules: one file each, and one line in `RULES`."""

from __future__ import annotations

from typing import Final

from credenza.artifact.interface import Signs
from credenza.scan.interface import Rule
from credenza.scan.later import LaterRule

_JSON: Final = Signs(
    magics=(b"{", b"[", b"\xef\xbb\xbf", b" ", b"\t", b"\r", b"\n"), suffixes=(".json",)
)
_TENSORFLOW: Final = Signs(magics=(b"\n", b"\x08", b"\x12"), suffixes=(".pb", ".meta", ".pbtxt"))

RULES: Final[tuple[Rule, ...]] = (
    # --- pickles, in every container -----------------------------------------
    # --- graphs: Keras, TensorFlow, ONNX, TFLite ------------------------------
    LaterRule("keras configuration", "keras_config", "KerasConfig", _JSON),
    LaterRule("hdf5", "hdf5", "Hdf5"),  # its signature may stand behind anything
    LaterRule("tensorflow graph", "tensorflow", "Tensorflow", _TENSORFLOW),
    LaterRule("onnx", "onnx", "Onnx", Signs(magics=(b"\x08",), suffixes=(".onnx", ".pb"))),
    LaterRule("tflite", "tflite", "Tflite", Signs(magics=(b"TFL3",), at=4, suffixes=(".tflite",))),
    # --- headers and texts: GGUF, safetensors, skops, flax, PMML, configs -----
    # --- code: Python, TorchScript, executables, names ------------------------
)
"""Every rule that claims a piece looks at it: a file can be two things at once, to two loaders."""
