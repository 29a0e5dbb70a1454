"""Archives that two readers read differently: each difference is said, each reading looked at."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from credenza.findings import Severity
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
