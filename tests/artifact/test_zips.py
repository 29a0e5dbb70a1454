"""Archives: what honest writers write is read, and whatever has two readings is refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.artifact.interface import Held
from credenza.artifact.pickles import BrokenPickleError
from credenza.artifact.zips import Member, check, content, members


def archive(*, deflated: bool = False, streamed: bool = False, comment: bytes = b"") -> bytes:
    """Two members, ``m/a`` and ``m/b``; streamed ones have data descriptors."""

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    out = Unseekable() if streamed else io.BytesIO()
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr(zipfile.ZipInfo("m/a"), b"first" * 20, method)
        z.writestr(zipfile.ZipInfo("m/b"), b"second" * 20, method)
        z.comment = comment
    return out.getvalue()


def read(data: bytes) -> tuple[Member, ...]:
    return members(Held("x.zip", data))


def rule_of(data: bytes) -> str:
    with pytest.raises(BrokenPickleError) as caught:
        read(data)
    return caught.value.finding.rule.removeprefix("artifact.")


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_honest_archives(deflated: bool, streamed: bool) -> None:
    data = archive(deflated=deflated, streamed=streamed)
    file = Held("x.zip", data)
    found = read(data)
    assert [m.name for m in found] == ["m/a", "m/b"]
    for member, expected in zip(found, (b"first" * 20, b"second" * 20), strict=True):
        inner = content(file, member)
        assert inner.pread(0, inner.size) == expected
        assert member.size == member.region.nbytes == len(expected)
        assert member.deflated == deflated
        check(file, member)


def test_zip64_and_an_empty_archive() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z, z.open("m/a", "w", force_zip64=True) as f:
        f.write(b"x")
    assert read(out.getvalue())[0].size == 1
    with zipfile.ZipFile(empty := io.BytesIO(), "w"):
        pass
    assert read(empty.getvalue()) == ()


def local(data: bytes, offset: int, value: bytes) -> bytes:
    """The second member's local header with other bytes at ``offset``."""
    at = data.index(b"PK\x03\x04", 4) + offset
    return data[:at] + value + data[at + len(value) :]


def central(data: bytes, offset: int, value: bytes) -> bytes:
    """The second entry of the directory with other bytes at ``offset``."""
    at = data.rindex(b"PK\x01\x02") + offset
    return data[:at] + value + data[at + len(value) :]


def end(data: bytes, offset: int, value: bytes) -> bytes:
    at = data.rindex(b"PK\x05\x06") + offset
    return data[:at] + value + data[at + len(value) :]


def both(data: bytes, offset: int, value: bytes) -> bytes:
    """The same field in both headers; it stands 2 bytes further on in the directory."""
    return central(local(data, offset, value), offset + 2, value)


def renamed(name: bytes) -> Callable[[bytes], bytes]:
    return lambda d: central(local(d, 30, name), 46, name)


def shifted(data: bytes, at: int, gap: bytes) -> bytes:
    """The archive with a gap at byte ``at``, and every offset behind it corrected."""
    moved = bytearray(data)
    for place in (data.index(b"PK\x01\x02") + 42, data.rindex(b"PK\x01\x02") + 42):
        start = struct.unpack_from("<I", data, place)[0]
        struct.pack_into("<I", moved, place, start + len(gap) if start >= at else start)
    struct.pack_into(
        "<I", moved, data.rindex(b"PK\x05\x06") + 16, data.index(b"PK\x01\x02") + len(gap)
    )
    return bytes(moved[:at] + gap + moved[at:])


TAMPERED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "another name (CVE-2025-1944)": ("zip-disagreement", lambda d: local(d, 30, b"m/c")),
    "encrypted (CVE-2025-1945)": ("zip-flags", lambda d: both(d, 6, b"\x01\x00")),
    "patched": ("zip-flags", lambda d: both(d, 6, b"\x20\x00")),
    "strongly encrypted": ("zip-flags", lambda d: both(d, 6, b"\x40\x00")),
    "flags in one place": ("zip-disagreement", lambda d: local(d, 6, b"\x01\x00")),
    "method": ("zip-method", lambda d: both(d, 8, b"\x0c\x00")),
    "method in one place": ("zip-disagreement", lambda d: local(d, 8, b"\x08\x00")),
    "crc in one place": ("zip-disagreement", lambda d: local(d, 14, b"\0\0\0\0")),
    "size in one place": ("zip-disagreement", lambda d: local(d, 18, b"\x01\0\0\0\x01\0\0\0")),
    "two sizes": ("zip-sizes", lambda d: central(d, 24, b"\x01\0\0\0")),
    "size past the directory": ("zip-overlap", lambda d: both(d, 18, b"\xff\0\0\0\xff\0\0\0")),
    "size before the end": ("zip-gap", lambda d: both(d, 18, b"\x01\0\0\0\x01\0\0\0")),
    "header offset": ("zip-overlap", lambda d: central(d, 42, b"\x05\0\0\0")),
    "both at one offset": ("zip-overlap", lambda d: central(d, 42, b"\0\0\0\0")),
    "a name twice": ("zip-name", renamed(b"m/a")),
    "absolute": ("zip-name", renamed(b"/ab")),
    "climbing": ("zip-name", renamed(b"../")),
    "drive": ("zip-name", renamed(b"C:x")),
    "nul": ("zip-name", renamed(b"m\0b")),
    "backslash": ("zip-name", renamed(b"m\\b")),
    "not utf-8": ("zip-name", renamed(b"m/\xff")),
    "no utf-8 flag": ("zip-name", renamed("é1".encode())),
    "symbolic link": ("zip-name", lambda d: central(d, 38, b"\0\0\xff\xa1")),
    "bytes before": ("zip-gap", lambda d: shifted(d, 0, b"#!/bin/sh\n")),
    "bytes before, offsets left": ("zip-gap", lambda d: b"#!/bin/sh\n" + d),
    "bytes before the directory": (
        "zip-gap",
        lambda d: shifted(d, d.index(b"PK\x01\x02"), b"gap"),
    ),
    "bytes between": ("zip-gap", lambda d: shifted(d, d.index(b"PK\x03\x04", 4), b"gap")),
    "bytes after": ("zip-end", lambda d: d + b"\0"),
    "two disks": ("zip-end", lambda d: end(d, 4, b"\x01\x00")),
    "count too low": ("zip-gap", lambda d: end(d, 8, b"\x01\0\x01\0")),
    "count too high": ("zip-directory", lambda d: end(d, 8, b"\x03\0\x03\0")),
    "truncated": ("zip-end", lambda d: d[:-1]),
}


@pytest.mark.parametrize("name", sorted(TAMPERED))
def test_two_readings_are_refused(name: str) -> None:
    rule, tamper = TAMPERED[name]
    data = archive()
    assert tamper(data) != data
    assert rule_of(tamper(data)) == rule


def test_comment_is_refused() -> None:
    assert rule_of(archive(comment=b"PK\x05\x06")) == "zip-end"


def test_changed_bytes_differ_from_the_crc() -> None:
    data = archive().replace(b"firstfirst", b"FIRSTfirst", 1)
    with pytest.raises(BrokenPickleError, match="differs from its CRC"):
        check(Held("x.zip", data), read(data)[0])


def test_impossible_ratio() -> None:
    data = archive(deflated=True)
    assert rule_of(both(data, 22, struct.pack("<I", 1 << 30))) == "zip-bomb"


def test_inflates_to_another_size_than_claimed() -> None:
    data = both(archive(deflated=True), 22, struct.pack("<I", 119))
    file = Held("x.zip", data)
    with pytest.raises(BrokenPickleError, match="does not inflate to the size"):
        content(file, members(file)[1])


def test_inflating_stops_at_the_limit() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("m/a", bytes(1000))
    file = Held("x.zip", out.getvalue())
    assert content(file, members(file)[0], limit=1000).size == 1000
    with pytest.raises(BrokenPickleError, match="would inflate"):
        content(file, members(file)[0], limit=999)


def test_second_name_in_an_extra_field() -> None:
    out = io.BytesIO()
    info = zipfile.ZipInfo("m/a")
    body = b"\x01" + struct.pack("<I", zlib.crc32(b"m/a")) + b"m/z"
    info.extra = struct.pack("<HH", 0x7075, len(body)) + body
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(info, b"x")
    assert rule_of(out.getvalue()) == "zip-disagreement"


@given(st.booleans(), st.booleans(), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_archives_are_read_or_refused(
    deflated: bool, streamed: bool, data: st.DataObject
) -> None:
    original = archive(deflated=deflated, streamed=streamed)
    at = data.draw(st.integers(0, len(original) - 1))
    piece = data.draw(st.binary(max_size=4))
    file = Held("x.zip", original[:at] + piece + original[at + len(piece) :])
    try:
        for member in members(file):
            inner = content(file, member)
            assert len(inner.pread(0, inner.size)) == member.size
    except BrokenPickleError:
        return
