"""What a name promises of a content."""

from __future__ import annotations

from typing import Final

FORMAT_OF_NAME: Final = {
    ".safetensors": "safetensors",
    ".npy": "npy",
    ".npz": "npz",
    ".gguf": "gguf",
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".keras": "keras",
    ".skops": "skops",
    ".msgpack": "flax",
}
"""Names that promise a format without pickles. A file that breaks the promise is refused."""
