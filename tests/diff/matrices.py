"""Matrices in memory, where a test needs no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import Dtype

_TYPES = {"float32": Dtype.F32, "float16": Dtype.F16, "float64": Dtype.F64, "int8": Dtype.I8}


@dataclass(frozen=True, slots=True)
class Held:
    """An array (rows, columns) as a `credenza.diff.Matrix`."""

    array: NDArray[Any]
    sliceable: bool = True

    @property
    def rows(self) -> int:
        return len(self.array)

    @property
    def columns(self) -> int:
        return len(self.array[0])

    @property
    def dtype(self) -> Dtype:
        return _TYPES[self.array.dtype.name]

    def block(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        part = np.ascontiguousarray(self.array[start:stop])
        return part.view(f"u{part.itemsize}"), part
