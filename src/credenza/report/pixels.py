"""Pictures as PNG, without a picture library."""

from __future__ import annotations

import base64
import struct
import zlib

from credenza.findings import Picture

_COLOUR_TYPES = {1: 0, 3: 2}  # PNG, third edition, table 8: greyscale, truecolour


def png(picture: Picture) -> bytes:
    """``picture`` as a PNG file of 8 bits a channel, no row filtered.

    https://www.w3.org/TR/png-3/, sections 5 and 9.
    """
    stride = picture.width * picture.channels
    rows = (picture.pixels[i * stride : (i + 1) * stride] for i in range(picture.height))
    header = struct.pack(
        ">IIBBBBB", picture.width, picture.height, 8, _COLOUR_TYPES[picture.channels], 0, 0, 0
    )
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def data_uri(picture: Picture) -> str:
    """``picture`` as a ``data:`` URI of its PNG file."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
