from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.artifact.interface import Held
from credenza.artifact.model import Dtype, File
from credenza.artifact.safetensors import _LABELS, Safetensors
from credenza.catalogue import rules
from credenza.errors import MalformedError
from tests.artifact.counted import Counted

ROOT = Path(__file__).parents[1] / "vectors"
VECTORS = ROOT / "artifact" / "safetensors"
REFUSALS: dict[str, dict[str, Any]] = json.loads((VECTORS / "refusals.json").read_text("utf-8"))


def read(data: bytes, name: str = "model.safetensors") -> File:
    return Safetensors().read(Held(name, data))


def framed(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def reference(data: bytes) -> dict[str, dict[str, Any]]:
    """What the reference implementation reads: dtype, shape and data by name."""
    return dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]


def reference_refuses(data: bytes) -> bool:
    try:
        reference(data)
    except safetensors.SafetensorError:
        return True
    return False


@pytest.mark.parametrize("name", REFUSALS)
def test_refuses(name: str) -> None:
    path = VECTORS / f"{name}.safetensors"
    with pytest.raises(MalformedError) as caught:
        read(path.read_bytes())
    finding = caught.value.finding
    assert (finding.rule, finding.where.start) == (REFUSALS[name]["rule"], REFUSALS[name]["start"])
    assert finding.expected
    assert finding.found
    assert str(finding).isprintable()


@pytest.mark.parametrize("name", REFUSALS)
def test_reference_is_never_stricter(name: str) -> None:
    data = (VECTORS / f"{name}.safetensors").read_bytes()
    assert reference_refuses(data) == REFUSALS[name]["reference_refuses"]


def test_every_rule_has_a_vector() -> None:
    ours = {r.id for r in rules() if r.id.startswith("artifact.safetensors-")}
    assert ours == {r["rule"] for r in REFUSALS.values()}


def test_vectors_are_what_the_script_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "make_artifact.py"), str(tmp_path)], check=True)
    written = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert written == {p.name: p.read_bytes() for p in VECTORS.iterdir()}


def test_reads_names_shapes_regions_and_metadata() -> None:
    header = {
        "__metadata__": {"format": "pt", "ü": "é"},
        "b": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [4, 16]},
        "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
        "none": {"dtype": "I64", "shape": [0, 5], "data_offsets": [16, 16]},
    }
    data = framed(header, bytes(16))
    file = read(data)
    start = len(data) - 16
    assert file.format == "safetensors"
    assert file.metadata == (("format", "pt"), ("ü", "é"))
    assert [(t.name, t.dtype, t.shape) for t in file.tensors] == [
        ("b", Dtype.BF16, (2, 3)),
        ("a", Dtype.F32, ()),
        ("none", Dtype.I64, (0, 5)),
    ]
    regions = [(t.region.start - start, t.region.stop - start) for t in file.tensors]
    assert regions == [(4, 16), (0, 4), (16, 16)]


@pytest.mark.parametrize("dtype", _LABELS.values(), ids=lambda d: d.label)
def test_reads_every_dtype_as_the_reference_does(dtype: Dtype) -> None:
    entry = {"dtype": dtype.label, "shape": [8], "data_offsets": [0, dtype.bits]}
    data = framed({"t": entry}, bytes(dtype.bits))
    assert read(data).tensors[0].dtype is dtype
    assert not reference_refuses(data)


@pytest.mark.parametrize("padding", ["", " ", " " * 9])
def test_header_may_be_padded_with_spaces(padding: str) -> None:
    assert read(framed(f"{{}}{padding}".encode())).tensors == ()


@pytest.mark.parametrize(
    ("path", "data", "claimed"),
    [
        ("a.safetensors", b"anything", True),
        ("a.bin", framed(b"{}"), True),
        ("a.bin", framed(b"[]"), False),
        ("a.bin", framed(b"{}")[:9], False),
        ("a.bin", struct.pack("<Q", 3) + b"{}", False),
        ("a.bin", struct.pack("<Q", 1 << 40) + b"{}", False),
    ],
)
def test_claims_by_name_or_by_content(path: str, data: bytes, claimed: bool) -> None:
    assert Safetensors().claims(Held(path, data)) is claimed


def test_reads_no_tensor_byte_of_100_000_tensors() -> None:
    count, size = 100_000, 4
    entries = {
        f"layers.{i}.weight": {"dtype": "U8", "shape": [2, 2], "data_offsets": [4 * i, 4 * i + 4]}
        for i in range(count)
    }
    data = framed(entries, bytes(count * size))
    file = Counted("model.safetensors", data)
    assert len(Safetensors().read(file).tensors) == count
    assert max(stop for _, stop in file.ranges) == len(data) - count * size
    assert sum(stop - start for start, stop in file.ranges) == len(data) - count * size


@st.composite
def headers(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """A valid header, and how many bytes its tensors take."""
    dtypes = st.sampled_from(["F32", "BF16", "U8", "F8_E4M3", "C64", "BOOL"])
    shapes = st.lists(st.integers(0, 4), max_size=3)
    names = draw(st.lists(st.text("abü.", max_size=3), unique=True, max_size=4))
    entries: dict[str, Any] = {}
    at = 0
    for name in names:
        dtype, shape = draw(dtypes), draw(shapes)
        size = int(np.prod(shape, dtype=np.int64)) * Dtype.of(dtype).bits // 8
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    order = draw(st.permutations(list(entries)))
    return {n: entries[n] for n in order}, at


@given(headers())
def test_accepts_what_is_valid(given_: tuple[dict[str, Any], int]) -> None:
    header, size = given_
    data = framed(header, bytes(size))
    assert not reference_refuses(data)
    file = read(data)
    assert {t.name: [t.dtype.label, list(t.shape)] for t in file.tensors} == {
        n: [e["dtype"], e["shape"]] for n, e in header.items()
    }


PIECES = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"0",
    b"-",
    b"1e",
    b"\\",
    b"\xff",
    b"9" * 20,
]


@settings(max_examples=400)
@given(headers(), st.data())
def test_accepts_nothing_that_the_reference_refuses(
    given_: tuple[dict[str, Any], int], data: st.DataObject
) -> None:
    header, size = given_
    text = bytearray(json.dumps(header).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 2))
        text[at : at + cut] = data.draw(st.sampled_from([b"", *PIECES]))
    changed = framed(bytes(text), bytes(size + data.draw(st.sampled_from([0, 0, 0, 1]))))
    try:
        file = read(changed)
    except MalformedError:
        return
    held = reference(changed)
    assert {t.name: (t.dtype.label, list(t.shape), t.nbytes) for t in file.tensors} == {
        n: (e["dtype"], e["shape"], len(e["data"])) for n, e in held.items()
    }


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except MalformedError:
        return
    assert not reference_refuses(data)
