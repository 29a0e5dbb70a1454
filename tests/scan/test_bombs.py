"""What unpacks without end stops early, and nothing that an archive says costs more than it is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credenza.errors import InputError
from credenza.scan import Budget, Limits, OverBudgetError
from credenza.scan.containers import spooled
from credenza.scan.containers.spooled import Spool
from tests.scan.boxes import EVIL, GOOD, end, entry, local, looked, tarred, zipped

SMALL = Limits(unpacked=8 << 20, ratio=1, pieces=2000)
ZEROS = bytes(9 << 20)


def sharing(body: bytes, count: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive whose members are all one run of bytes (Fifield, "A better zip bomb", 2019)."""
    data = zipped({"a" * 8: body}, method)
    start, stop = data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    one = data[start:stop]
    entries = b"".join(one.replace(b"a" * 8, b"%08d" % i) for i in range(count))
    return end(
        data[:start] + entries + data[stop:], 8, struct.pack("<HHI", count, count, len(entries))
    )


def nested(levels: int) -> bytes:
    data = zipped({"zeros": ZEROS}, zipfile.ZIP_DEFLATED)
    for _ in range(levels):
        data = zipped({f"{i}.zip": data for i in range(4)}, zipfile.ZIP_DEFLATED)
    return data


def twice(levels: int) -> bytes:
    """At each level one member under two names, so that 2 to the power of levels are looked at."""
    data = EVIL * 1000
    for _ in range(levels):
        data = local(zipped({"a": data}), 30, b"b")
    return data


BOMBS: dict[str, Callable[[], bytes]] = {
    "one member": lambda: zipped({"zeros": ZEROS}, zipfile.ZIP_DEFLATED),
    "a member of bz2": lambda: zipped({"zeros": ZEROS}, zipfile.ZIP_BZIP2),
    "a member of lzma": lambda: zipped({"zeros": ZEROS}, zipfile.ZIP_LZMA),
    "members that share their bytes": lambda: sharing(bytes(1 << 20), 1000),
    "stored members that share their bytes": lambda: sharing(EVIL * 1000, 1000, 0),
    "nested archives": lambda: nested(3),
    "nested gzip": lambda: gzip.compress(gzip.compress(ZEROS)),
    "bz2": lambda: bz2.compress(ZEROS),
    "xz": lambda: lzma.compress(ZEROS),
    "zlib": lambda: zlib.compress(ZEROS),
    "many members": lambda: zipped({f"{i}": b"" for i in range(2100)}),
    "many members of a tar": lambda: tarred({f"{i}": b"" for i in range(2100)}),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_is_found(name: str) -> None:
    found = looked(BOMBS[name](), limits=SMALL, most=16)
    assert "scan.bomb" in found.accused
    assert any("unpacks to more" in u.why for u in found.report.unread)


def test_what_many_ways_lead_to_is_looked_at_once() -> None:
    found = looked(twice(11), limits=SMALL, most=16)
    assert len(found.shown) == 2 * 11
    assert EVIL[:16] in found.contents
    assert found.accused == {"artifact.zip-disagreement"}


def test_a_payload_beside_a_bomb_is_looked_at() -> None:
    data = zipped({"0": ZEROS, "payload.pkl": EVIL}, zipfile.ZIP_DEFLATED)
    found = looked(data, limits=SMALL, most=64)
    assert EVIL in found.contents
    assert "scan.bomb" in found.accused


def test_a_size_that_lies_is_found_by_what_comes_out() -> None:
    data = zipped({"zeros": ZEROS}, zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", len(ZEROS))
    found = looked(data.replace(size, struct.pack("<I", 100)), limits=SMALL, most=16)
    assert found.report.unread


SLOW: dict[str, Callable[[], bytes]] = {
    "nested archives": lambda: doubled(30 << 20),
    "members without a directory": lambda: zipped({"a": b"x"})[:32] * 100_000,
    "empty members": lambda: zipped({f"{i}": b"" for i in range(60_000)}),
    "empty members of a tar": lambda: tarred({f"{i}": b"" for i in range(60_000)}),
    "members that share what is deflated": lambda: sharing(bytes(1 << 20), 5000),
    "members that share what is stored": lambda: sharing(EVIL, 60_000, 0),
    "beginnings": lambda: b"PK\3\4" * 200_000,
    "end records": lambda: b"PK\3\4" + b"PK\5\6" * 200_000,
    "archives without directories": lambda: zipped({"a": b"x"})[:32] * 2000,
    "gzip streams": lambda: gzip.compress(b"a") * 5000,
    "broken tar headers": lambda: (tarred({"a": b"x"})[:1024] + b"j" * 512) * 400,
    "extra fields": lambda: extras(b"\1\1\0\0" * 16_000),
    "extra fields of zeros": lambda: extras(b"\1\1\0\0" + bytes(64_000)),
    "links": lambda: tarred(
        {}, *(entry(f"{'d/' * 40}{i}", type_=b"2", target="x") for i in range(1000))
    ),
}


def doubled(size: int) -> bytes:
    """The same archive twice in each, until it is so long."""
    data = zipped({"a": EVIL})
    while len(data) < size:
        data = zipped({"a.zip": data, "b.zip": data})
    return data


def extras(field: bytes) -> bytes:
    info = zipfile.ZipInfo("a")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(info, b"x")
    data = out.getvalue()
    stop = data.rindex(b"PK\x05\x06")
    at = data.rindex(b"PK\x01\x02") + 30
    data = data[:at] + struct.pack("<H", len(field)) + data[at + 2 : stop] + field + data[stop:]
    size = struct.unpack_from("<I", data, data.rindex(b"PK\x05\x06") + 12)[0]
    return end(data, 12, struct.pack("<I", size + len(field)))


@pytest.mark.parametrize("name", sorted(SLOW))
def test_hostile_archives_are_read_in_time(name: str) -> None:
    data = SLOW[name]()
    start = time.process_time()
    assert looked(data, most=16).report.files[0].size == len(data)
    assert time.process_time() - start < 5  # the bar of issue 4


def test_a_large_checkpoint_is_not_read(tmp_path: Path) -> None:
    """Storages are not read, whatever their size."""
    at = tmp_path / "a.pt"
    with zipfile.ZipFile(at, "w") as z:
        z.writestr("m/data.pkl", GOOD)
        for i in range(3):
            z.writestr(f"m/data/{i}", bytes(20 << 20))
    tracemalloc.start()
    found = looked(at, most=16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.shown) == 4
    assert found.report.findings == ()
    assert peak < 8 << 20


def test_zeros_without_end_are_not_read(tmp_path: Path) -> None:
    """A sparse file of a terabyte takes no room on disk."""
    behind = tmp_path / "behind.tar"
    behind.write_bytes(tarred({"a": EVIL}))
    between = tmp_path / "between.zip"
    data = zipped({"a": EVIL})
    at = data.rindex(b"PK\x01\x02")
    between.write_bytes(data[:at])
    with between.open("r+b") as file:
        file.seek(1 << 32)
        file.write(data[at:])
    os.truncate(behind, 1 << 40)
    start = time.process_time()
    assert "zeros without end" in looked(behind, most=64).report.unread[0].why
    found = looked(between, most=64)
    assert "artifact.zip-gap" in found.accused
    assert EVIL in found.contents
    assert time.process_time() - start < 5


# --- the spool ----------------------------------------------------------------------


@pytest.mark.parametrize("held", [0, 100, 1 << 20])
def test_what_is_unpacked_is_read_back_from_memory_and_from_disk(held: int) -> None:
    budget = Budget(0, Limits(held=held))
    spool = Spool("a", budget)
    files = [b"", b"x" * 60, b"y" * 300, b"z" * 50, b""]
    made = []
    for file in files:
        for i in range(0, len(file), 50):
            spool.write(file[i : i + 50])
        made.append(spool.end())
    assert [content.pread(0, content.size) for content in made] == files
    assert budget.held >= 0
    assert made[2].pread(7, 3) == b"yyy"
    with pytest.raises(InputError):
        made[2].pread(299, 2)


def test_the_spool_takes_from_the_budget() -> None:
    spool = Spool("a", Budget(0, Limits(unpacked=10, ratio=1)))
    spool.write(b"0123456789")
    with pytest.raises(OverBudgetError):
        spool.write(b"x")


def test_no_room_on_disk_is_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room() -> int:
        return os.open(os.devnull, os.O_RDONLY)  # which takes nothing

    monkeypatch.setattr(spooled, "_temporary", no_room)
    found = looked(gzip.compress(EVIL * 1000), limits=Limits(held=0))
    (unread,) = found.report.unread
    assert unread.why.startswith("there is no room to unpack it")


# --- mutations ----------------------------------------------------------------------

SEEDS = (
    zipped({"m/data.pkl": EVIL, "m/data/0": GOOD}),
    zipped({"a": EVIL * 9, "b": GOOD}, zipfile.ZIP_DEFLATED),
    zipped({"a": EVIL * 9}, zipfile.ZIP_LZMA),
    tarred({"a.bin": EVIL, "b" * 120: GOOD}, entry("l", type_=b"2", target="a")),
    gzip.compress(EVIL * 99),
    lzma.compress(EVIL * 99),
    bz2.compress(EVIL * 99),
    gzip.compress(tarred({"a.zip": zipped({"a": EVIL})})),
)


@settings(max_examples=300, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_mutated_archives_never_crash(seed: bytes, data: st.DataObject) -> None:
    mutated = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        new = data.draw(st.binary(max_size=8) | st.sampled_from([b"\xff" * 4, bytes(4), b"PK\5\6"]))
        cut = data.draw(st.sampled_from([0, len(new), 40]))
        mutated[at : at + cut] = new
        if not mutated:
            return
    found = looked(bytes(mutated))
    assert found.report.files[0].size == len(mutated)
