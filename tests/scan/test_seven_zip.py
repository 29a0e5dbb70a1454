"""7z archives: what 7-Zip and py7zr write is opened, and of what is broken all that is left."""

from __future__ import annotations

import struct

import pytest

from credenza.findings import Severity
from credenza.scan import scan
from tests.scan.boxes import EVIL, GOOD, looked
from tests.scan.sevens import START, archive, copied, names, number, streams, vector
from tests.vectors.make_scan_seven_zip import FILES, OTHERS, PLACE, READ, UNREAD

UNREADABLE = {
    "ppmd": "PPMd", "deflate64": "Deflate64", "arm64": "ARM64", "bcj2": "BCJ2", "swap4": "Swap4",
    "encrypted": "AES", "encrypted-names": "AES",
}  # fmt: skip


# --- what is written honestly -----------------------------------------------------------


@pytest.mark.parametrize("name", [*READ, *OTHERS])
def test_every_file_is_looked_at(name: str) -> None:
    found = looked(PLACE / f"{name}.7z")
    assert {"!".join(s.inside): s.data for s in found.shown} == FILES
    assert found.report.unread == ()
    assert found.report.findings == ()
    assert found.said("m/data.pkl") == "pickle"


@pytest.mark.parametrize("name", [*READ, *OTHERS])
def test_the_pickle_in_it_is_found(name: str) -> None:
    report = scan(PLACE / f"{name}.7z")
    assert any(f.where.member == "m/data.pkl" and "system" in f.found for f in report.findings)
    assert report.worst == Severity.CRITICAL


@pytest.mark.parametrize("name", UNREAD)
def test_what_nothing_here_decodes_is_unread_by_its_method(name: str) -> None:
    found = looked(PLACE / f"{name}.7z")
    assert [u.why for u in found.report.unread if f"{UNREADABLE[name]} " in u.why]
    assert found.report.findings == ()


def test_a_link_out_of_the_archive() -> None:
    found = looked(PLACE / "link.7z")
    assert "scan.archive-link" in found.accused
    assert found.report.findings[0].found == "link -> ../../etc/passwd"


# --- names ------------------------------------------------------------------------------


def test_what_the_builder_writes_is_an_archive() -> None:
    found = looked(copied({"a": EVIL, "b": b"", "c": GOOD}))
    assert {s.inside: s.data for s in found.shown} == {("a",): EVIL, ("b",): b"", ("c",): GOOD}
    assert found.report.findings == ()
    assert found.report.unread == ()


@pytest.mark.parametrize("name", ["../a", "/a", "C:\\a", "a/../../b", "..\\a"])
def test_a_name_that_leads_out(name: str) -> None:
    found = looked(copied({name: GOOD}))
    (finding,) = found.report.findings
    assert (finding.rule, finding.severity) == ("scan.archive-name", Severity.HIGH)
    assert GOOD in found.contents


def test_a_name_twice() -> None:
    data = archive(b"\1\4" + streams(30, [4, 26]) + names("a", "a") + b"\0", GOOD + EVIL)
    found = looked(data)
    assert "scan.archive-name" in found.accused
    assert found.contents == {GOOD, EVIL}


# --- what is broken ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", "lzma", "bzip2", "copy", "deflate", "py7zr-copy"])
def test_a_cut_archive_is_unread_and_not_accused(name: str) -> None:
    data = vector(name)
    for length in range(6, len(data), 61):
        found = looked(data[:length])
        assert found.report.unread
        assert found.accused == set()


@pytest.mark.parametrize("name", ["default", "lzma", "bzip2", "copy"])
def test_what_a_cut_archive_still_has_is_looked_at(name: str) -> None:
    """As "nullifAI" (ReversingLabs, 2025): what breaks off behind the payload runs it."""
    data = vector(name)
    header = START + struct.unpack_from("<Q", data, 12)[0]
    found = looked(data[: header - 40])
    assert any(EVIL[:20] in content for content in found.contents)


def test_a_block_that_breaks_off_gives_what_came_before() -> None:
    data = vector("lzma")
    found = looked(data[:900] + bytes(40) + data[940:])
    assert found.report.unread
    assert any(s.inside == ("code.bin",) and s.data for s in found.shown)


@pytest.mark.parametrize("at", [8, 28])
def test_a_wrong_crc_of_a_header_is_unread_and_the_rest_is_looked_at(at: int) -> None:
    data = copied({"a": EVIL})
    found = looked(data[:at] + b"\0\1\2\3" + data[at + 4 :])
    assert "differs from its CRC" in found.report.unread[0].why
    assert found.contents == {EVIL}


def test_names_that_break_leave_the_files() -> None:
    data = archive(b"\1\4" + streams(30, [4, 26]) + names("a")[:-3], GOOD + EVIL)
    found = looked(data)
    assert found.report.unread
    assert found.contents == {GOOD, EVIL}


def test_bytes_behind_and_between() -> None:
    behind = looked(copied({"a": GOOD}) + EVIL)
    assert behind.accused == {"scan.stream"}
    assert EVIL in behind.contents
    between = archive(b"\1\4" + streams(4, [4], start=26) + names("a") + b"\0", EVIL + GOOD)
    assert looked(between).contents == {GOOD, EVIL}


def test_files_that_no_reader_takes_out_are_looked_at() -> None:
    none = streams(26, [26]).replace(b"\x0d" + number(1), b"\x0d" + number(0))
    assert EVIL in looked(archive(b"\1\4" + none + b"\0", EVIL)).contents
