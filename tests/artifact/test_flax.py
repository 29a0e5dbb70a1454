"""MessagePack as flax writes it, by files that flax wrote (vectors/make_artifact_keras.py)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from credenza.artifact import array
from credenza.artifact import open as open_artifact
from credenza.artifact.flax import Flax
from credenza.artifact.interface import Held
from credenza.artifact.pickles import BrokenPickleError

FOLDER = Path(__file__).parent.parent / "vectors" / "artifact" / "flax"
STATE = (FOLDER / "state.msgpack").read_bytes()


def refused(data: bytes) -> BrokenPickleError:
    with pytest.raises(BrokenPickleError) as caught:
        Flax().read(Held("a.msgpack", data))
    return caught.value


def text(value: str) -> bytes:
    return bytes([0xA0 + len(value)]) + value.encode()


def ndarray(value: NDArray[Any], code: int = 1, **changes: bytes) -> bytes:
    """An array as flax packs it, with parts of it changed."""
    data = value.tobytes()
    body = changes.get("head", b"\x93")
    body += changes.get("shape", bytes([0x90 + value.ndim, *value.shape]))
    body += changes.get("dtype", text(value.dtype.name))
    body += changes.get("data", b"\xc4" + bytes([len(data)]) + data) + changes.get("tail", b"")
    return b"\xc7" + bytes([len(body), code]) + body


SOME = np.arange(4, dtype="<f4")


def test_a_state_is_read_as_flax_reads_it() -> None:
    artifact = open_artifact(FOLDER / "state.msgpack")
    values = np.load(FOLDER / "state.npz")
    assert artifact.files[0].format == "flax"
    assert {t.name for t in artifact.tensors} == set(values.files)
    for tensor in artifact.tensors:
        found = array(artifact, tensor)
        assert np.array_equal(found, values[tensor.name])
        assert found.shape == values[tensor.name].shape
    assert artifact.files[0].unread == ("others.8: 5 bytes",)


def test_an_array_in_chunks_is_a_tensor_for_each() -> None:
    artifact = open_artifact(FOLDER / "chunked.msgpack")
    assert [t.name for t in artifact.tensors] == ["w.chunks.0", "w.chunks.1", "w.chunks.2"]
    whole = np.load(FOLDER / "chunked.npz")["w"]
    joined = np.concatenate([array(artifact, t) for t in artifact.tensors])
    assert np.array_equal(joined.reshape(whole.shape), whole)


def test_a_file_is_one_by_its_content() -> None:
    assert Flax().claims(Held("checkpoint_0", STATE))
    assert not Flax().claims(Held("checkpoint_0", STATE + b"\0"))
    assert not Flax().claims(Held("other", b"\x81" + text("a") + b"\x01"))


@pytest.mark.parametrize(
    ("data", "rule", "start"),
    [
        (b"", "msgpack-truncated", 0),
        (b"\x81" + text("a"), "msgpack-truncated", 3),
        (b"\xdd\xff\xff\xff\xff", "msgpack-truncated", 0),
        (b"\xdf\x7f\xff\xff\xff", "msgpack-truncated", 0),
        (b"\xdb\xff\xff\xff\xff", "msgpack-truncated", 0),
        (b"\xc6\xff\xff\xff\xff", "msgpack-truncated", 0),
        (b"\xc9\xff\xff\xff\xff\x01", "msgpack-truncated", 0),
        (b"\xc1", "msgpack-type", 0),
        (b"\x80\x80", "msgpack-trailing", 1),
        (b"\xa1\xff", "msgpack-text", 0),
        (b"\x82" + text("a") + b"\x01" + text("a") + b"\x02", "msgpack-key", 4),
        (b"\x81\xc0\x01", "msgpack-key", 1),
        (b"\x81\x90\x01", "msgpack-key", 1),
        (b"\x81\xda\x04\x01" + b"k" * 1025 + b"\x01", "msgpack-key", 1),
        (b"\x91" * 513 + b"\1", "msgpack-limit", 513),
        (ndarray(SOME, head=b"\x92"), "msgpack-array", 3),
        (ndarray(SOME, shape=b"\x04"), "msgpack-array", 0),
        (ndarray(SOME, shape=b"\x91\xff"), "msgpack-array", 0),
        (ndarray(SOME, shape=b"\x92\x04\xcf" + b"\xff" * 8), "msgpack-array", 0),
        (ndarray(SOME, shape=b"\xdc\x00\x41" + b"\1" * 65), "msgpack-array", 3),
        (ndarray(SOME, dtype=b"\x01"), "msgpack-array", 0),
        (ndarray(SOME, data=text("x" * 16)), "msgpack-array", 0),
        (ndarray(SOME, tail=b"\0"), "msgpack-array", 14),
        (ndarray(SOME, shape=b"\x91\x05"), "array-size", 14),
        (ndarray(SOME, shape=b"\x91\x03"), "array-size", 14),
        (b"\xc7\x02\x02\x91\x01", "msgpack-truncated", 5),
        (b"\xc7\x03\x02\x92\x01\xc0", "msgpack-array", 0),
        (b"\x82\x01" + ndarray(SOME) + text("1") + ndarray(SOME), "tensor-name-twice", None),
    ],
)  # fmt: skip
def test_what_breaks_the_format_is_refused_at_its_byte(
    data: bytes, rule: str, start: int | None
) -> None:
    error = refused(data)
    assert error.finding.rule == f"artifact.{rule}"
    assert error.finding.where.start == start


def test_limits_from_both_sides() -> None:
    deep = b"\x91" * 512 + b"\x01"
    assert Flax().read(Held("a.msgpack", deep)).tensors == ()
    longest = b"\x81\xda\x04\x00" + b"k" * 1024 + b"\x01"
    assert Flax().read(Held("a.msgpack", longest)).tensors == ()
    axes = ndarray(SOME, shape=b"\xdc\x00\x40" + b"\1" * 63 + b"\4")
    assert len(Flax().read(Held("a.msgpack", axes)).tensors[0].shape) == 64


def test_other_types_are_said_and_not_guessed() -> None:
    data = b"\x92" + ndarray(SOME, dtype=text("int4")) + b"\xd6\xff" + struct.pack(">I", 1)
    assert Flax().read(Held("a.msgpack", data)).unread == (
        "0: an array of 'int4'",
        "1: a value of extension type -1",
    )


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_files_are_read_or_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(STATE) - 1))
    piece = data.draw(st.binary(min_size=1, max_size=8))
    file = Held("a.msgpack", STATE[:at] + piece + STATE[at + len(piece) :])
    try:
        tensors = Flax().read(file).tensors
    except BrokenPickleError:
        return
    assert all(0 <= t.region.start <= t.region.stop <= file.size for t in tensors)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    file = Held("a.msgpack", data)
    try:
        found = Flax().read(file)
    except BrokenPickleError:
        return
    assert found.size == len(data)
