"""7z archives, byte by byte (DOC/7zFormat.txt)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from tests.vectors.make_scan_seven_zip import PLACE

LZMA = b"\3\1\1"
START = 32


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
