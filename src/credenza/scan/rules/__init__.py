"""The rules: one file each, and one line in `RULES`."""

from __future__ import annotations

from typing import Final

from credenza.artifact.interface import Signs
from credenza.scan.interface import Rule
from credenza.scan.later import LaterRule

RULES: Final[tuple[Rule, ...]] = (
    # --- pickles, in every container -----------------------------------------
    LaterRule("pickle", "pickles", "Pickles"),
    LaterRule("npy", "npy", "NpyObjects", Signs(magics=(b"\x93NUMPY",))),
    # --- graphs: Keras, TensorFlow, ONNX, TFLite ------------------------------
    # --- headers and texts: GGUF, safetensors, skops, flax, PMML, configs -----
    # --- code: Python, TorchScript, executables, names ------------------------
)
"""Every rule that claims a piece looks at it: a file can be two things at once, to two loaders."""
