"""7z archives: what 7-Zip and py7zr write is opened, and what is hostile costs nothing."""

from __future__ import annotations

import lzma
import random
import struct
import time
import zlib
from collections.abc import Sequence

import pytest

from credenza.findings import Severity
from credenza.scan import Limits, scan
from tests.scan.boxes import EVIL, GOOD, looked
from tests.vectors.make_scan_seven_zip import FILES, OTHERS, PLACE, READ, UNREAD

LZMA = b"\3\1\1"
START = 32
UNREADABLE = {
    "ppmd": "PPMd", "deflate64": "Deflate64", "arm64": "ARM64", "bcj2": "BCJ2", "swap4": "Swap4",
    "encrypted": "AES", "encrypted-names": "AES",
}  # fmt: skip


# --- building ---------------------------------------------------------------------------


def number(value: int) -> bytes:
    """Always in nine bytes, which readers take as well."""
    return b"\xff" + struct.pack("<Q", value)


def coder(method: bytes = b"\0", properties: bytes = b"") -> bytes:
    flags = len(method) | (0x20 if properties else 0)
    return bytes([flags]) + method + (number(len(properties)) + properties if properties else b"")


def streams(
    packed: int, sizes: Sequence[int], folder: bytes = b"\1" + coder(), start: int = 0
) -> bytes:
    """One folder, and the files of these sizes in it."""
    pack = b"\6" + number(start) + b"\1\x09" + number(packed) + b"\0"
    coders = b"\7\x0b\1\0" + folder + b"\x0c" + number(sum(sizes)) * folder[0] + b"\0"
    parts = b"\x08\x0d" + number(len(sizes)) + b"\x09" + b"".join(map(number, sizes[:-1])) + b"\0"
    return pack + coders + parts + b"\0"


def names(*files: str) -> bytes:
    text = b"\0" + b"".join(name.encode("utf-16-le") + b"\0\0" for name in files)
    return b"\5" + number(len(files)) + b"\x11" + number(len(text)) + text + b"\0"


def archive(header: bytes, packed: bytes = b"") -> bytes:
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    crc = struct.pack("<I", zlib.crc32(start))
    return b"7z\xbc\xaf\x27\x1c\0\4" + crc + start + packed + header


def copied(files: dict[str, bytes]) -> bytes:
    data = b"".join(files.values())
    listed = streams(len(data), [len(d) for d in files.values()])
    return archive(b"\1\4" + listed + names(*files) + b"\0", data)


def vector(name: str) -> bytes:
    return (PLACE / f"{name}.7z").read_bytes()


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


# --- what is hostile --------------------------------------------------------------------

HUGE = 1 << 40
RING = b"\2" + coder() + coder() + b"\0\1" + b"\1\0"
HOSTILE = {
    "a dictionary of 4 GiB": streams(9, [HUGE], b"\1" + coder(LZMA, b"\x5d\xff\xff\xff\xff")),
    "a dictionary of LZMA2": streams(9, [HUGE], b"\1" + coder(b"\x21", b"\x28")),
    "properties of LZMA": streams(9, [9], b"\1" + coder(LZMA, b"\xff\0\0\1\0")),
    "no properties": streams(9, [9], b"\1" + coder(LZMA)),
    "coders in a ring": streams(9, [9], RING),
    "a coder bound to itself": streams(9, [9], b"\2" + coder() + coder() + b"\0\0"),
    "too many coders": streams(9, [9], b"\x08" + coder() * 8 + bytes(range(1, 8)) * 2),
    "a coder that nobody knows": streams(9, [9], b"\1" + coder(b"\x99\x99")),
    "files of no size": streams(9, [9, 9]).replace(b"\x09" + number(9) + b"\0\0", b"\0\0"),
    "files longer than their block": streams(9, [9, HUGE]).replace(
        b"\x0c" + number(HUGE + 9), b"\x0c" + number(8)
    ),
    "bytes without end": streams(HUGE, [HUGE]),
    "more files than bytes": streams(9, [9]).replace(b"\x0d" + number(1), b"\x0d" + number(HUGE)),
    "another stream": b"\6\0\1\x09\x09\0\7\x0b\1\1",
    "a header in a header": b"\x17",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_unread(name: str) -> None:
    start = time.process_time()
    found = looked(archive(b"\1\4" + HOSTILE[name] + names("a") + b"\0", b"x" * 9))
    assert found.report.unread
    assert found.accused == set()
    assert time.process_time() - start < 1


def test_a_header_that_is_packed_in_itself() -> None:
    header = b"\x17" + streams(0, [0])
    header = b"\x17" + streams(len(header), [len(header)])
    found = looked(archive(header, header))
    assert found.report.unread
    assert found.accused == set()


@pytest.mark.parametrize("count", [2100, 300_000])
def test_too_many_files(count: int) -> None:
    files = b"\5" + number(count) + b"\x0e" + number((count + 7) // 8) + b"\xff" * (count // 8 + 1)
    text = b"\0" + b"a\0\0\0" * count
    files += b"\x11" + number(len(text)) + text + b"\0"
    start = time.process_time()
    found = looked(archive(b"\1" + files + b"\0"), limits=Limits(pieces=2000), most=16)
    assert found.report.unread
    assert time.process_time() - start < 5


def test_blocks_by_the_thousand_are_read_in_time() -> None:
    count = 50_000
    folder = b"\1" + coder(LZMA, b"\x5d\0\0\0\7")
    pack = b"\6\0" + number(count) + b"\x09" + b"\0" * count + b"\0"
    blocks = b"\7\x0b" + number(count) + b"\0" + folder * count
    blocks += b"\x0c" + number(100 << 20) * count + b"\0"
    start = time.process_time()
    found = looked(archive(b"\1\4" + pack + blocks + b"\0\0"), most=16)
    assert found.report.unread
    assert time.process_time() - start < 5  # the bar of issue 4


def test_what_unpacks_without_end_is_a_bomb() -> None:
    chain = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    packed = lzma.compress(EVIL + bytes(3 << 20), lzma.FORMAT_RAW, filters=chain)
    folder = b"\1" + coder(b"\x21", b"\x10")
    header = b"\1\4" + streams(len(packed), [26, 3 << 20], folder) + names("a", "b") + b"\0"
    limits = Limits(unpacked=1 << 20, ratio=1)
    found = looked(archive(header, packed), limits=limits, most=64)
    assert "scan.bomb" in found.accused
    assert EVIL in found.contents


SEEDS = (*map(vector, ("default", "bcj-lzma", "plain-header", "bzip2")), copied({"a": EVIL}))


@pytest.mark.parametrize("seed", range(8))
def test_mutants_never_crash_and_are_never_silent(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        mutant = _mutated(bytearray(chance.choice(SEEDS)), chance)
        start = time.process_time()
        found = looked(mutant)
        assert found.shown or found.report.unread
        assert time.process_time() - start < 2


def _mutated(data: bytearray, chance: random.Random) -> bytes:
    """Most often in the header, whose CRCs are put right again."""
    offset, size = struct.unpack_from("<QQ", data, 12)
    for _ in range(chance.randint(1, 4)):
        low = START + offset if chance.random() < 0.7 else 12
        at = chance.randrange(low, len(data) - 9)
        new = chance.choice([b"\0", b"\xff", b"\1\2", b"\xff" * 9, chance.randbytes(1)])
        data[at : at + chance.choice([0, 1, 3])] = new
    header = data[START + offset : START + offset + size]
    struct.pack_into("<I", data, 28, zlib.crc32(header))
    struct.pack_into("<I", data, 8, zlib.crc32(data[12:32]))
    return bytes(data)
