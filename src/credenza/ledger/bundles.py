"""Many entries, and many contents, in one file.

https://c2sp.org/tlog-tiles, section Log entries, and ``docs/formats/ledger.md``, Files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from credenza.errors import InputError
from credenza.ledger.content import LARGEST_CONTENT

WIDTH = 256
"""How many entries or hashes a full bundle or tile has."""

LARGEST_BUNDLE = WIDTH * (2 + 128)
LARGEST_PART = WIDTH * (4 + LARGEST_CONTENT)


def entry_bundle(entries: Iterable[bytes]) -> bytes:
    """Each entry after its length (uint16, big-endian)."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_entry_bundle(data: bytes) -> tuple[bytes, ...]:
    """The entries of a bundle, 256 or fewer. Raises `InputError` for anything else."""
    return tuple(_records(data, 2, "entry bundle"))


def content_part(contents: Sequence[bytes]) -> bytes:
    """Each content after its length (uint32, big-endian)."""
    return b"".join(len(content).to_bytes(4, "big") + content for content in contents)


def parse_content_part(data: bytes) -> tuple[bytes | None, ...]:
    """The contents of a part; None is one that was not kept.

    Raises `InputError` for anything else.
    """
    return tuple(record or None for record in _records(data, 4, "content part"))


def index_path(index: int) -> str:
    """``x001/x234/067`` for 1234067. https://c2sp.org/tlog-tiles, section Merkle Tree."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    return "/".join(reversed(parts))


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Where a tile is, or with ``entries`` for a level a bundle. ``width`` is of 1 to 256."""
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{index_path(index)}{partial}"


def content_path(bundle: int, first: int = 0, count: int = WIDTH) -> str:
    """Where a part of a bundle's contents is: ``count`` of them from the ``first`` on."""
    whole = f"content/{index_path(bundle)}"
    return whole if count == WIDTH else f"{whole}.p/{first:03d}"


def _records(data: bytes, prefix: int, what: str) -> Iterator[bytes]:
    at = count = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + prefix], "big")
        at, stop = at + prefix, at + prefix + size
        count += 1
        if stop > len(data):
            raise InputError(f"{what}: {size} bytes expected at byte {at}, {len(data) - at} found")
        if count > WIDTH:
            raise InputError(f"{what}: at most {WIDTH} records expected, more found")
        yield data[at:stop]
        at = stop
