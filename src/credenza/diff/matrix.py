"""Tensors as matrices that are read a block of rows at a time."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import (
    Artifact,
    Dtype,
    Region,
    Tensor,
    array,
    bits_from_region,
    from_region,
    raw,
)

_READ: Final = 1 << 21
"""Elements that are read at once."""

_BLOCK: Final = 1 << 16
"""Elements that are computed with at once: as float64 a few such arrays fit in a core's cache."""

_REAL: Final = {Dtype.C64: Dtype.F32, Dtype.C128: Dtype.F64}


class Matrix(Protocol):
    """A tensor as rows along its first axis; what has no second axis has one column.

    ``sliceable`` is false where any block costs as much to read as all rows together.
    """

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...

    @property
    def dtype(self) -> Dtype: ...

    @property
    def sliceable(self) -> bool: ...

    def block(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows ``start`` to ``stop``: their bits as unsigned integers, and their values.

        Both are (stop - start, columns).
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The same rows of two matrices, from row ``start`` on."""

    start: int
    old_bits: NDArray[Any]
    new_bits: NDArray[Any]
    old: NDArray[np.float64]
    new: NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of an artefact. A complex number counts as two columns."""

    artifact: Artifact
    tensor: Tensor

    @property
    def rows(self) -> int:
        return self.tensor.shape[0] if self.tensor.shape else 1

    @property
    def columns(self) -> int:
        return math.prod(self.tensor.shape[1:]) * (2 if self.tensor.dtype in _REAL else 1)

    @property
    def dtype(self) -> Dtype:
        return _REAL.get(self.tensor.dtype, self.tensor.dtype)

    @property
    def sliceable(self) -> bool:
        t = self.tensor
        contiguous = tuple(math.prod(t.shape[i + 1 :]) for i in range(len(t.shape)))
        laid_out = t.strides in ((), contiguous)
        # a row is whole bytes; of a quantised matrix it is whole blocks
        whole = t.dtype.bits % 8 == 0 and (t.dtype.block == 1 or len(t.shape) > 1)
        return laid_out and whole and t.region.encoding == "raw"

    def block(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        if (start, stop) == (0, self.rows):
            return self._read(self.tensor)
        return self._read(_rows(self.tensor, start, stop))

    def _read(self, tensor: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
        if tensor.dtype.block > 1:  # quantised: what is compared are the values
            values = array(self.artifact, tensor).reshape(tensor.shape[0], self.columns)
            return values.view(np.uint32), values
        data = raw(self.artifact, tensor)
        held = dataclasses.replace(
            tensor,
            dtype=self.dtype,
            shape=(tensor.shape[0] if tensor.shape else 1, self.columns),
            region=Region(start=0, stop=len(data), nbytes=len(data)),
            offset=0,
            strides=(),
            byteorder="little",
        )
        return bits_from_region(held, data), from_region(held, data)


def blocks(old: Matrix, new: Matrix) -> Iterator[Block]:
    """Both matrices, of one shape, a block of rows at a time, in order."""
    for at, (old_bits, was), (new_bits, now) in _read(old, new):
        step = max(1, _BLOCK // max(1, old.columns))
        for i in range(0, len(was), step):
            part = slice(i, i + step)
            with np.errstate(invalid="ignore"):  # signalling NaNs
                before, after = was[part].astype(np.float64), now[part].astype(np.float64)
            yield Block(at + i, old_bits[part], new_bits[part], before, after)


_Part: TypeAlias = tuple[NDArray[Any], NDArray[Any]]


def _read(old: Matrix, new: Matrix) -> Iterator[tuple[int, _Part, _Part]]:
    """The bits and values of both, as many rows at once as are worth a read, in order."""
    step = max(1, _READ // max(1, old.columns))
    if not (old.sliceable and new.sliceable):
        step = max(1, old.rows)
    for start, stop in itertools.pairwise([*range(0, old.rows, step), old.rows]):
        yield start, old.block(start, stop), new.block(start, stop)


def same(old: Matrix, new: Matrix) -> bool:
    """Whether two matrices are bit by bit the same: type, shape and elements."""
    if (old.dtype, old.rows, old.columns) != (new.dtype, new.rows, new.columns):
        return False
    return all(np.array_equal(was[0], now[0]) for _, was, now in _read(old, new))


def _rows(tensor: Tensor, start: int, stop: int) -> Tensor:
    """Those rows of a contiguous tensor, as a tensor whose region holds nothing else."""
    row = math.prod(tensor.shape[1:]) // tensor.dtype.block * tensor.dtype.bits // 8
    first = tensor.region.start + tensor.offset
    begin, end = first + start * row, first + stop * row
    return dataclasses.replace(
        tensor,
        shape=(stop - start, *tensor.shape[1:]),
        region=Region(start=begin, stop=end, nbytes=end - begin),
        offset=0,
        strides=(),
    )
