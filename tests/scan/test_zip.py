"""Archives that two readers read differently: each difference is said, each reading looked at."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from credenza.findings import Severity
from credenza.scan.interface import Said
from tests.scan.boxes import (
    EVIL,
    GOOD,
    Tamper,
    both,
    central,
    end,
    local,
    looked,
    moved,
    tarred,
    zipped,
)

NAME = "m/data.pkl"


def archive(method: int = zipfile.ZIP_STORED) -> bytes:
    return zipped({NAME: EVIL}, method)


def overlapping(data: bytes) -> bytes:
    """Two entries for one member's bytes."""
    start = data.rindex(b"PK\x01\x02")
    stop = data.rindex(b"PK\x05\x06")
    entry = data[start:stop]
    data = data[:stop] + entry.replace(b"data.pkl", b"mata.pkl") + data[stop:]
    counts = struct.pack("<HHI", 2, 2, 2 * len(entry))
    return end(data, 8, counts)


def with_extra(data: bytes, extra: bytes) -> bytes:
    """The directory's entry with an extra field."""
    data = central(data, 30, struct.pack("<H", len(extra)))
    stop = data.rindex(b"PK\x05\x06")
    size = stop - data.rindex(b"PK\x01\x02") + len(extra)
    return end(data[:stop] + extra + data[stop:], 12, struct.pack("<I", size))


def second_name(name: bytes) -> bytes:
    body = b"\x01" + struct.pack("<I", zlib.crc32(NAME.encode())) + name
    return struct.pack("<HH", 0x7075, len(body)) + body


def hidden_directory(data: bytes) -> bytes:
    """Another archive in the comment, to whose end a comment reaches as well."""
    return zipped({"m/data.pkl": GOOD}, comment=moved(data, b"", 0))


TAMPERED: dict[str, tuple[str, Tamper]] = {
    "another name (CVE-2025-1944)": ("zip-disagreement", lambda d: local(d, 30, b"n")),
    "another case": ("zip-disagreement", lambda d: local(d, 30, b"M")),
    "flag 0x1 (CVE-2025-1945)": ("zip-flags", lambda d: both(d, 6, b"\x01\x00")),
    "flag 0x20 (CVE-2025-1945)": ("zip-flags", lambda d: both(d, 6, b"\x20\x00")),
    "flag 0x40 (CVE-2025-1945)": ("zip-flags", lambda d: both(d, 6, b"\x40\x00")),
    "flags in one place": ("zip-disagreement", lambda d: local(d, 6, b"\x01\x00")),
    "wrong CRC (CVE-2025-10156)": ("zip-crc", lambda d: both(d, 14, b"\1\2\3\4")),
    "CRC in one place": ("zip-disagreement", lambda d: local(d, 14, b"\1\2\3\4")),
    "size in one place": ("zip-disagreement", lambda d: local(d, 22, b"\1\0\0\0")),
    "two sizes": ("zip-sizes", lambda d: central(d, 24, b"\x01\0\0\0")),
    "size of nothing": ("zip-gap", lambda d: both(d, 18, bytes(8))),
    "size beyond the end": ("zip-overlap", lambda d: both(d, 18, b"\xff\xff\0\0\xff\xff\0\0")),
    "overlapping": ("zip-overlap", overlapping),
    "absolute": ("zip-name", lambda d: d.replace(b"m/data", b"/ddata")),
    "climbing": ("zip-name", lambda d: d.replace(b"m/data.pkl", b"../..a.pkl")),
    "drive": ("zip-name", lambda d: d.replace(b"m/data", b"C:data")),
    "NUL": ("zip-name", lambda d: d.replace(b"m/data", b"m/\0ata")),
    "backslash": ("zip-name", lambda d: d.replace(b"m/data", b"m\\data")),
    "not UTF-8, and said to be": (
        "zip-name",
        lambda d: both(d.replace(b"m/data", b"m/\xffata"), 6, b"\0\x08"),
    ),
    "a directory with bytes": ("zip-name", lambda d: d.replace(b"m/data.pkl", b"m/data.pk/")),
    "bytes between": ("zip-gap", lambda d: moved(d, b"gap", d.rindex(b"PK\x01\x02"))),
    "bytes behind": ("zip-end", lambda d: d + b"junk"),
    "half an end record behind": ("zip-end", lambda d: d + b"PK\5\6"),
    "several disks": ("zip-end", lambda d: end(d, 4, b"\1\0")),
    "comment beyond the end": ("zip-end", lambda d: end(d, 20, b"\xff\0")),
    "binary comment": ("zip-end", lambda d: end(d, 20, b"\4\0") + b"\x80\4\x95\0"),
    "another archive in the comment": ("zip-end", hidden_directory),
    "count too low": ("zip-gap", lambda d: end(d, 8, bytes(4))),
    "count too high": ("zip-directory", lambda d: end(d, 8, b"\2\0\2\0")),
    "broken extra field": ("zip-extra", lambda d: with_extra(d, b"\1\0\xff\0")),
    "a second name": ("zip-name", lambda d: with_extra(d, second_name(b"m/other.pkl"))),
    "patched into AES": (
        "zip-disagreement",
        lambda d: with_extra(d, struct.pack("<HHHHBH", 0x9901, 7, 2, 0x4541, 1, 8)),
    ),
}


@pytest.mark.parametrize("name", sorted(TAMPERED))
def test_what_is_read_in_two_ways_is_said_and_the_payload_is_looked_at(name: str) -> None:
    rule, tamper = TAMPERED[name]
    data = tamper(archive())
    assert data != archive()
    found = looked(data)
    assert f"artifact.{rule}" in found.accused
    assert any(content.startswith(EVIL) for content in found.contents)


@pytest.mark.parametrize("method", [0, 8, 12, 14])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_member_is_a_piece_however_it_is_compressed(method: int, streamed: bool) -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    out = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr("a/b.bin", EVIL * 100)
        z.writestr("a/c.bin", b"")
    found = looked(out.getvalue())
    assert found.report.findings == ()
    assert found.report.unread == ()
    assert {s.inside: s.data for s in found.shown} == {
        ("a/b.bin",): EVIL * 100,
        ("a/c.bin",): b"",
    }


def test_a_member_is_looked_at_under_both_names_and_both_sizes() -> None:
    """CVE-2025-1944: PyTorch reads by the directory, streaming readers by the local header."""
    found = looked(local(archive(), 30, b"n"))
    assert {"m/data.pkl", "n/data.pkl"} <= found.named
    longer = local(archive(), 18, struct.pack("<II", len(EVIL) - 3, len(EVIL) - 3))
    assert {EVIL, EVIL[:-3]} <= looked(longer).contents


def test_what_lies_between_members_is_looked_at() -> None:
    data = archive()
    at = data.rindex(b"PK\x01\x02")
    found = looked(moved(data, zipped({"hidden.pkl": GOOD})[: 30 + 10 + len(GOOD)], at))
    assert "artifact.zip-gap" in found.accused
    assert f"(bytes at {at})!hidden.pkl" in found.named


def test_zeros_between_and_behind_hide_nothing() -> None:
    data = archive()
    padded = moved(data, bytes(100), data.rindex(b"PK\x01\x02")) + bytes(100)
    assert looked(padded).accused == set()
    assert looked(padded).report.worst == Severity.LOW


@pytest.mark.parametrize(
    ("name", "worst"),
    [("m/data.pkl", Severity.HIGH), ("M/DATA.PKL", Severity.HIGH), ("m/code.py", Severity.HIGH)],
)
def test_names_twice(name: str, worst: Severity) -> None:
    with pytest.warns(UserWarning, match="Duplicate") if name != "M/DATA.PKL" else _nothing():
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr(name.lower(), GOOD)
            z.writestr(name, EVIL)
    found = looked(out.getvalue())
    assert found.report.worst == worst
    assert {GOOD, EVIL} <= found.contents


class _nothing:  # noqa: N801  a context manager that expects no warning
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_case_alone_is_no_accusation_of_sources() -> None:
    found = looked(zipped({"m/Net.py": b"a = 1", "m/net.py": b"b = 1"}))
    assert found.report.worst == Severity.LOW


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


def test_an_encrypted_member_is_unread_and_no_accusation() -> None:
    body = bytes((i * 167 + 13) % 256 for i in range(len(EVIL) + 12))
    data = both(zipped({NAME: body}), 6, b"\1\0")
    data = both(data, 22, struct.pack("<I", len(EVIL)))
    found = looked(data)
    (unread,) = found.report.unread
    assert "m/data.pkl: it is encrypted" in unread.why
    assert "artifact.zip-flags" not in found.accused


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
