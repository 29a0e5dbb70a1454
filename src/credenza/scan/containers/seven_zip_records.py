"""The headers of a 7z archive (DOC/7zFormat.txt of the LZMA SDK 24).

A header says which runs of bytes are packed, by which coders each of these *folders* is unpacked,
and which files lie one behind the other in what comes out.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass, replace
from typing import Final, final

START: Final = struct.Struct("<6s2sIQQI")
"""Signature, version, CRC of what follows; the header's offset behind this, its size and CRC."""
MAGIC: Final = b"7z\xbc\xaf\x27\x1c"
ENCODED: Final = 0x17
_END, _HEADER, _PROPERTIES, _STREAMS, _FILES = 0, 1, 2, 4, 5
_PACKED, _FOLDERS, _SUBSTREAMS, _SIZE, _CRC = 6, 7, 8, 9, 10
_FOLDER, _UNPACKED_SIZE, _COUNT = 11, 12, 13
_EMPTY, _EMPTY_FILE, _NAMES, _ATTRIBUTES = 14, 15, 17, 21
_MOST_CODERS: Final = 32
_UNIX: Final = 0x8000
_REPARSE: Final = 0x400


class BrokenSevenZipError(Exception):
    """The bytes are no header of 7z."""


@dataclass(frozen=True, slots=True)
class Coder:
    """One step of unpacking: a method, its settings, and how much comes out."""

    method: bytes
    properties: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """One file within what comes out of a folder."""

    size: int
    crc: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Bytes ``start`` to ``stop`` behind the start header, the coders they go through, in that
    order, and the files that come out. Without coders, ``is_chain`` is False: there are several
    streams, as of BCJ2, of which ``methods`` has all methods.
    """

    coders: tuple[Coder, ...]
    methods: tuple[bytes, ...]
    size: int
    start: int = 0
    stop: int = 0
    crc: int | None = None
    parts: tuple[Part, ...] = ()
    packed: int = 1

    @property
    def is_chain(self) -> bool:
        return bool(self.coders)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What is said of one file; ``has_stream`` where it is the next part of a folder."""

    name: str
    has_stream: bool
    is_folder: bool
    is_link: bool


@dataclass(frozen=True, slots=True)
class Header:
    """What could be read; ``broken`` is what kept more from being read."""

    folders: tuple[Folder, ...]
    files: tuple[File, ...]
    broken: str = ""


def parse(data: bytes, most: int) -> Header:
    """A header that is not packed, with up to ``most`` files and folders."""
    reader = _Reader(data, most)
    folders: tuple[Folder, ...] = ()
    try:
        reader.expect(_HEADER)
        kind = reader.byte()
        if kind == _PROPERTIES:
            reader.skip_properties()
            kind = reader.byte()
        if kind == _STREAMS:
            folders = _streams(reader)
            kind = reader.byte()
        if kind == _FILES:
            return Header(folders, _files(reader))
        reader.must(kind == _END, f"property {kind} where there is none")
    except BrokenSevenZipError as e:
        return Header(folders, (), str(e))
    return Header(folders, ())


def packed_header(data: bytes) -> Folder:
    """The folder that another header comes out of. Raises `BrokenSevenZipError`."""
    reader = _Reader(data, _MOST_CODERS)
    reader.expect(ENCODED)
    folders = _streams(reader)
    reader.must(len(folders) == 1, f"{len(folders)} blocks that are one header")
    return folders[0]


@final
class _Reader:
    """Reads bytes from front to back. All raise `BrokenSevenZipError` at their end."""

    def __init__(self, data: bytes, most: int) -> None:
        self.data = data
        self.at = 0
        self.most = most

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def must(self, is_so: bool, what: str) -> None:
        if not is_so:
            raise BrokenSevenZipError(f"{what} (byte {self.at} of the header)")

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        self.must(count <= self.left, "the header ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def expect(self, kind: int) -> None:
        found = self.byte()
        self.must(found == kind, f"property {found} instead of {kind}")

    def number(self) -> int:
        """As many bytes follow the first as it has leading ones; its other bits are on top."""
        first = self.byte()
        more = 8 - (first ^ 0xFF).bit_length()
        top = first & (0x7F >> more) if more < 8 else 0
        return int.from_bytes(self.take(more), "little") | top << 8 * more

    def count(self) -> int:
        """How many of something there are, of which each takes a byte or more."""
        count = self.number()
        self.must(count <= min(self.left, self.most), f"{count} of something, which is too many")
        return count

    def bits(self, count: int) -> list[bool]:
        data = self.take((count + 7) // 8)
        return [bool(data[i >> 3] & 0x80 >> (i & 7)) for i in range(count)]

    def which(self, count: int) -> list[bool]:
        """A byte that says all, or bits."""
        return [True] * count if self.byte() else self.bits(count)

    def digests(self, count: int) -> list[int | None]:
        defined = self.which(count)
        return [int.from_bytes(self.take(4), "little") if one else None for one in defined]

    def inline(self) -> None:
        self.must(self.byte() == 0, "something that is kept in another stream")

    def skip_properties(self) -> None:
        while self.byte() != _END:
            self.take(self.number())


# --- streams --------------------------------------------------------------------------


def _streams(reader: _Reader) -> tuple[Folder, ...]:
    """The folders, each with where its bytes are and which files come out."""
    start, sizes, folders = 0, list[int](), list[Folder]()
    kind = reader.byte()
    if kind == _PACKED:
        start, sizes = _packed(reader)
        kind = reader.byte()
    if kind == _FOLDERS:
        folders = _laid(_folders(reader), start, sizes, reader)
        kind = reader.byte()
    if kind == _SUBSTREAMS:
        folders = _with_parts(folders, reader)
        kind = reader.byte()
    else:
        folders = [replace(f, parts=(Part(f.size, f.crc),)) for f in folders]
    reader.must(kind == _END, f"property {kind} behind the streams")
    return tuple(folders)


def _packed(reader: _Reader) -> tuple[int, list[int]]:
    """Where the packed streams begin, and how long each is."""
    start, count = reader.number(), reader.count()
    sizes: list[int] = []
    while (kind := reader.byte()) != _END:
        if kind == _SIZE:
            sizes = [reader.number() for _ in range(count)]
        else:
            reader.must(kind == _CRC, f"property {kind} of packed streams")
            reader.digests(count)
    reader.must(len(sizes) == count, "packed streams without sizes")
    return start, sizes


def _folders(reader: _Reader) -> list[Folder]:
    reader.expect(_FOLDER)
    count = reader.count()
    reader.inline()
    shapes = [_Shape(reader) for _ in range(count)]
    reader.expect(_UNPACKED_SIZE)
    folders = [shape.folder([reader.number() for _ in shape.methods], reader) for shape in shapes]
    while (kind := reader.byte()) != _END:
        reader.must(kind == _CRC, f"property {kind} of folders")
        crcs = reader.digests(count)
        folders = [replace(f, crc=crc) for f, crc in zip(folders, crcs, strict=True)]
    return folders


@final
class _Shape:
    """The coders of a folder and how they are bound, before their sizes are known."""

    def __init__(self, reader: _Reader) -> None:
        count = reader.count()
        reader.must(0 < count <= _MOST_CODERS, f"{count} coders")
        self.methods: list[bytes] = []
        self.properties: list[bytes] = []
        self.inputs = 0
        for _ in range(count):
            self._coder(reader)
        self.bonds = self._bonds(count - 1, reader)
        self.packed = self.inputs - len(self.bonds)
        fed = {*self.bonds.values()}
        free = [i for i in range(self.inputs) if i not in fed]
        if self.packed > 1:
            free = [reader.number() for _ in range(self.packed)]
        self.first = free[0]

    def _bonds(self, count: int, reader: _Reader) -> dict[int, int]:
        """By each coder that is no last one, the input that it feeds."""
        pairs = [(reader.number(), reader.number()) for _ in range(count)]
        bonds = {out: into for into, out in pairs if into < self.inputs and out <= count}
        both = len(bonds), len({*bonds.values()})
        reader.must(both == (count, count), "a coder that is bound twice, or to nothing")
        return bonds

    def _coder(self, reader: _Reader) -> None:
        flags = reader.byte()
        reader.must(not flags & 0xC0, f"a coder with flags 0x{flags:02x}")
        self.methods.append(reader.take(flags & 0x0F))
        inputs = 1
        if flags & 0x10:
            inputs, outputs = reader.number(), reader.number()
            reader.must(outputs == 1 <= inputs <= _MOST_CODERS, "a coder of several outputs")
        self.inputs += inputs
        self.properties.append(reader.take(reader.number()) if flags & 0x20 else b"")

    def folder(self, sizes: list[int], reader: _Reader) -> Folder:
        """With how much comes out of each coder: the one that feeds no other gives the files."""
        order: list[int] = []
        if self.inputs == len(sizes):
            order = [self.first]
            while order[-1] in self.bonds:  # which ends: no two feed one, and none feeds the first
                order.append(self.bonds[order[-1]])
            reader.must(len(order) == len(sizes), "coders in a ring")
        last = next(i for i in range(len(sizes)) if i not in self.bonds)
        return Folder(
            coders=tuple(Coder(self.methods[i], self.properties[i], sizes[i]) for i in order),
            methods=tuple(self.methods),
            size=sizes[last],
            packed=self.packed,
        )


def _laid(folders: list[Folder], start: int, sizes: list[int], reader: _Reader) -> list[Folder]:
    """Each folder with the bytes that are its: streams stand one behind the other."""
    laid, used = [], 0
    for folder in folders:
        length = sum(sizes[used : used + folder.packed])
        used += folder.packed
        laid.append(replace(folder, start=start, stop=start + length))
        start += length
    reader.must(used == len(sizes), "another number of packed streams than of those unpacked")
    return laid


def _with_parts(folders: list[Folder], reader: _Reader) -> list[Folder]:
    """Each folder with its files (SubStreamsInfo): the last one's size is what is left."""
    kind = reader.byte()
    counts = [1] * len(folders)
    if kind == _COUNT:
        counts = [reader.number() for _ in folders]
        reader.must(sum(counts) <= reader.most, f"{sum(counts)} files, which are too many")
        kind = reader.byte()
    named = kind == _SIZE
    reader.must(named or all(c < 2 for c in counts), "files without sizes")
    sizes = [_sizes(f.size, c, reader) for f, c in zip(folders, counts, strict=True)]
    if named:
        kind = reader.byte()
    crcs = [[f.crc] if c == 1 else [None] * c for f, c in zip(folders, counts, strict=True)]
    if kind == _CRC:
        said = iter(reader.digests(sum(of_folder.count(None) for of_folder in crcs)))
        crcs = [[next(said) if crc is None else crc for crc in of_folder] for of_folder in crcs]
        kind = reader.byte()
    reader.must(kind == _END, f"property {kind} of files in folders")
    made = zip(folders, sizes, crcs, strict=True)
    return [
        replace(f, parts=tuple(Part(s, c) for s, c in zip(ss, cs, strict=True)))
        for f, ss, cs in made
    ]


def _sizes(whole: int, count: int, reader: _Reader) -> list[int]:
    sizes = [reader.number() for _ in range(count - 1)]
    left = whole - sum(sizes)
    reader.must(left >= 0, "files of a folder that are longer than it")
    return [*sizes, left] if count else []


# --- files ----------------------------------------------------------------------------


def _files(reader: _Reader) -> tuple[File, ...]:
    count = reader.count()
    said: dict[int, _Reader] = {}
    while (kind := reader.byte()) != _END:
        data = reader.take(reader.number())
        is_known = kind in (_EMPTY, _EMPTY_FILE, _NAMES, _ATTRIBUTES)
        reader.must(kind not in said, f"property {kind} of files twice")
        if is_known:
            said[kind] = _Reader(data, count)
    empty = said[_EMPTY].bits(count) if _EMPTY in said else [False] * count
    files = iter(said[_EMPTY_FILE].bits(sum(empty)) if _EMPTY_FILE in said else ())
    names = _names(said[_NAMES], count) if _NAMES in said else [""] * count
    attributes = _attributes(said[_ATTRIBUTES], count) if _ATTRIBUTES in said else [0] * count
    return tuple(
        File(
            name=name or f"(file {number})",
            has_stream=not is_empty,
            is_folder=is_empty and not next(files, False),
            is_link=_is_link(attribute),
        )
        for number, (name, is_empty, attribute) in enumerate(
            zip(names, empty, attributes, strict=True)
        )
    )


def _names(reader: _Reader, count: int) -> list[str]:
    """UTF-16, each behind the other with a NUL at its end."""
    reader.inline()
    text = reader.take(reader.left).decode("utf-16-le", "backslashreplace")
    *names, rest = text.split("\0", count)
    reader.must(len(names) == count and not rest, f"not as many names as files: {count}")
    return names


def _attributes(reader: _Reader, count: int) -> list[int]:
    defined = reader.which(count)
    reader.inline()
    return [int.from_bytes(reader.take(4), "little") if one else 0 for one in defined]


def _is_link(attributes: int) -> bool:
    """By the mode of Unix on top of the attributes, or by those of Windows."""
    is_unix_link = bool(attributes & _UNIX) and stat.S_ISLNK(attributes >> 16)
    return is_unix_link or bool(attributes & _REPARSE)
