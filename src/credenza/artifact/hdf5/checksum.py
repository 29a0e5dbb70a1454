"""Bob Jenkins' lookup3, ``hashlittle`` with initial value 0: HDF5's metadata checksum.

http://burtleburtle.net/bob/c/lookup3.c; specification, appendix "Checksum".
"""

from __future__ import annotations

from typing import Final

_MASK: Final = 0xFFFFFFFF


def lookup3(data: bytes) -> int:
    """The 32-bit hash of ``data``."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    if not data:
        return c
    whole = (len(data) - 1) // 12 * 12
    for i in range(0, whole, 12):
        a, b, c = _mixed(*_added(a, b, c, data[i : i + 12]))
    return _final(*_added(a, b, c, data[whole:].ljust(12, b"\0")))


def _added(a: int, b: int, c: int, piece: bytes) -> tuple[int, int, int]:
    return (
        (a + int.from_bytes(piece[:4], "little")) & _MASK,
        (b + int.from_bytes(piece[4:8], "little")) & _MASK,
        (c + int.from_bytes(piece[8:], "little")) & _MASK,
    )


def _rotated(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (32 - bits))) & _MASK


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _MASK) ^ _rotated(c, bits)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    for bits in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotated(b, bits)) & _MASK
        a, b, c = b, c, a
    return b
