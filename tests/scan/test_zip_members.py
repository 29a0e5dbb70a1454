"""Members of ZIP archives: links, what cannot be read, what stands before, and what is said."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from credenza.findings import Severity
from credenza.scan.interface import Said
from tests.scan.boxes import EVIL, GOOD, both, looked, moved, tarred, zipped

NAME = "m/data.pkl"


def archive(method: int = zipfile.ZIP_STORED) -> bytes:
    return zipped({NAME: EVIL}, method)


# --- links --------------------------------------------------------------------------


def linked(target: bytes, *more: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        info = zipfile.ZipInfo("m/link")
        info.external_attr = 0o120777 << 16
        z.writestr(info, target)
        for name in more:
            z.writestr(name, EVIL)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "worst"),
    [
        (linked(b"inside"), Severity.LOW),
        (linked(b"../inside"), Severity.LOW),
        (linked(b"../../outside"), Severity.HIGH),
        (linked(b"/etc/passwd"), Severity.HIGH),
        (linked(b"C:\\x"), Severity.HIGH),
        (linked(b"inside", "m/link/a.pkl"), Severity.HIGH),
        (linked(b"inside", "m/x/../link/a.pkl"), Severity.HIGH),
    ],
)
def test_links(data: bytes, worst: Severity) -> None:
    found = looked(data)
    assert found.report.worst == worst
    assert "scan.archive-link" in {f.rule for f in found.report.findings}


# --- what cannot be read ------------------------------------------------------------


@pytest.mark.parametrize("level", ["-0", "-6"])
def test_an_encrypted_member_is_unread_and_no_accusation(level: str, tmp_path: Path) -> None:
    if shutil.which("zip") is None:
        pytest.skip("not installed")
    (tmp_path / "a.bin").write_bytes(EVIL * 40)
    subprocess.run(["zip", "-q", level, "-P", "secret", "a.zip", "a.bin"], cwd=tmp_path, check=True)
    found = looked(tmp_path / "a.zip")
    assert [u.why for u in found.report.unread] == ["zip: a.bin: it is encrypted"]
    assert found.report.findings == ()


@pytest.mark.parametrize("method", [1, 6, 9, 97])
def test_a_method_that_is_not_read_is_said(method: int) -> None:
    found = looked(both(archive(), 8, struct.pack("<H", method)))
    (unread,) = found.report.unread
    assert f"compression method {method} is not read" in unread.why


def test_a_broken_member_keeps_what_was_decompressed() -> None:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    begun = deflate.compress(EVIL) + deflate.flush(zlib.Z_FULL_FLUSH)
    found = looked(both(zipped({NAME: begun + b"\xff" * 10}), 8, b"\x08\0"))
    assert found.report.unread
    assert any(content.startswith(EVIL) for content in found.contents)


def test_inflates_to_another_size_than_claimed() -> None:
    data = both(archive(zipfile.ZIP_DEFLATED), 22, struct.pack("<I", 5))
    found = looked(data)
    assert "artifact.zip-deflate" in found.accused
    assert EVIL in found.contents


@pytest.mark.parametrize("method", [0, 8])
def test_an_archive_that_was_cut_off_is_read_by_its_local_headers(method: int) -> None:
    data = zipped({"a.bin": GOOD * 3, NAME: EVIL}, method)
    found = looked(data[: data.index(b"PK\x01\x02")])
    assert {GOOD * 3, EVIL} <= found.contents
    assert [u.why for u in found.report.unread] == ["zip: it has no central directory"]
    assert found.accused == set()


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("left", [1, 30])
def test_a_download_that_broke_off_within_a_member_is_no_accusation(method: int, left: int) -> None:
    data = zipped({"a.bin": GOOD * 3, NAME: EVIL, "z.bin": bytes(range(256)) * 9}, method)
    found = looked(data[: data.index(b"z.bin") + 5 + left])
    assert {GOOD * 3, EVIL} <= found.contents
    assert "zip: it has no central directory" in [u.why for u in found.report.unread]
    assert any("z.bin" in u.why for u in found.report.unread)
    assert not found.report.findings


@pytest.mark.parametrize("layout", ["<III", "<IQQ"])
def test_a_stored_member_ends_before_its_descriptor(layout: str) -> None:
    """As PyTorch writes its members, of an archive whose directory is lost."""
    data = bytearray(zipped({NAME: EVIL}))
    data = data[: data.index(b"PK\x01\x02")]
    data[6:8] = struct.pack("<H", 8)
    data[14:26] = bytes(12)
    data += b"PK\x07\x08" + struct.pack(layout, zlib.crc32(EVIL), len(EVIL), len(EVIL))
    found = looked(bytes(data))
    assert found.contents == {EVIL}
    assert not found.report.findings


# --- archives behind something else -------------------------------------------------

BEFORE: dict[str, tuple[bytes, Severity | None]] = {
    "a pickle": (GOOD, Severity.HIGH),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), Severity.HIGH),
    "a script": (b"#!/bin/sh\nexit\n", Severity.HIGH),
    "a zipapp": (b"#!/usr/bin/env python3\n", Severity.LOW),
    "a TFLite model": (b"\x1c\0\0\0TFL3" + bytes(100), None),
}


@pytest.mark.parametrize("kind", sorted(BEFORE))
@pytest.mark.parametrize("corrected", [False, True])
def test_an_archive_behind_something_else(kind: str, corrected: bool) -> None:
    before, worst = BEFORE[kind]
    data = moved(archive(), before, 0) if corrected else before + archive()
    found = looked(data)
    assert EVIL in found.contents
    if corrected or worst == Severity.HIGH:
        assert found.report.worst == worst


def test_an_archive_within_a_tar_or_a_pickle_is_no_polyglot() -> None:
    assert looked(tarred({"m.pt": archive()})).accused == set()
    within = b"\x80\x04B" + struct.pack("<I", len(archive())) + archive() + b"."
    found = looked(within)
    assert found.accused == set()
    assert EVIL in found.contents


def test_what_is_said_of_members() -> None:
    files = {
        NAME: GOOD,
        "m/data/0": b"\x80\x04\x95",
        "m/data/evil.pkl": EVIL,
        "m/data/evil": EVIL,
        "m/constants.pkl": GOOD,
        "m/constants/0": b"PK\x03\x04",
        "m/version": b"3\n",
    }
    found = looked(zipped(files))
    assert {name: found.said(name) for name in files} == {
        NAME: Said.PICKLE,
        "m/data/0": Said.DATA,
        "m/data/evil.pkl": Said.PICKLE,
        "m/data/evil": "",
        "m/constants.pkl": Said.PICKLE,
        "m/constants/0": Said.DATA,
        "m/version": "",
    }
    assert found.report.findings == ()


# --- zip64 --------------------------------------------------------------------------


def zip64(data: bytes, *, count: int = 1, start: int | None = None, at: int | None = None) -> bytes:
    """The archive with zip64 end records that say the same, or another thing."""
    stop = data.rindex(b"PK\x05\x06")
    directory = data.rindex(b"PK\x01\x02") if start is None else start
    size = stop - data.rindex(b"PK\x01\x02")
    wide = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, directory)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, stop if at is None else at, 1)
    return data[:stop] + wide + locator + data[stop:]


def test_zip64_records_that_agree_are_nothing_and_lies_are_said() -> None:
    data = zipped({"a": GOOD, NAME: EVIL})
    first = data.index(b"PK\x01\x02")
    honest = zip64(zipped({NAME: EVIL}))
    assert looked(honest).report.findings == ()
    assert "artifact.zip-disagreement" in looked(zip64(data, count=1)).accused
    assert "artifact.zip-disagreement" in looked(zip64(data, count=2, start=first + 4)).accused
    assert "artifact.zip-end" in looked(zip64(zipped({NAME: EVIL}), at=3)).accused
