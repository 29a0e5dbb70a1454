"""Tar archives: honest ones of four formats, and what two readers would take differently."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from credenza.findings import Severity
from credenza.scan.interface import Said
from tests.scan.boxes import EVIL, GOOD, entry, looked, tarred

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
LONG = "a-long-folder-name/" * 9 + "weights.bin"


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_honest_archives(format_: str) -> None:
    files = {"./a/b.bin": EVIL * 30, "a/é.pkl": GOOD, "empty": b""}
    if format_ != "ustar":
        files[LONG] = GOOD * 600
    folder = entry("a/folder", type_=tarfile.DIRTYPE)
    found = looked(tarred(files, folder, format_=FORMATS[format_]))
    assert found.report.findings == ()
    assert found.report.unread == ()
    assert {s.inside[0]: s.data for s in found.shown} == files
    assert found.said("a/é.pkl") == Said.PICKLE


def test_what_has_no_magic_is_known_by_its_checksum() -> None:
    header = bytearray(tarred({"a.bin": EVIL}))
    header[257:265] = bytes(8)
    header[329:345] = bytes(16)
    fixed = checked(bytes(header))
    assert EVIL in looked(fixed).contents
    assert looked(fixed[:148] + b"0000001\0" + fixed[156:]).shown == ()


def checked(data: bytes, at: int = 0) -> bytes:
    """The archive with the checksum of the header at ``at`` computed anew."""
    block = data[at : at + 512]
    total = sum(block[:148]) + sum(block[156:]) + 8 * 32
    return data[: at + 148] + b"%06o\0 " % total + data[at + 156 :]


def changed(data: bytes, offset: int, value: bytes, at: int = 0) -> bytes:
    """A header with another field."""
    data = data[: at + offset] + value + data[at + offset + len(value) :]
    return checked(data, at)


def with_pax(records: str, type_: bytes = tarfile.XHDTYPE) -> bytes:
    """A member with extended headers as given."""
    text = records.encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as t:
        t.addfile(entry("pax", text, type_), io.BytesIO(text))
        t.addfile(entry("a.bin", EVIL), io.BytesIO(EVIL))
        t.addfile(entry("b.bin", GOOD), io.BytesIO(GOOD))
    return out.getvalue()


def record(key: str, value: str) -> str:
    line = f" {key}={value}\n"
    length = len(line) + len(str(len(line) + 2))
    return f"{length}{line}"


def inner_after_size(size: int) -> bytes:
    """CVE-2025-62518: a second archive where a reader that ignores the pax size goes on."""
    inner = tarred({"inner.pkl": EVIL})
    body = inner[:1024]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as t:
        text = record("size", str(len(body))).encode()
        t.addfile(entry("pax", text, tarfile.XHDTYPE), io.BytesIO(text))
        t.addfile(entry("a.bin", body), io.BytesIO(body))
    return changed(out.getvalue(), 124, b"%011o\0" % size, at=1024)


READ_TWICE: dict[str, bytes] = {
    "a size in pax (CVE-2025-62518)": with_pax(record("size", "3")),
    "a size that is no number": with_pax(record("size", "-1")),
    "a broken record": with_pax("99 size=3\n"),
    "a record twice": with_pax("6 a=b\n6 a=c\n"),
    "a path for all": with_pax(record("path", "evil"), tarfile.XGLTYPE),
    "bytes behind the end": tarred({"a.bin": GOOD}) + tarred({"b.bin": EVIL}),
    "junk behind the end": tarred({"a.bin": GOOD}) + EVIL,
    "a broken header between": (
        tarred({"a.bin": GOOD})[:1024] + b"junk" * 128 + tarred({"b.bin": EVIL})
    ),
    "a negative size (CVE-2025-8194)": changed(
        tarred({"a.bin": EVIL}), 124, b"\xff" * 8 + b"\xff\xff\xfe\0"
    ),
    "a link with content": changed(tarred({"a.bin": EVIL}), 156, b"5"),
}


@pytest.mark.parametrize("name", sorted(READ_TWICE))
def test_what_is_read_in_two_ways_is_said(name: str) -> None:
    assert "scan.tar" in looked(READ_TWICE[name]).accused


def test_both_readings_are_looked_at() -> None:
    assert {EVIL, GOOD} <= looked(READ_TWICE["bytes behind the end"]).contents
    assert {EVIL, GOOD} <= looked(READ_TWICE["a broken header between"]).contents
    assert EVIL in looked(READ_TWICE["a link with content"]).contents
    found = looked(inner_after_size(0))
    assert "scan.tar" in found.accused
    assert EVIL in found.contents


def test_python_stops_without_a_word_where_gnu_tar_goes_on() -> None:
    """Why there is a reader of our own."""
    data = READ_TWICE["a broken header between"]
    with tarfile.open(fileobj=io.BytesIO(data)) as t:
        assert t.getnames() == ["a.bin"]
    assert {"a.bin", "b.bin"} <= looked(data).named


NAMED: dict[str, tuple[tarfile.TarInfo, str, Severity]] = {
    "absolute": (entry("/etc/cron.d/x"), "archive-name", Severity.HIGH),
    "climbing": (entry("a/../../x"), "archive-name", Severity.HIGH),
    "drive": (entry("C:/x"), "archive-name", Severity.HIGH),
    "backslash": (entry("a\\b"), "archive-name", Severity.MEDIUM),
    "twice": (entry("./a.bin"), "archive-name", Severity.HIGH),
    "device": (entry("d", type_=tarfile.BLKTYPE), "archive-device", Severity.HIGH),
    "pipe": (entry("d", type_=tarfile.FIFOTYPE), "archive-device", Severity.HIGH),
    "link out": (entry("d/l", type_=b"2", target="../../x"), "archive-link", Severity.HIGH),
    "absolute link": (entry("l", type_=b"2", target="/etc"), "archive-link", Severity.HIGH),
    "link inside": (entry("d/l", type_=b"2", target="../a.bin"), "archive-link", Severity.LOW),
    "hard link out": (entry("l", type_=b"1", target="/etc/passwd"), "archive-link", Severity.HIGH),
}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_names_links_and_devices(name: str) -> None:
    info, rule, worst = NAMED[name]
    found = looked(tarred({"a.bin": EVIL}, info))
    assert [(f.rule, f.severity) for f in found.report.findings] == [(f"scan.{rule}", worst)]
    assert EVIL in found.contents


def test_a_member_written_through_a_link() -> None:
    link = entry("d", type_=tarfile.SYMTYPE, target="sub")
    found = looked(tarred({"a.bin": GOOD}, link, entry("d/e.bin")))
    assert "scan.archive-link" in found.accused


def test_a_hard_link_to_a_member_is_nothing() -> None:
    found = looked(tarred({"a.bin": GOOD}, entry("b.bin", type_=tarfile.LNKTYPE, target="a.bin")))
    assert found.report.findings == ()


def torch_tar(storages: bytes = b"", before: bytes = b"") -> bytes:
    """What ``torch.save`` wrote before 0.1.10, of one tensor of three elements."""
    kind = b"ctorch\nFloatStorage\n"
    one = b"\x80\x02K\x01."
    elements = struct.pack("<q3f", 3, 1, 2, 3)
    tensor = b"\x80\x02(K\x01K\0ctorch\nFloatTensor\nt."
    files = {
        "sys_info": GOOD,
        "storages": before
        + one
        + (b"\x80\x02(K\0X\x03\0\0\0cpu" + kind + b"t." + elements)
        + (storages or b"\x80\x02]."),
        "tensors": one + tensor + struct.pack("<ii3q", 1, 0, 3, 1, 0),
        "pickle": b"\x80\x02K\x01Q.",
    }
    return tarred(files)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_tar_format_of_pytorch_is_followed_as_pytorch_does(tmp_path: Path) -> None:
    """Before 0.1.10, ``torch.save`` wrote these four; it unpickles three of them to this day."""
    (tmp_path / "model.pt").write_bytes(torch_tar())
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    assert loaded.tolist() == [1, 2, 3]
    found = looked(torch_tar(), "model.pt")
    assert found.report.findings == ()
    assert [s.said for s in found.shown if s.inside[0].startswith("storages")] == [
        Said.PICKLE,
        Said.DATA,
        Said.PICKLE,
        Said.PICKLE,
    ]
    assert {s.said for s in found.shown if s.inside[0].startswith("tensors")} == {
        Said.PICKLE,
        Said.DATA,
    }
    assert found.said("pickle") == Said.PICKLE
    assert found.said("sys_info") == ""


def test_a_payload_anywhere_in_the_tar_format_of_pytorch_is_said_to_be_a_pickle() -> None:
    for data in (torch_tar(storages=EVIL), torch_tar(before=EVIL)):
        shown = {(s.said, s.data) for s in looked(data).shown}
        assert (Said.PICKLE, EVIL) in shown
    broken = torch_tar(before=b"\xff" + EVIL)
    assert any(s.said == Said.PICKLE and EVIL in s.data for s in looked(broken).shown)
    assert looked(tarred({"a": GOOD, "pickle": EVIL})).said("pickle") == ""


CUT: dict[str, Callable[[bytes], bytes]] = {
    "within a member": lambda d: d[: 1024 + 512 + 100],
    "within a header": lambda d: d[: 1024 + 100],
    "overwritten": lambda d: d[:1024] + b"x" * 512,
}


@pytest.mark.parametrize("name", sorted(CUT))
def test_a_broken_archive_is_unread_and_no_accusation(name: str) -> None:
    found = looked(CUT[name](tarred({"a.bin": EVIL, "b.bin": GOOD * 100})))
    assert found.report.unread
    assert found.accused == set()
    assert EVIL in found.contents


def test_a_sparse_member_is_unread() -> None:
    data = tarred({"a.bin": EVIL}, format_=tarfile.GNU_FORMAT)
    found = looked(changed(data, 156, b"S"))
    assert [u.why for u in found.report.unread] == ["tar: a.bin: holes in it are not filled"]
    assert EVIL in found.contents
