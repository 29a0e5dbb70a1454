"""Compressed streams, encoded texts, and what is known and not opened."""

from __future__ import annotations

import base64
import bz2
import gzip
import importlib.util
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import joblib
import lz4.frame
import numpy as np
import pytest
from joblib.numpy_pickle_compat import read_zfile

from credenza.findings import Severity
from credenza.scan import Limits
from credenza.scan.containers import unopened
from tests.scan.boxes import EVIL, GOOD, looked, tarred, zipped

BODY = EVIL * 40

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda d: lzma.compress(d, lzma.FORMAT_ALONE),
    "lz4": lz4.frame.compress,
}


HEADS = [b"ZF0x410".ljust(21), b"ZF0x410".ljust(22), b"ZF 0X_410".ljust(21), b"ZF410".ljust(21)]
"""Of joblib before 0.10, by Python 2 one longer; and what else joblib takes for that number."""


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", ["a.bin", "a.pkl"])
def test_what_old_joblib_compressed_is_looked_at(head: bytes, name: str) -> None:
    data = head + zlib.compress(BODY)
    assert read_zfile(io.BytesIO(data)) == BODY
    found = looked(data, name)
    assert found.contents == {BODY}
    assert found.report.findings == ()
    assert looked(data + EVIL, name).contents == {BODY, EVIL}


@pytest.mark.parametrize("length", [2, 3, 20, 21, 22, 40])
def test_what_old_joblib_compressed_and_is_cut_off_is_unread(length: int) -> None:
    data = HEADS[0] + zlib.compress(BODY)
    assert looked(data[:length], "a.pkl").report.unread


def test_a_text_that_begins_with_zf_is_none() -> None:
    found = looked(b"ZF is what this text begins with, and no more.", "a.txt")
    assert found.shown == ()
    assert found.report.unread == ()


@pytest.mark.parametrize("method", sorted(COMPRESS))
@pytest.mark.parametrize("name", ["a.bin", "a.pkl"])
def test_the_content_is_a_piece(method: str, name: str) -> None:
    found = looked(COMPRESS[method](BODY), name)
    assert found.contents == {BODY}
    assert found.report.findings == ()
    assert found.report.unread == ()


@pytest.mark.parametrize("method", sorted(COMPRESS))
def test_what_joblib_compresses_is_looked_at(method: str, tmp_path: Path) -> None:
    written = joblib.dump({"a": np.arange(3.0)}, tmp_path / "m.joblib", (method, 3))
    found = looked(Path(written[0]))
    (shown,) = found.shown
    assert shown.data.startswith(b"\x80")
    assert found.report.findings == ()


@pytest.mark.parametrize("method", sorted(COMPRESS))
def test_bytes_behind_the_stream_are_said_and_looked_at(method: str) -> None:
    data = COMPRESS[method](GOOD * 30)
    found = looked(data + EVIL)
    assert found.accused == {"scan.stream"}
    assert {GOOD * 30, EVIL} == found.contents


@pytest.mark.parametrize("method", ["gzip", "bz2", "xz", "lz4"])
def test_streams_behind_one_another_are_looked_at_as_one_and_each(method: str) -> None:
    """``gzip`` reads them as one, joblib the first alone; bgzip and pbzip2 write such files."""
    found = looked(COMPRESS[method](GOOD) + COMPRESS[method](EVIL))
    assert found.contents == {GOOD + EVIL, EVIL}
    assert found.report.worst == Severity.LOW


def test_zeros_behind_a_stream_are_padding() -> None:
    assert looked(gzip.compress(EVIL) + bytes(512)).report.worst == Severity.LOW


def flushed(data: bytes) -> bytes:
    """A zlib stream that gives ``data`` and then breaks."""
    stream = zlib.compressobj()
    return stream.compress(data) + stream.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 10


@pytest.mark.parametrize(
    "data",
    [flushed(BODY), gzip.compress(BODY)[:-6], lzma.compress(BODY)[:-20], bz2.compress(BODY)[:-2]],
    ids=["zlib, broken behind it", "gzip", "xz", "bz2"],
)
def test_what_comes_before_a_break_is_looked_at(data: bytes) -> None:
    """As in "nullifAI": the payload has run when the stream breaks off."""
    found = looked(data, "a.pkl")
    assert len(found.report.unread) == 1
    assert found.accused == set()
    assert BODY in found.contents


@pytest.mark.parametrize(
    "text", [b"x^2 + y^2 = z^2\n" * 99, b"x\x9c", b"]\0\0", b"BZh is no magic"]
)
def test_what_only_begins_like_a_stream_is_none(text: bytes) -> None:
    found = looked(text)
    assert found.shown == ()
    assert found.report.unread == ()


def test_containers_in_one_another() -> None:
    inner = zipped({"m/data.pkl": EVIL})
    found = looked(gzip.compress(tarred({"m.pt": inner})), "model.tgz")
    assert "model.tar!m.pt!m/data.pkl" in {n.replace("a.bin", "model.tar") for n in found.named}
    assert EVIL in found.contents
    assert found.report.findings == ()


def nested(levels: int) -> bytes:
    data = EVIL
    for _ in range(levels):
        data = zipped({"a": data})
    return data


def test_depth_is_limited_and_said() -> None:
    limits = Limits(depth=5)
    assert EVIL in looked(nested(5), limits=limits).contents
    deep = looked(nested(6), limits=limits)
    assert deep.accused == {"scan.bomb"}
    assert EVIL not in deep.contents
    assert deep.report.unread


# --- encoded ------------------------------------------------------------------------

MAGICAL = {
    "a pickle": b"\x80\x04\x95" + EVIL * 10,
    "a pickle of protocol 2": b"\x80\x02c" + EVIL[1:],
    "an archive": zipped({"a.pkl": EVIL}),
    "an executable": b"\x7fELF" + bytes(60),
}
ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "urlsafe": base64.urlsafe_b64encode,
    "base64 in lines": base64.encodebytes,
    "base64 without padding": lambda d: base64.b64encode(d).rstrip(b"="),
    "hex": lambda d: d.hex().encode(),
    "HEX": lambda d: d.hex().upper().encode() + b"\n",
}


@pytest.mark.parametrize("kind", sorted(MAGICAL))
@pytest.mark.parametrize("encoding", sorted(ENCODE))
def test_an_encoded_file_is_decoded(kind: str, encoding: str) -> None:
    found = looked(ENCODE[encoding](MAGICAL[kind]), "a.txt")
    assert MAGICAL[kind] in found.contents
    assert [f.rule for f in found.report.findings] == ["scan.encoded"]
    assert found.accused == set()


@pytest.mark.parametrize(
    "text",
    [b"a plain text, of no interest", b"abcdefgh" * 99, base64.b64encode(bytes(99)), b"IQ== 0"],
)
def test_other_texts_are_not_decoded(text: bytes) -> None:
    assert looked(text, "a.txt").shown == ()


def test_an_encoded_file_that_breaks_off_is_unread() -> None:
    encoded = base64.b64encode(MAGICAL["a pickle"] * 99)
    found = looked(encoded + b"!")
    assert len(found.report.unread) == 1
    assert found.report.unread[0].why.startswith("it begins as base64")


# --- zstd and others -----------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("backports") is not None, reason="zstd is installed")
def test_zstd_is_unread_without_the_extra() -> None:
    found = looked(b"\x28\xb5\x2f\xfd" + bytes(60))
    assert "pip install 'credenza[zstd]'" in found.report.unread[0].why


def test_zstd() -> None:
    zstd = pytest.importorskip("backports.zstd")
    assert looked(zstd.compress(BODY)).contents == {BODY}
    broken = zstd.compress(BODY)[:-3] + b"\xff" * 9
    assert len(looked(broken).report.unread) == 1


@pytest.mark.parametrize("number", range(len(unopened.MAGICS)))
def test_what_is_known_and_not_opened_is_said(number: int) -> None:
    at, magic, kind = unopened.MAGICS[number]
    name = "a.bin" if len(magic) >= 4 else "a.img"
    found = looked(b"\1" * at + magic + bytes(600), name)
    assert [u.why for u in found.report.unread] == [f"{kind}, which is not opened here"]
    assert found.accused == set()
