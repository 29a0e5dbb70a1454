"""7z archives whose headers lie: each is unread, in time, and none crashes."""

from __future__ import annotations

import lzma
import random
import struct
import time
import zlib

import pytest

from credenza.scan import Limits
from tests.scan.boxes import EVIL, looked
from tests.scan.sevens import LZMA, START, archive, coder, copied, names, number, streams, vector

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
