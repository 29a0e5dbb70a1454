"""The rules: one file each, and one line in `RULES`."""

from __future__ import annotations

from typing import Final

from credenza.scan.interface import Rule

RULES: Final[tuple[Rule, ...]] = (
    # --- pickles, in every container -----------------------------------------
    # --- graphs: Keras, TensorFlow, ONNX, TFLite ------------------------------
    # --- headers and texts: GGUF, safetensors, skops, flax, PMML, configs -----
    # --- code: Python, TorchScript, executables, names ------------------------
)
"""Every rule that claims a piece looks at it: a file can be two things at once, to two loaders."""
