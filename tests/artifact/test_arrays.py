from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from credenza import artifact
from credenza.artifact.arrays import MOST_REPEATED, bits_from_region, decoded, from_region, raw
from credenza.artifact.model import Artifact, Dtype, File, Region, Tensor
from credenza.errors import InputError, MalformedError

NUMPY = {
    Dtype.BOOL: "?",
    Dtype.U8: "u1",
    Dtype.I8: "i1",
    Dtype.I16: "i2",
    Dtype.U16: "u2",
    Dtype.F16: "f2",
    Dtype.I32: "i4",
    Dtype.U32: "u4",
    Dtype.F32: "f4",
    Dtype.I64: "i8",
    Dtype.U64: "u8",
    Dtype.F64: "f8",
    Dtype.C64: "c8",
    Dtype.C128: "c16",
}
TORCH = {
    Dtype.F8_E5M2: torch.float8_e5m2,
    Dtype.F8_E4M3: torch.float8_e4m3fn,
    Dtype.F8_E4M3FNUZ: torch.float8_e4m3fnuz,
    Dtype.F8_E5M2FNUZ: torch.float8_e5m2fnuz,
    Dtype.F8_E8M0: torch.float8_e8m0fnu,
}
# OCP Microscaling Formats v1.0: every non-negative value of the types, by code (tables 2 to 5)
F4_VALUES = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
F6_E3M2_VALUES = [
    *(0, 0.0625, 0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375),
    *(0.5, 0.625, 0.75, 0.875, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5),
    *(4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28),
]
F6_E2M3_VALUES = [
    *(0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875),
    *(1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875),
    *(2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75),
    *(4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5),
]


def view(dtype: Dtype, shape: tuple[int, ...], nbytes: int, **of: Any) -> Tensor:
    region = Region(start=0, stop=nbytes, nbytes=nbytes)
    return replace(Tensor(name="t", dtype=dtype, shape=shape, file="f", region=region), **of)


def on_disk(folder: Path, data: bytes, tensor: Tensor) -> Artifact:
    (folder / tensor.file).write_bytes(data)
    file = File(path=tensor.file, size=len(data), format="plain", tensors=(tensor,))
    return Artifact(path=folder, files=(file,))


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(MalformedError) as caught:
        call()
    return caught.value.finding.rule


@pytest.mark.parametrize("dtype", NUMPY, ids=lambda d: d.label)
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_gives_numpys_own_type(dtype: Dtype, byteorder: str, tmp_path: Path) -> None:
    native = np.dtype(NUMPY[dtype])
    wanted = np.arange(6).reshape(2, 3).astype(native)
    little = wanted.astype(native.newbyteorder("<")).tobytes()
    big = wanted.astype(native.newbyteorder(">")).tobytes()
    data = big if byteorder == "big" else little
    tensor = view(dtype, (2, 3), len(data), byteorder=byteorder)
    values = artifact.array(on_disk(tmp_path, data, tensor), tensor)
    assert values.dtype == native
    assert values.tolist() == wanted.tolist()
    assert raw(on_disk(tmp_path, data, tensor), tensor) == little


@pytest.mark.parametrize("dtype", TORCH, ids=lambda d: d.label)
def test_every_code_of_8_bits_is_what_torch_says(dtype: Dtype) -> None:
    codes = np.arange(256, dtype=np.uint8)
    wanted = torch.from_numpy(codes).view(TORCH[dtype]).to(torch.float32).numpy()
    values = from_region(view(dtype, (256,), 256), codes.tobytes())
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, wanted)
    np.testing.assert_array_equal(
        np.signbit(values[~np.isnan(values)]), np.signbit(wanted[~np.isnan(wanted)])
    )


def test_every_code_of_bf16_is_what_torch_says() -> None:
    codes = np.arange(1 << 16, dtype=np.uint16)
    wanted = torch.from_numpy(codes).view(torch.bfloat16).to(torch.float32).numpy()
    tensor = view(Dtype.BF16, (1 << 16,), 1 << 17)
    values = from_region(tensor, codes.astype("<u2").tobytes())
    np.testing.assert_array_equal(values.view(np.uint32), wanted.view(np.uint32))


@pytest.mark.parametrize(
    ("dtype", "positive"),
    [
        (Dtype.F4, F4_VALUES),
        (Dtype.F6_E2M3, F6_E2M3_VALUES),
        (Dtype.F6_E3M2, F6_E3M2_VALUES),
    ],
    ids=lambda p: p.label if isinstance(p, Dtype) else "",
)
def test_every_code_of_less_than_8_bits_is_what_the_specification_lists(
    dtype: Dtype, positive: list[float]
) -> None:
    count = 1 << dtype.bits
    packed = sum(code << (i * dtype.bits) for i, code in enumerate(range(count)))
    data = packed.to_bytes(count * dtype.bits // 8, "little")
    tensor = view(dtype, (2, count // 2), len(data))
    assert bits_from_region(tensor, data).reshape(-1).tolist() == list(range(count))
    values = from_region(tensor, data)
    assert values.tolist() == [positive, [-v for v in positive]]
    assert np.signbit(values[1]).all()


def test_scales_of_e8m0_reach_from_2_to_the_minus_127() -> None:
    values = from_region(view(Dtype.F8_E8M0, (3,), 3), bytes([0, 127, 254]))
    assert values.tolist() == [2.0**-127, 1.0, 2.0**127]
    assert math.isnan(from_region(view(Dtype.F8_E8M0, (), 1), b"\xff").item())


@given(st.sampled_from(["F4", "F6_E2M3", "F6_E3M2"]), st.binary(min_size=12, max_size=12))
def test_packed_types_read_any_bytes(label: str, data: bytes) -> None:
    dtype = Dtype.of(label)
    count = 96 // dtype.bits
    bits = bits_from_region(view(dtype, (count,), 12), data)
    packed = sum(int(b) << (i * dtype.bits) for i, b in enumerate(bits))
    assert packed.to_bytes(12, "little") == data


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from(["F32", "BF16", "U8", "C64"]),
    st.sampled_from(["little", "big"]),
    st.data(),
)
def test_honours_offset_and_strides(
    shape: list[int], label: str, byteorder: str, data: st.DataObject
) -> None:
    dtype = Dtype.of(label)
    width = dtype.bits // 8
    strides = tuple(data.draw(st.integers(0, 5)) for _ in shape)
    offset = data.draw(st.integers(0, 9))
    held = bytes(data.draw(st.binary(min_size=500, max_size=500)))
    tensor = view(dtype, tuple(shape), 500, offset=offset, strides=strides, byteorder=byteorder)
    unsigned = bits_from_region(tensor, held) if width <= 4 else None
    for where in np.ndindex(*shape):
        at = offset + sum(i * s for i, s in zip(where, strides, strict=True)) * width
        piece = held[at : at + width]
        if unsigned is not None:
            assert unsigned[where] == int.from_bytes(piece, byteorder)  # type: ignore[arg-type]
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) * width + width
    assert from_region(tensor, held[:last]).shape == tuple(shape)
    assert refusal(lambda: from_region(tensor, held[: last - 1])) == "artifact.tensor-outside"


def test_negative_strides_may_not_lead_before_the_region() -> None:
    tensor = view(Dtype.U8, (4,), 4, offset=3, strides=(-1,))
    assert from_region(tensor, b"\1\2\3\4").tolist() == [4, 3, 2, 1]
    outside = view(Dtype.U8, (4,), 4, offset=2, strides=(-1,))
    assert refusal(lambda: from_region(outside, b"\1\2\3\4")) == "artifact.tensor-outside"


def test_a_view_is_as_writable_as_its_buffer() -> None:
    tensor = view(Dtype.F32, (2,), 8)
    private = bytearray(8)
    values = from_region(tensor, memoryview(private))
    values[1] = 1.0
    assert private == np.array([0, 1], np.float32).tobytes()
    assert not from_region(tensor, bytes(8)).flags.writeable


def test_bits_are_a_view_too() -> None:
    private = bytearray(4)
    bits_from_region(view(Dtype.BF16, (2,), 4), private)[0] = 0x3F80
    assert bytes(private) == (b"\x80\x3f\0\0" if sys.byteorder == "little" else b"\x3f\x80\0\0")


def test_tables_cannot_be_written_to() -> None:
    tensor = view(Dtype.F8_E4M3, (1,), 1)
    from_region(tensor, b"\x38")[0] = 9.0
    assert from_region(tensor, b"\x38").tolist() == [1.0]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), ()])
def test_empty_and_scalar_tensors(shape: tuple[int, ...], tmp_path: Path) -> None:
    data = bytes(4 * math.prod(shape))
    tensor = view(Dtype.F32, shape, len(data))
    assert artifact.array(on_disk(tmp_path, data, tensor), tensor).shape == shape
    assert raw(on_disk(tmp_path, data, tensor), tensor) == data


def test_raw_of_a_transposed_big_endian_view(tmp_path: Path) -> None:
    wanted: NDArray[Any] = np.arange(6, dtype="<i4").reshape(2, 3)
    data = bytes(4) + wanted.T.astype(">i4").tobytes()
    tensor = view(Dtype.I32, (2, 3), 28, offset=4, strides=(1, 2), byteorder="big")
    assert raw(on_disk(tmp_path, data, tensor), tensor) == wanted.tobytes()


def test_raw_of_packed_elements(tmp_path: Path) -> None:
    tensor = view(Dtype.F4, (4,), 3, offset=1)
    assert raw(on_disk(tmp_path, b"\1\2\3", tensor), tensor) == b"\2\3"


def test_packed_elements_have_no_strides_and_lie_inside() -> None:
    strided = view(Dtype.F4, (2, 2), 2, strides=(1, 2))
    assert refusal(lambda: from_region(strided, b"\1\2")) == "artifact.tensor-strides"
    outside = view(Dtype.F4, (4,), 2, offset=1)
    assert refusal(lambda: from_region(outside, b"\1\2")) == "artifact.tensor-outside"


def test_refuses_strides_of_another_rank() -> None:
    tensor = view(Dtype.U8, (2, 2), 4, strides=(1,))
    assert refusal(lambda: from_region(tensor, bytes(4))) == "artifact.tensor-strides"


def test_refuses_a_tensor_that_repeats_its_bytes_without_end() -> None:
    most = MOST_REPEATED
    assert from_region(view(Dtype.U8, (most,), 1, strides=(0,)), b"\1").shape == (most,)
    over = view(Dtype.U8, (most + 1,), 1, strides=(0,))
    assert refusal(lambda: from_region(over, b"\1")) == "artifact.tensor-repeated"


def test_refuses_a_boolean_of_2() -> None:
    tensor = view(Dtype.BOOL, (2,), 2)
    assert from_region(tensor, b"\0\1").tolist() == [False, True]
    assert refusal(lambda: from_region(tensor, b"\1\2")) == "artifact.tensor-boolean"


def test_no_integer_has_128_bits() -> None:
    with pytest.raises(InputError, match="128 bits"):
        bits_from_region(view(Dtype.C128, (1,), 16), bytes(16))


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def compressed(stored: bytes, nbytes: int) -> Tensor:
    region = Region(start=0, stop=len(stored), nbytes=nbytes, encoding="deflate")
    return view(Dtype.U8, (nbytes,), nbytes, region=region)


def test_inflates(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40
    stored = deflated(data)
    tensor = compressed(stored, len(data))
    assert raw(on_disk(tmp_path, stored, tensor), tensor) == data


@pytest.mark.parametrize("claimed", [0, 1, 99_999, 100_001])
def test_refuses_another_size_than_the_claimed(claimed: int) -> None:
    stored = deflated(bytes(100_000))
    rule = refusal(lambda: decoded(compressed(stored, claimed), stored))
    assert rule == "artifact.tensor-region-size"


@pytest.mark.parametrize(
    "change",
    [lambda s: s[:-1], lambda s: s + b"\0", lambda s: b"\xff" + s, lambda _: b""],
    ids=["cut", "followed", "broken", "empty"],
)
def test_refuses_a_stream_that_does_not_fill_its_region(change: Callable[[bytes], bytes]) -> None:
    stored = change(deflated(b"abc" * 100))
    rule = refusal(lambda: decoded(compressed(stored, 300), stored))
    assert rule == "artifact.tensor-deflate"


def test_refuses_a_region_shorter_than_claimed() -> None:
    tensor = view(Dtype.U8, (4,), 4)
    assert refusal(lambda: decoded(tensor, b"123")) == "artifact.tensor-region-size"


def test_says_where_the_file_is_too_short(tmp_path: Path) -> None:
    tensor = view(Dtype.U8, (4,), 4)
    with pytest.raises(InputError, match="has become shorter"):
        artifact.array(on_disk(tmp_path, b"12", tensor), tensor)
