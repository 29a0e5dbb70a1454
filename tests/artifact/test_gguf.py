from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza import artifact
from credenza.artifact.ggml import REFUSED, TYPES
from credenza.artifact.gguf import Gguf
from credenza.artifact.interface import Held
from credenza.artifact.model import Dtype, File
from credenza.catalogue import rules
from credenza.errors import InputError, MalformedError
from tests.artifact import counted, ggufs

ROOT = Path(__file__).parents[1] / "vectors"
VECTORS = ROOT / "artifact" / "gguf"
REFUSALS: dict[str, dict[str, Any]] = json.loads((VECTORS / "refusals.json").read_text("utf-8"))
VALUELESS = {"Q1_0", "Q8_K"}
"""Types of which the gguf package computes no values."""


def read(data: bytes) -> File:
    return Gguf().read(Held("model.gguf", data))


@pytest.mark.parametrize("name", REFUSALS)
def test_refuses(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read((VECTORS / f"{name}.gguf").read_bytes())
    finding = caught.value.finding
    assert (finding.rule, finding.where.start) == (REFUSALS[name]["rule"], REFUSALS[name]["start"])
    assert finding.expected
    assert finding.found
    assert str(finding).isprintable()


def test_every_rule_has_a_vector() -> None:
    ours = {r.id for r in rules() if r.id.startswith("artifact.gguf-")}
    assert ours == {r["rule"] for r in REFUSALS.values()}


def test_vectors_are_what_the_script_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "make_artifact_gguf.py"), str(tmp_path)], check=True)
    written = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert written == {p.name: p.read_bytes() for p in VECTORS.iterdir()}


def test_knows_every_type_that_the_gguf_package_knows() -> None:
    for kind, (elements, size) in GGML_QUANT_SIZES.items():
        if kind in REFUSED:
            assert kind is GGMLQuantizationType.Q8_1
            continue
        assert (TYPES[kind].label, TYPES[kind].block) == (kind.name, elements)
        assert TYPES[kind].bits == 8 * size
    assert TYPES.keys() <= set(GGML_QUANT_SIZES)


ARRAYS = {
    "F32": "f4",
    "F16": "f2",
    "F64": "f8",
    "I8": "i1",
    "I16": "i2",
    "I32": "i4",
    "I64": "i8",
}


def every_type(seed: int = 0) -> dict[str, tuple[Any, GGMLQuantizationType | None]]:
    """A tensor of each type that a file can have."""
    tensors: dict[str, tuple[Any, GGMLQuantizationType | None]] = {}
    for kind in TYPES:
        name = GGMLQuantizationType(kind).name
        if name in ARRAYS:
            tensors[name] = np.arange(24).reshape(2, 3, 4).astype(ARRAYS[name]), None
        else:
            tensors[name] = (
                ggufs.blocks(GGMLQuantizationType(kind), 3, seed),
                (GGMLQuantizationType(kind)),
            )
    return tensors


@pytest.mark.parametrize("seed", range(3))
def test_reads_every_type_as_the_gguf_package_does(tmp_path: Path, seed: int) -> None:
    path = ggufs.write(tmp_path / "model.gguf", every_type(seed))
    opened = artifact.open(path)
    reader = gguf.GGUFReader(path)
    assert [t.name for t in opened.tensors] == [t.name for t in reader.tensors]
    for theirs in reader.tensors:
        ours = opened.tensor(theirs.name)
        assert ours.shape == tuple(int(n) for n in reversed(theirs.shape))
        assert ours.dtype is TYPES[theirs.tensor_type]
        stop = theirs.data_offset + theirs.n_bytes
        assert (ours.region.start, ours.region.stop) == (theirs.data_offset, stop)
        assert ours.nbytes == theirs.n_bytes
        assert artifact.raw(opened, ours) == theirs.data.tobytes()
        if theirs.name in VALUELESS:
            with pytest.raises(InputError, match="no values"):
                artifact.array(opened, ours)
            continue
        np.testing.assert_array_equal(artifact.array(opened, ours), values(theirs))


def values(tensor: Any) -> Any:
    """What the gguf package makes of a tensor."""
    if tensor.tensor_type.name in ARRAYS:
        return tensor.data
    with np.errstate(all="ignore"):
        return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def test_values_of_what_the_gguf_package_quantised(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(4, 512)).astype(np.float32)
    for kind, worst in ((GGMLQuantizationType.Q8_0, 0.02), (GGMLQuantizationType.Q4_0, 0.4)):
        packed = gguf.quants.quantize(weight, kind)
        opened = artifact.open(ggufs.write(tmp_path / f"{kind.name}.gguf", {"w": (packed, kind)}))
        found = artifact.array(opened, opened.tensor("w"))
        assert found.shape == weight.shape
        assert np.abs(found - weight).max() < worst


def test_reads_big_endian(tmp_path: Path) -> None:
    kinds = ("Q4_0", "Q8_0", "Q4_K", "Q6_K", "MXFP4", "F32", "F16", "I32", "I8", "BF16", "Q5_K")
    tensors = {name: t for name, t in every_type().items() if name in kinds}
    little = artifact.open(ggufs.write(tmp_path / "little.gguf", tensors, {"a": "text", "n": 7}))
    big = artifact.open(turned(tmp_path / "big.gguf", tensors, {"a": "text", "n": 7}))
    assert dict(big.files[0].metadata)["GGUF.byteorder"] == "big"
    assert dict(big.files[0].metadata)["n"] == "uint32 7"
    for name in kinds[:-1]:
        np.testing.assert_array_equal(
            artifact.array(big, big.tensor(name)), artifact.array(little, little.tensor(name))
        )
    with pytest.raises(InputError, match="big-endian"):
        artifact.array(big, big.tensor("Q5_K"))


def turned(path: Path, tensors: dict[str, Any], pairs: dict[str, Any]) -> Path:
    """The same tensors as a big-endian file: its 16-bit fields are turned by hand."""
    swapped = {}
    fields = {"Q4_0": (0,), "Q8_0": (0,), "Q4_K": (0, 2), "Q6_K": (208,)}
    for name, (array, kind) in tensors.items():
        if kind is None:
            swapped[name] = array, kind
            continue
        held = array.reshape(-1, 2 if name == "BF16" else GGML_QUANT_SIZES[kind][1]).copy()
        for at in (0,) if name == "BF16" else fields.get(name, ()):
            held[:, [at, at + 1]] = held[:, [at + 1, at]]
        swapped[name] = held.reshape(array.shape), kind
    return ggufs.write(path, swapped, pairs, big=True)


def test_metadata_shows_every_value(tmp_path: Path) -> None:
    tokens = ["<s>", "ü", ""] * 20
    template = "{{ messages }}" * 100
    pairs = {"tokenizer.chat_template": template, "tokens": tokens, "few": [1, -2], "f": 0.1}
    path = ggufs.write(tmp_path / "model.gguf", {}, {**pairs, "on": True, "long": "x" * 70000})
    found = dict(artifact.open(path).files[0].metadata)
    packed = b"".join(struct.pack("<Q", len(t.encode())) + t.encode() for t in tokens)
    assert found["tokenizer.chat_template"] == template
    assert found["tokens"] == f"array of 60 string, sha256 {hashlib.sha256(packed).hexdigest()}"
    assert found["few"] == "array of 2 int32: 1, -2"
    assert found["f"] == "float32 0.100000001"
    assert found["on"] == "bool true"
    assert found["long"] == f"70000 bytes, sha256 {hashlib.sha256(b'x' * 70000).hexdigest()}"
    assert found["general.architecture"] == "llama"


@pytest.mark.parametrize("alignment", [8, 32, 64, 4096])
def test_reads_every_alignment(tmp_path: Path, alignment: int) -> None:
    tensors = {f"t{i}": (np.full(i, i, np.float32), None) for i in range(1, 9)}
    path = ggufs.write(tmp_path / "model.gguf", tensors, alignment=alignment)
    opened = artifact.open(path)
    for tensor in opened.tensors:
        assert tensor.region.start % alignment == 0
        assert set(artifact.array(opened, tensor).tolist()) == {float(tensor.name[1:])}
    unpadded = path.read_bytes()[: max(t.region.stop for t in opened.tensors)]
    assert read(unpadded).tensors == tuple(opened.tensors)


def test_reads_version_2_and_a_file_without_tensors() -> None:
    for version in (2, 3):
        head = b"GGUF" + struct.pack("<IQQ", version, 0, 0)
        assert read(head).tensors == ()
        assert read(head.ljust(32, b"\0")).tensors == ()


def test_claims_by_content_and_by_name(tmp_path: Path) -> None:
    path = ggufs.write(tmp_path / "model.bin", {"w": (np.ones(2, np.float32), None)})
    assert artifact.open(path).files[0].format == "gguf"
    (tmp_path / "false.gguf").write_bytes(b"text")
    with pytest.raises(MalformedError) as caught:
        artifact.open(tmp_path)
    assert caught.value.finding.rule == "artifact.gguf-magic"


def test_reads_no_tensor_byte(tmp_path: Path) -> None:
    tensors = {f"t{i}": (np.full(200_000, i, np.float32), None) for i in range(20)}
    path = ggufs.write(tmp_path / "model.gguf", tensors, {"tokens": ["token"] * 30_000})
    file = counted.Counted("model.gguf", path.read_bytes())
    found = Gguf().read(file)
    assert len(found.tensors) == 20
    header = found.tensors[0].region.start
    assert file.bytes_read < 2 * header + 25 * 2**16 < file.size // 4


SAMPLE = ggufs.sample()
NUMBERS = [b"\0", b"\1", b"\xff", b"\xff" * 8, struct.pack("<Q", 1 << 40), struct.pack("<I", 9)]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_changed_bytes_are_read_or_refused(draw: st.DataObject) -> None:
    changed = bytearray(SAMPLE)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(changed)))
        piece = draw.draw(st.one_of(st.sampled_from(NUMBERS), st.binary(max_size=8)))
        changed[at : at + draw.draw(st.sampled_from([len(piece), 0, 1]))] = piece
    data = bytes(changed)
    try:
        file = read(data)
    except MalformedError:
        return
    end = 0
    for tensor in file.tensors:
        assert end <= tensor.region.start <= tensor.region.stop <= len(data)
        assert tensor.nbytes == tensor.region.stop - tensor.region.start
        end = tensor.region.stop


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_accepts_nothing_that_the_gguf_package_refuses(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    changed = bytearray(SAMPLE)
    changed[draw.draw(st.integers(0, len(SAMPLE) - 1))] = draw.draw(st.integers(0, 255))
    try:
        file = read(bytes(changed))
    except MalformedError:
        return
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    path.write_bytes(changed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = gguf.GGUFReader(path)
    assert [(t.name, t.data_offset, t.n_bytes) for t in theirs.tensors] == [
        (t.name, t.region.start, t.nbytes) for t in file.tensors
    ]


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"GGUF\3\0\0\0"):
        try:
            read(start + data)
        except MalformedError:
            continue


def test_a_count_costs_nothing_before_it_is_checked() -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    claim = struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 8, 1 << 40)
    with pytest.raises(MalformedError) as caught:
        read(head + claim + bytes(1 << 16))
    assert caught.value.finding.rule == "artifact.gguf-count"


def test_strings_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credenza.artifact.gguf_values.MOST_STRINGS", 3)
    assert read(ggufs.sample())
    monkeypatch.setattr("credenza.artifact.gguf_values.MOST_STRINGS", 2)
    with pytest.raises(MalformedError) as caught:
        read(ggufs.sample())
    assert caught.value.finding.rule == "artifact.gguf-count"


@pytest.mark.parametrize("dtype", [d for d in Dtype if d.block > 1], ids=lambda d: d.label)
def test_a_seal_binds_block_types_by_their_names(dtype: Dtype) -> None:
    assert Dtype.of(dtype.label) is dtype
    assert dtype.bits % 8 == 0
