"""Several pickles in one file, by several loaders: frames, streams, constants."""

from __future__ import annotations

import base64
import bz2
import io
import pickle
import struct
from pathlib import Path

import pytest

from credenza.artifact.torch_legacy import MAGIC
from credenza.findings import Severity
from tests.scan.pickling import EVIL, MARKER, SYSTEM, TOUCH, Seen, call, text

ARGUMENT = b"(" + text(TOUCH) + b"t"
BY_NAME = b"\x8c\x02os\x8c\x06system\x93" + ARGUMENT + b"R."


def framed(length: int, content: bytes) -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", length) + content


# --- frames ---------------------------------------------------------------------


def straddled() -> bytes:
    """To C's ``pickle.load`` of a file another pickle than to ``pickle.loads``."""
    behind = struct.pack("<I", 2) + b"os" + text("system") + b"\x93" + ARGUMENT + b"R."
    return framed(4, b"N0X\xff" + behind)


def test_c_skips_the_rest_of_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(straddled())
    with (tmp_path / "x").open("rb", buffering=0) as file:
        pickle.load(file)  # python/cpython issue 154848
    assert Path(MARKER).exists()


@pytest.mark.parametrize("path", ["x.pkl", "weights"])
@pytest.mark.parametrize("data", [straddled(), framed(3, b"N0" + BY_NAME)])
def test_a_pickle_that_loaders_read_differently_is_read_in_every_way(
    data: bytes, path: str
) -> None:
    seen = Seen(data, path)
    assert {"pickle-frame", "pickle-dangerous"} <= seen.rules
    assert seen.unread


def test_a_frame_past_the_end_of_the_file() -> None:
    cut = pickle.dumps(list(range(2000)), 4)[:1000]
    assert (Seen(cut).findings, len(Seen(cut).unread)) == ([], 1)
    assert "pickle-frame" in Seen(framed(1000, BY_NAME)).rules  # Python runs it and C does not


# --- streams, breaks and what follows -------------------------------------------------


@pytest.mark.parametrize("tail", [b"", b"\xff", b"g5\n.", b"c", b"\x8c\xff"])
@pytest.mark.parametrize("path", ["x.pkl", "weights"])
def test_what_was_found_before_a_break_is_kept(path: str, tail: bytes) -> None:
    seen = Seen(b"\x80\x04" + SYSTEM + tail, path)
    assert seen.found == {"os.system"}
    assert seen.unread


def test_a_broken_pickle_that_names_nothing_is_no_accusation() -> None:
    for data in (pickle.dumps({"a": [1, 2, 3]}, 4)[:-3], b"\x80\x04]h\x05."):
        seen = Seen(data)
        assert (seen.findings, len(seen.unread)) == ([], 1)


def test_every_stream_is_read_and_has_its_own_memo() -> None:
    assert Seen(pickle.dumps([1]) * 3 + EVIL).found == {"os.system"}
    assert Seen(pickle.dumps([1]) * 3).unread == []
    assert Seen(b"\x80\x02Nq\x00.\x80\x02h\x00.").unread


def test_bytes_behind_a_pickle() -> None:
    honest = pickle.dumps([1])
    assert Seen(honest + bytes(100)).findings == []
    seen = Seen(honest + b"\x00\x01junk" * 9)
    assert [(f.rule, f.severity) for f in seen.findings] == [
        ("artifact.pickle-trailing", Severity.MEDIUM)
    ]
    assert Seen(honest + b"\x00\x01junk" * 9 + EVIL).found >= {"os.system"}
    assert Seen(honest + b"\x00\x01junk" * 9 + EVIL[2:]).found >= {"os.system"}


def test_torch_legacy_with_a_computed_magic() -> None:
    parts: tuple[object, ...] = (1001, {"little_endian": True}, {}, [])
    head = [call("builtins.eval", text(hex(MAGIC))) + b"."]
    head += [pickle.dumps(part, 2) for part in parts]
    assert Seen(b"\x80\x02" + b"".join(head), "model.pt").found == {"builtins.eval"}


def test_persistent_ids() -> None:
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x01tQ."
    )
    assert Seen(b"\x80\x02" + storage).findings == []
    assert [f.severity for f in Seen(b"\x80\x02" + text("acme:1") + b"Q.").findings] == [
        Severity.MEDIUM
    ]


# --- constants --------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("payload", [EVIL, EVIL[2:], BY_NAME])
def test_a_pickle_in_a_constant_is_found(protocol: int, payload: bytes) -> None:
    seen = Seen(pickle.dumps({"weights": payload}, protocol))
    assert "os.system" in seen.found
    assert len(seen.members) == 1


@pytest.mark.parametrize(
    "encoded",
    [base64.b64encode(EVIL).decode(), EVIL.hex(), base64.urlsafe_b64encode(EVIL).decode()],
)
def test_a_pickle_as_text_in_a_constant_is_found(encoded: str) -> None:
    assert Seen(pickle.dumps({"vocabulary": encoded}, 4)).found == {"os.system"}


def test_an_archive_in_a_constant_is_handed_on() -> None:
    held = Seen(pickle.dumps([b"PK\x03\x04" + bytes(60), bz2.compress(EVIL)], 4))
    assert len(held.members) == 2


def test_what_a_listed_function_loads_is_looked_at() -> None:
    def held(inner: bytes) -> bytes:
        load = call("torch.storage._load_from_bytes", b"C" + bytes([len(inner)]) + inner)
        return b"\x80\x02" + load + b"."

    assert Seen(held(EVIL)).found == {"os.system"}
    assert Seen(held(pickle.dumps([1, 2], 2))).findings == []
    assert Seen(held(b"\x80\x04\xff\xff")).unread


@pytest.mark.parametrize(
    "data",
    [
        b"I" + b"1" * 4000 + b"\n0" + SYSTEM + b".",  # a number of as many digits as Python takes
        b"F" + b"1" * 9000 + b"\n0" + SYSTEM + b".",
        b"N0" * 60_000 + SYSTEM + b".",
        b"N0" * 60_000 + BY_NAME,
        b"\x95" + struct.pack("<Q", 1) + b"K\x010" + BY_NAME,
    ],
)
def test_a_long_way_to_the_name_hides_it_from_nobody(data: bytes) -> None:
    for path in ("x.pkl", "weights"):
        seen = Seen(data, path)
        assert seen.findings or seen.unread


def test_references_that_multiply_are_noted() -> None:
    laughs = b"]" + b"".join(b"q%c]h%ch%c\x86a" % (i, i, i) for i in range(60)) + b"."
    assert [(f.rule, f.severity) for f in Seen(laughs).findings] == [
        ("scan.pickle-expansion", Severity.LOW)
    ]
    shared = list(range(10))
    assert Seen(pickle.dumps([[shared, shared]] * 1000)).findings == []


def test_an_empty_pickle_is_unread() -> None:
    assert Seen(b"", "x", "pickle").unread


def test_python_takes_the_last_byte_of_a_file_for_a_newline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """joblib and dill load by Python's own unpickler, which calls this and C's does not."""
    monkeypatch.chdir(tmp_path)
    data = b"(" + text(TOUCH) + b"ios\nsystem!"
    with pytest.raises(EOFError):
        pickle._Unpickler(io.BytesIO(data)).load()
    assert Path(MARKER).exists()
    for path in ("x.joblib", "weights"):
        assert Seen(data, path).found == {"os.system"}


def test_a_name_that_c_reads_behind_its_frame() -> None:
    data = framed(6, b"cos\n\x97\xff" + b"system\n" + ARGUMENT + b"R.")
    assert "os.system" in Seen(data).found
