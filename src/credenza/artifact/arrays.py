"""Tensors as numpy arrays.

Two views of every tensor: its *values* (`array`, `from_region`), in numpy's own type where it has
one and in float32 where it has not, and its *bits* (`bits_from_region`), the elements as unsigned
integers, for a library that has the type (torch's ``view(torch.bfloat16)``). The values of types
that GGML quantises in blocks are in `credenza.artifact.blocks`.

Types narrower than a byte are packed from the low bits up: element i is bits i·b to i·b + b - 1
of the region, read as one little-endian number.
"""

from __future__ import annotations

import functools
import math
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import blocks
from credenza.artifact.folder import open_bytes
from credenza.artifact.model import Artifact, Buffer, Dtype, Tensor
from credenza.errors import InputError, MalformedError
from credenza.findings import Finding, Severity, Where

MOST_REPEATED: Final = 1 << 30
"""In bytes: how large a tensor may become by repeating its bytes (a stride of 0, or overlaps)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Float:
    """A small floating-point format: 1 sign bit, then ``exponent`` and ``mantissa`` bits.

    value = (-1)^s · 2^(E - bias) · (1 + M / 2^mantissa), or for E = 0
    (-1)^s · 2^(1 - bias) · M / 2^mantissa. ``nans`` are codes that hold no number, and
    ``infinities`` those of ±∞; every other code is a number, the largest E included.
    """

    exponent: int
    mantissa: int
    bias: int
    nans: frozenset[int] = frozenset()
    infinities: frozenset[int] = frozenset()

    def value(self, code: int) -> float:
        """The number that ``code`` stands for."""
        sign = -1.0 if code >> (self.exponent + self.mantissa) else 1.0
        if code in self.nans:
            return math.nan
        if code in self.infinities:
            return sign * math.inf
        e = (code >> self.mantissa) & ((1 << self.exponent) - 1)
        fraction = (code & ((1 << self.mantissa) - 1)) / (1 << self.mantissa)
        whole = 1.0 if e else 0.0
        return sign * math.ldexp(whole + fraction, max(e, 1) - self.bias)


_FLOATS: Final[dict[Dtype, _Float]] = {
    # OCP Microscaling Formats (MX) v1.0, sections 5.3.3, 5.3.2 and 5.3.1: no infinity, no NaN
    Dtype.F4: _Float(exponent=2, mantissa=1, bias=1),
    Dtype.F6_E2M3: _Float(exponent=2, mantissa=3, bias=1),
    Dtype.F6_E3M2: _Float(exponent=3, mantissa=2, bias=3),
    # Micikevicius et al., FP8 Formats for Deep Learning, arXiv:2209.05433, table 1
    Dtype.F8_E4M3: _Float(exponent=4, mantissa=3, bias=7, nans=frozenset({0x7F, 0xFF})),
    Dtype.F8_E5M2: _Float(
        exponent=5,
        mantissa=2,
        bias=15,
        nans=frozenset({0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF}),
        infinities=frozenset({0x7C, 0xFC}),
    ),
    # Noune et al., 8-bit Numerical Formats for Deep Neural Networks, arXiv:2206.02915:
    # finite, and what would be -0 is the only NaN
    Dtype.F8_E4M3FNUZ: _Float(exponent=4, mantissa=3, bias=8, nans=frozenset({0x80})),
    Dtype.F8_E5M2FNUZ: _Float(exponent=5, mantissa=2, bias=16, nans=frozenset({0x80})),
}

_NUMPY: Final[dict[Dtype, np.dtype[Any]]] = {
    Dtype.BOOL: np.dtype("?"),
    Dtype.U8: np.dtype("u1"),
    Dtype.I8: np.dtype("i1"),
    Dtype.I16: np.dtype("i2"),
    Dtype.U16: np.dtype("u2"),
    Dtype.F16: np.dtype("f2"),
    Dtype.I32: np.dtype("i4"),
    Dtype.U32: np.dtype("u4"),
    Dtype.F32: np.dtype("f4"),
    Dtype.I64: np.dtype("i8"),
    Dtype.U64: np.dtype("u8"),
    Dtype.F64: np.dtype("f8"),
    Dtype.C64: np.dtype("c8"),
    Dtype.C128: np.dtype("c16"),
}

_SIGNED: Final = (Dtype.I2, Dtype.I4)
_UNSIGNED: Final = (Dtype.U2, Dtype.U4)


def array(artifact: Artifact, tensor: Tensor) -> NDArray[Any]:
    """The values of a tensor, in its shape: read from disk, by no means verified.

    Raises `InputError` where the file cannot be read, `MalformedError` where its bytes are not
    such a tensor.
    """
    return from_region(tensor, decoded(tensor, _region(artifact, tensor)))


def raw(artifact: Artifact, tensor: Tensor) -> bytes:
    """The elements of a tensor: little-endian, in row-major order, without gaps.

    Blocks of several elements are as the file has them. Raises as `array` does.
    """
    region = decoded(tensor, _region(artifact, tensor))
    if tensor.dtype.bits < 8 or tensor.dtype.block > 1:
        return bytes(_packed(tensor, region))
    elements = _elements(tensor, region, _stored(tensor.dtype))
    return elements.astype(elements.dtype.newbyteorder("<"), copy=False).tobytes()


def decoded(tensor: Tensor, data: Buffer) -> Buffer:
    """A tensor's region as it is read from: ``data``, its bytes on disk, inflated if need be.

    Never inflates more than ``tensor.region.nbytes`` + 1 bytes. Raises `MalformedError` where it
    does not come to exactly that many.
    """
    region = tensor.region
    inflated = data if region.encoding == "raw" else _inflate(tensor, data)
    if len(inflated) != region.nbytes:
        what = "the region has not the size that it claims"
        raise _malformed(
            "tensor-region-size", tensor, what, f"{region.nbytes} bytes", f"{len(inflated)}"
        )
    return inflated


def from_region(tensor: Tensor, region: Buffer) -> NDArray[Any]:
    """The values of a tensor whose decoded region is ``region``.

    In numpy's own type, and the machine's byte order, where numpy has it: a view of ``region``,
    as writable as that is, copied only where the file's byte order is not the machine's. Integers
    of less than a byte come in 8 bits; bf16, smaller floats, and GGML's blocks in float32, which
    holds each value of the former exactly.

    Raises `MalformedError` where the tensor does not lie inside the region, is boolean and holds a
    byte that is neither 0 nor 1, or has rows that are no whole blocks; `InputError` and
    `MissingExtraError` where the values of such blocks cannot be computed.
    """
    if tensor.dtype in _NUMPY:
        if tensor.dtype is Dtype.BOOL:
            _check_boolean(tensor, region)
        return _native(_elements(tensor, region, _NUMPY[tensor.dtype]))
    if tensor.dtype.block > 1:
        return blocks.values(tensor, _packed(tensor, region))
    bits = bits_from_region(tensor, region)
    if tensor.dtype is Dtype.BF16:
        return _widened(bits)
    if tensor.dtype in _SIGNED:
        shift = 8 - tensor.dtype.bits
        return np.asarray(np.asarray(bits << shift).view(np.int8) >> shift)
    if tensor.dtype in _UNSIGNED:
        return bits
    return np.asarray(_table(tensor.dtype)[bits])


def bits_from_region(tensor: Tensor, region: Buffer) -> NDArray[Any]:
    """The elements of a tensor as unsigned integers of their width, or of 8 bits if narrower.

    As `from_region`, it is a view wherever it can be. Blocks of several elements are their bytes,
    in the tensor's shape with the bytes of a row as its last axis.

    Raises as `from_region` does, and `InputError` for complex numbers of 128 bits, for which there
    is no such integer.
    """
    if tensor.dtype.block > 1:
        packed = np.frombuffer(_packed(tensor, region), np.uint8)
        row = tensor.shape[-1] // tensor.dtype.block * tensor.dtype.bits // 8
        return packed.reshape(*tensor.shape[:-1], row)
    if tensor.dtype.bits < 8:
        return _unpacked(tensor, _packed(tensor, region))
    if tensor.dtype.bits > 64:
        raise InputError(
            f"tensor {tensor.name!r}: no unsigned integer has {tensor.dtype.bits} bits"
        )
    return _native(_elements(tensor, region, np.dtype(f"u{tensor.dtype.bits // 8}")))


def _region(artifact: Artifact, tensor: Tensor) -> bytearray:
    region = tensor.region
    with open_bytes(artifact.path, tensor.file) as file:
        if region.stop > file.size:
            what = "the file has become shorter than it was when it was opened"
            raise InputError(f"{tensor.file}: {what}")
        data = bytearray(region.stop - region.start)
        file.fill(memoryview(data), region.start)
    return data


def _inflate(tensor: Tensor, data: Buffer) -> bytearray:
    """One raw DEFLATE stream (RFC 1951) that fills ``data``; at most one byte over the claim."""
    claimed = tensor.region.nbytes
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = stream.decompress(data, claimed + 1)
    except zlib.error as e:
        what = "the region is not a deflate stream"
        raise _malformed("tensor-deflate", tensor, what, "RFC 1951", str(e)) from e
    if len(inflated) <= claimed and (not stream.eof or stream.unused_data):
        what = "the deflate stream does not end where the region does"
        found = f"{len(stream.unused_data)} bytes left" if stream.eof else "no end"
        raise _malformed("tensor-deflate", tensor, what, "its end", found)
    return bytearray(inflated)  # writable, as a loader's private bytes are


def _stored(dtype: Dtype) -> np.dtype[Any]:
    return _NUMPY[dtype] if dtype in _NUMPY else np.dtype(f"u{dtype.bits // 8}")


def _elements(tensor: Tensor, region: Buffer, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A view of the region in the tensor's shape and strides, in the file's byte order."""
    strides = tensor.strides or _contiguous(tensor.shape)
    _check_inside(tensor, strides, dtype.itemsize, len(region))
    return np.ndarray(
        tensor.shape,
        dtype.newbyteorder(">" if tensor.byteorder == "big" else "<"),
        region,
        tensor.offset if tensor.size else 0,
        # The step along an axis of one is never taken, and may be any number.
        [s * dtype.itemsize if n > 1 else 0 for n, s in zip(tensor.shape, strides, strict=True)],
    )


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def _check_inside(tensor: Tensor, strides: tuple[int, ...], width: int, size: int) -> None:
    """Every element must lie in the region: the first and the last do."""
    if len(strides) != len(tensor.shape):
        what = "the tensor has not one stride an axis"
        raise _malformed("tensor-strides", tensor, what, f"{len(tensor.shape)}", f"{len(strides)}")
    if not tensor.size:
        return
    steps = [(n - 1) * s * width for n, s in zip(tensor.shape, strides, strict=True)]
    first = tensor.offset + sum(s for s in steps if s < 0)
    stop = tensor.offset + sum(s for s in steps if s > 0) + width
    if first < 0 or stop > size:
        what = "the tensor does not lie inside its region"
        raise _malformed("tensor-outside", tensor, what, f"bytes 0 to {size}", f"{first} to {stop}")
    if tensor.nbytes > max(size, MOST_REPEATED):
        what = "the tensor repeats its bytes too often"
        wanted = f"up to {MOST_REPEATED} bytes"
        raise _malformed("tensor-repeated", tensor, what, wanted, f"{tensor.nbytes}")


def _native(elements: NDArray[Any]) -> NDArray[Any]:
    return elements.astype(elements.dtype.newbyteorder("="), copy=False)


def _check_boolean(tensor: Tensor, region: Buffer) -> None:
    """A byte of 2 is true to one library and not equal to true in the next."""
    codes = _elements(tensor, region, np.dtype("u1"))
    if codes.size and codes.max() > 1:
        what = "a boolean is neither 0 nor 1"
        raise _malformed("tensor-boolean", tensor, what, "0 or 1", f"{codes.max()}")


def _packed(tensor: Tensor, region: Buffer) -> Buffer:
    """The bytes of a tensor of less than a byte an element, or of blocks: it has no strides."""
    if tensor.dtype.block > 1 and (not tensor.shape or tensor.shape[-1] % tensor.dtype.block):
        what, wanted = "a row is not whole blocks", f"a multiple of {tensor.dtype.block} elements"
        raise _malformed("tensor-blocks", tensor, what, wanted, f"shape {tensor.shape}")
    stop = tensor.offset + tensor.nbytes
    if tensor.strides not in ((), _contiguous(tensor.shape)):
        raise _malformed("tensor-strides", tensor, "packed elements have strides", "none", "some")
    if not 0 <= tensor.offset <= stop <= len(region):
        what, found = "the tensor does not lie inside its region", f"{tensor.offset} to {stop}"
        raise _malformed("tensor-outside", tensor, what, f"bytes 0 to {len(region)}", found)
    return region[tensor.offset : stop]


def _unpacked(tensor: Tensor, packed: Buffer) -> NDArray[np.uint8]:
    """One byte an element, which holds its bits at the low end."""
    width = tensor.dtype.bits
    every = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    bits = every[: tensor.size * width].reshape(tensor.size, width)
    return np.packbits(bits, axis=1, bitorder="little").reshape(tensor.shape)


def _widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 as float32, of which it is the upper half."""
    return np.asarray(bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


@functools.cache
def _table(dtype: Dtype) -> NDArray[np.float32]:
    """The float32 value of each code of a small type, by code."""
    if dtype is Dtype.F8_E8M0:  # a scale: 2^(code - 127), and one NaN (OCP MX v1.0, section 5.4.1)
        values = [math.ldexp(1.0, code - 127) for code in range(255)] + [math.nan]
    else:
        values = [_FLOATS[dtype].value(code) for code in range(1 << dtype.bits)]
    table = np.array(values, np.float32)
    table.flags.writeable = False
    return table


def _malformed(rule: str, tensor: Tensor, what: str, expected: str, found: str) -> MalformedError:
    region = tensor.region
    return MalformedError(
        Finding(
            rule=f"artifact.{rule}",
            severity=Severity.HIGH,
            what=what,
            where=Where(file=tensor.file, start=region.start, stop=region.stop, tensor=tensor.name),
            expected=expected,
            found=found,
        )
    )
