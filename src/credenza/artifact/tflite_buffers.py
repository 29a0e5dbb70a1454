"""Where TFLite's buffers are: in the flatbuffer, behind it, or in another file."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final, NamedTuple

from credenza.artifact.external import joined
from credenza.artifact.flatbuffer import Source, Table

_DATA, _OFFSET, _SIZE = 0, 1, 2
_ID, _GROUP, _START, _LENGTH, _PACKING = 0, 1, 2, 3, 4
_LONGEST_NOTE: Final = 256  # bytes


class Place(NamedTuple):
    """Where bytes are: in which file, from where to where, and how they are packed."""

    file: str
    start: int
    stop: int
    packing: str = ""


def buffer(source: Source, table: Table) -> Place | None:
    """Where a buffer of the file is; None where it is empty.

    In a file over 2 GiB it is not in the flatbuffer, but behind it.
    """
    path = source.window.file.path
    offset, size = table.number(_OFFSET, "Q"), table.number(_SIZE, "Q")
    held = table.vector(_DATA, 1)
    if offset > 1 and held is not None and held[1]:
        found = f"{held[1]} bytes at {held[0]}, and {size} at {offset}"
        source.refuse("tflite-buffer", table.at, "a buffer is in two places", "one of them", found)
    if offset > 1:
        source.check(offset, size)
        held = offset, size
    return Place(path, held[0], held[0] + held[1]) if held and held[1] else None


def external(source: Source, groups: Iterator[Table], buffers: Iterator[Table]) -> dict[int, Place]:
    """Where the buffers are, by their ids, that lie in the files of ``groups``."""
    own = source.window.file.path
    paths = [(table.at, table.text(0)) for table in groups]
    found: dict[int, Place] = {}
    for table in buffers:
        number, group = table.number(_ID, "I"), table.number(_GROUP, "I")
        if number in found or group >= len(paths):
            what, said = "an external buffer is none", f"buffer {number} of group {group}"
            wanted = "a number of its own, and a group that there is"
            source.refuse("external-entry", table.at, what, wanted, said)
        at, location = paths[group]
        path = joined(posixpath.dirname(own), location)
        if path is None or path == own:
            what, said = "the path of a buffer leads elsewhere", ascii(location)[:120]
            wanted = "a relative path to another file that stays inside the model"
            source.refuse("external-path", at, what, wanted, said)
        start: int = table.number(_START, "Q")
        stop = start + table.number(_LENGTH, "Q")
        found[number] = Place(path, start, stop, table.text(_PACKING))
    return found


def note(source: Source, place: Place) -> str:
    """A buffer as text, if it is a short one, else its size and digest."""
    size = place.stop - place.start
    source.count_bytes(place.start, size)
    if size <= _LONGEST_NOTE:
        text = source.window.read(place.start, size).rstrip(b"\0").decode("ascii", "replace")
        if text.isascii() and text.isprintable():
            return text
    return f"{size} bytes, sha256 {source.window.sha256(place.start, place.stop)}"
