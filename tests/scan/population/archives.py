"""Pickles in archives, archives in archives, and archives that write where they should not."""

from __future__ import annotations

import bz2
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Form, Malicious
from tests.scan.population.zips import Entry, forged, gzipped, linked_zip, tarred, zipped

EVIL: Final = a.pickled(a.call("os:system", a.text(COMMAND)), protocol=4)
_OLD: Final = a.pickled(a.call("os:system", a.text_line(COMMAND)), protocol=0)
_GOOD: Final = a.pickled(a.value({"weights": [1.0]}), protocol=4)


def archive(
    name: str, path: str, data: bytes, reference: str = "scan.md 3.2, archive", **more: object
) -> Malicious:
    """A vector of this category."""
    return Malicious(
        name=f"archive {name}",
        category="archive",
        reference=reference,
        files=((path, data),),
        **more,  # type: ignore[arg-type]  # the fields of a vector
    )


def vectors() -> Iterator[Malicious]:
    yield from _plain()
    yield from _compressed()
    yield from _escaping()
    yield from _bombs()


def _plain() -> Iterator[Malicious]:
    pair = {"readme.txt": b"hello", "model/data.pkl": EVIL}
    yield archive("zip", "model.zip", zipped(pair))
    yield archive("zip, deflated", "model.zip", zipped(pair, deflated=True))
    yield archive("zip, named otherwise", "model.dat", zipped(pair), "CVE-2025-1889")
    yield archive("zip, without an end of its name", "model", zipped(pair), "CVE-2025-1889")
    yield archive("zip, member config.p", "m.zip", zipped({"config.p": EVIL}), "CVE-2025-1889")
    yield archive("zip, member of protocol 0", "m.zip", zipped({"notes": _OLD}), "CVE-2025-1889")
    yield archive("torch-model-archive", "model.mar", zipped(
        {"MAR-INF/MANIFEST.json": b'{"model":{"handler":"h.py","serializedFile":"m.pt"}}',
         "h.py": f"import os\nos.system({COMMAND!r})\n".encode(), "m.pt": EVIL}))  # fmt: skip
    inner = zipped(pair)
    yield archive("zip in a zip", "model.zip", zipped({"inner.zip": inner}))
    for depth in (4, 8):
        for _ in range(4):
            inner = zipped({"again.zip": inner})
        yield archive(f"zip in {depth} zips", "model.zip", inner)
    for _ in range(40):
        inner = zipped({"again.zip": inner})
    yield archive("zip in 48 zips", "model.zip", inner, unread_will_do=True)
    yield archive("tar", "model.tar", tarred(list(pair.items())))
    yield archive("tar in a zip", "model.zip", zipped({"a.tar": tarred(list(pair.items()))}))
    yield archive("zip in a tar", "model.nemo", tarred([("weights.ckpt", zipped(pair))]))
    yield archive("tar, named otherwise", "weights.bin", tarred(list(pair.items())))
    twice = tarred([("model.pkl", _GOOD), ("model.pkl", EVIL)])
    yield archive("tar, member twice", "model.tar", twice)
    zeros = tarred([("model.pkl", _GOOD)]) + tarred([("model.pkl", EVIL)])
    yield archive("tar behind a tar", "model.tar", zeros)


def _compressed() -> Iterator[Malicious]:
    tar = tarred([("model.pkl", EVIL)])
    ways: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzipped, "bz2": bz2.compress, "xz": lzma.compress, "zz": zlib.compress,
    }  # fmt: skip
    for end, packed in ways.items():
        yield archive(f"pickle.{end}", f"model.pkl.{end}", packed(EVIL))
        if end != "zz":
            yield archive(f"tar.{end}", f"model.tar.{end}", packed(tar))
    yield archive("lzma", "model.lzma", lzma.compress(EVIL, lzma.FORMAT_ALONE))
    yield archive("gzip of two members", "model.gz", gzipped(_GOOD[:9]) + gzipped(_GOOD[9:] + EVIL))
    yield archive("gzip in gzip", "model.bin", gzipped(gzipped(EVIL)))
    yield archive("xz in gzip", "model.bin", gzipped(lzma.compress(EVIL)))
    yield archive("gzip, cut behind the payload", "m.gz", gzipped(EVIL + bytes(9999), 0)[:5000])
    yield archive("gzip, checksum wrong", "m.gz", gzipped(EVIL)[:-8] + bytes(8))
    yield archive("zstd", "model.pkl.zst", zstd(EVIL), unread_will_do=True)
    yield archive("lz4", "model.lz4", lz4(EVIL), unread_will_do=True)
    yield archive("7z", "model.7z", seven(EVIL), "nullifAI")
    yield archive("7z, named .pt", "model.pt", seven(EVIL), "nullifAI")
    yield archive("rar, named .pkl", "model.pkl", b"Rar!\x1a\7\1\0" + bytes(64), "nullifAI",
                  unread_will_do=True)  # fmt: skip


def zstd(data: bytes) -> bytes:
    """One raw block in one frame (RFC 8878, 3.1.1), content of under 64 KiB."""
    head = b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", len(data) - 256) if len(data) >= 256 else (
        b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)])
    )  # fmt: skip
    return head + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def lz4(data: bytes) -> bytes:
    """One stored block in an LZ4 frame, with neither checksum (LZ4 frame format 1.6.3)."""
    descriptor = b"\x60\x40\x82"  # version 1, independent blocks; 64 KiB; xxh32 of both >> 8
    return (
        b"\x04\x22\x4d\x18" + descriptor + struct.pack("<I", len(data) | 1 << 31) + data + bytes(4)
    )


def seven(data: bytes) -> bytes:
    """A 7z archive of one file, copied (7zFormat.txt)."""
    name = "model.pkl".encode("utf-16-le") + bytes(2)
    packed = b"\6\0\1\x09" + bytes([0x80, len(data)]) + b"\0"
    folder = b"\7\x0b\1\0\1\1\0\x0c" + bytes([0x80, len(data)]) + b"\0"
    files = b"\5\1\x11" + bytes([len(name) + 1, 0]) + name + b"\0"
    header = b"\1\4" + packed + folder + b"\0" + files + b"\0"
    start = struct.pack("<QQI", len(data), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + data + header


def _escaping() -> Iterator[Malicious]:
    reference = "scan.md 2.1, traversal and links"
    for name in ("../../evil.txt", "/etc/cron.d/evil", "..\\..\\evil.txt", "C:\\evil.txt",
                 "a/../../evil", "a/b/../../../../../root/.ssh/authorized_keys"):  # fmt: skip
        yield archive(f"zip out, {name}", "model.zip", zipped({name: b"x"}), reference)
        if "\\" not in name:
            yield archive(f"tar out, {name}", "model.tar", tarred([(name, b"x")]), reference)
    yield archive("zip link", "model.zip", linked_zip("w", "/etc/passwd", {}), reference)
    yield archive("zip link written through", "model.zip",
                  linked_zip("w", "../..", {"w/evil": b"x"}), reference)  # fmt: skip
    for kind, name in ((tarfile.SYMTYPE, "symlink"), (tarfile.LNKTYPE, "hard link")):
        yield archive(f"tar {name}", "m.tar", tarred([("w", b"../../etc/passwd")], kind), reference)
    link = tarred([("w", b"/tmp")], tarfile.SYMTYPE)[:512]
    yield archive("tar link written through", "m.tar", link + tarred([("w/evil", b"x")]), reference)
    device = tarred([("w", b"")], tarfile.CHRTYPE)
    yield archive("tar device", "m.tar", device, reference)


def _bombs() -> Iterator[Malicious]:
    reference = "scan.md 2.1, bombs"
    megabytes = gzipped(bytes(64 << 20))
    yield archive("gzip bomb of 2 GiB", "m.gz", megabytes * 32, reference, form=Form.BOMB)
    core = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = core.compress(bytes(64 << 20)) + core.flush()
    same = zlib.crc32(bytes(64 << 20))
    entries = [Entry(name="0", data=kernel, method=8, size=64 << 20, crc=same)]
    entries += [
        Entry(name=f"{i}", data=kernel, method=8, size=64 << 20, crc=same, at=0)
        for i in range(1, 200)
    ]
    yield archive("zip bomb of one kernel", "m.zip", forged(entries), "Fifield 2019, zip bombs",
                  form=Form.BOMB)  # fmt: skip
    lie = Entry(name="w", data=kernel, method=8, size=1, crc=same)
    yield archive("zip that says it is small", "m.zip", forged([lie]), reference, form=Form.BOMB)
