"""Labelled samples, in memory and in a file.

Nothing here needs torch. A file is read as any artefact is: nothing of it is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from credenza import artifact
from credenza.errors import InputError

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled inputs. ``inputs`` (n, …) float32, images in 0 to 1; ``labels`` (n,) int64."""

    inputs: FloatArray
    labels: IntArray

    def __post_init__(self) -> None:
        if self.labels.ndim != 1 or self.inputs.ndim < 1 or len(self.inputs) != len(self.labels):
            raise InputError(
                f"dataset: one label an input expected, {self.inputs.shape[:1]} inputs and "
                f"labels of shape {self.labels.shape} given"
            )
        if self.inputs.dtype != np.float32 or self.labels.dtype != np.int64:
            raise InputError(
                "dataset: float32 inputs and int64 labels expected, "
                f"{self.inputs.dtype} and {self.labels.dtype} given"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp] | NDArray[np.int64] | NDArray[np.bool_]) -> Dataset:
        """The rows of those indices, or of that mask, in that order."""
        return Dataset(self.inputs[indices], self.labels[indices])

    @classmethod
    def read(cls, path: Path) -> Dataset:
        """Read a file with two tensors, ``inputs`` and ``labels``: ``.npz``, safetensors, ….

        Bytes (uint8) are taken for pixels, 0 to 255, and scaled to 0 to 1; images (n, height,
        width) get their one channel; labels may be any integers.

        Raises `InputError` for anything else, `MalformedError` for a file that breaks its format.
        """
        opened = artifact.open(path)
        inputs = artifact.array(opened, opened.tensor("inputs"))
        labels = artifact.array(opened, opened.tensor("labels"))
        if labels.dtype.kind not in "iu":
            raise InputError(f"{path}: labels that are integers expected, {labels.dtype} found")
        if inputs.dtype == np.uint8:
            inputs = inputs / np.float32(255)
        if inputs.dtype.kind != "f":
            raise InputError(f"{path}: inputs of bytes or floats expected, {inputs.dtype} found")
        if inputs.ndim == 3:
            inputs = inputs[:, None]
        return cls(np.ascontiguousarray(inputs, np.float32), labels.astype(np.int64))
