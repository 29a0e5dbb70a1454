"""A whole file: its superblock (section II), then every group from the root on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, final

from credenza.artifact.hdf5.attributes import Attribute, Attributes
from credenza.artifact.hdf5.datasets import Dataset, is_dataset, read_dataset
from credenza.artifact.hdf5.links import Link, is_group, links
from credenza.artifact.hdf5.objects import Header, Kind, read_header
from credenza.artifact.hdf5.source import UNDEFINED, Cursor, Source
from credenza.artifact.interface import Bytes
from credenza.artifact.keras_config import programs_of
from credenza.artifact.model import Dtype, File, Program, Region, Tensor
from credenza.artifact.pickles import BrokenPickleError

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
SUFFIXES: Final = (".h5", ".hdf5")
_CONFIGS: Final = ("model_config", "training_config")
_LONGEST_PATH: Final = 1024
_MOST_BROKEN: Final = 1000
_STANDS_FOR: Final = {"bfloat16": Dtype.BF16}
"""Keras writes bf16 as opaque bytes with an attribute ``dtype``; NumPy has no such type."""


@final
@dataclass(frozen=True, slots=True)
class Hdf5:
    """Reads an HDF5 file, Keras' whole models and weights among them.

    A tensor's name is its dataset's path without the first slash.
    """

    def claims(self, file: Bytes) -> bool:
        head = file.pread(0, min(file.size, len(SIGNATURE)))
        return head == SIGNATURE or file.path.lower().endswith(SUFFIXES)

    def read(self, file: Bytes) -> File:
        found = contents(file, Region(start=0, stop=file.size, nbytes=file.size))
        return File(
            path=file.path,
            size=file.size,
            format="hdf5",
            tensors=tuple(found.tensors),
            programs=tuple(found.programs),
            metadata=tuple(found.metadata),
            unread=tuple(found.unread),
        )


@dataclass(slots=True)
class Contents:
    """What an HDF5 file holds; filled as it is found.

    ``configs`` are the texts that describe a model of Keras, each with its place; None is one that
    is no single text. ``broken`` is what is wrong, where that is not raised.
    """

    tensors: list[Tensor] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    metadata: list[tuple[str, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    configs: list[tuple[str | None, int]] = field(default_factory=list)
    broken: list[BrokenPickleError] = field(default_factory=list)


def examined(file: Bytes, base: int) -> Contents:
    """As `contents`, of a file whose addresses count from ``base``, and without an end at the
    first thing that is wrong: what cannot be read is in ``broken``, and the rest was read.
    """
    walk = _Walk(file, Region(start=0, stop=file.size, nbytes=file.size))
    walk.source = Source(file, base=base, noted=walk.found.broken)
    walk.attributes = Attributes(walk.source)
    walk.on = True
    try:
        walk.run()
    except BrokenPickleError as e:
        walk.found.broken.append(e)
    return walk.found


def contents(file: Bytes, outer: Region) -> Contents:
    """What the HDF5 file ``file`` holds, which lies in ``outer`` of the file on disk.

    Raises `BrokenPickleError`, with the programs that were found before, for whatever breaks the
    format, leaves the file, or lies over something else.
    """
    walk = _Walk(file, outer)
    try:
        walk.run()
    except BrokenPickleError as e:
        raise e.after(walk.found.programs) from e
    return walk.found


class _Walk:
    """The walk through one file's groups."""

    def __init__(self, file: Bytes, outer: Region) -> None:
        self.file = file
        self.outer = outer
        self.source = Source(file)
        self.attributes = Attributes(self.source)
        self.found = Contents()
        self.datasets: dict[int, Dataset | str] = {}
        self.groups: set[int] = set()
        self.on = False
        """Whether it goes on behind what cannot be read, and past a group with a second name."""

    def run(self) -> None:
        todo = [("", Link("", 0, _root(self.source)))]
        while todo:
            path, link = todo.pop()
            try:
                todo += reversed(self._object(path, link))
            except BrokenPickleError as e:
                if not self.on or len(self.found.broken) > _MOST_BROKEN:
                    raise
                self.found.broken.append(e)

    def _object(self, path: str, link: Link) -> list[tuple[str, Link]]:
        """Take what a link leads to; back come the links that are in it."""
        if link.address is None:
            self.found.unread.append(f"{path}: {link.other}")
        elif link.address in self.datasets:  # a dataset with a second name
            self._list(path, self.datasets[link.address])
        elif not self.on or link.address not in self.groups:
            header = read_header(self.source, link.address)
            attributes = self._attributes(path, header)
            if is_dataset(header):
                self._dataset(path, header, attributes)
            elif is_group(header):
                self.groups.add(link.address)
                return [self._child(path, c) for c in links(self.source, header)]
            else:
                self.found.unread.append(f"{path or '/'}: neither a group nor a dataset")
        return []

    def _child(self, path: str, link: Link) -> tuple[str, Link]:
        below = f"{path}/{link.name}" if path else link.name
        if len(below) > _LONGEST_PATH:
            what = f"a path of more than {_LONGEST_PATH} characters"
            self.source.refuse("hdf5-name", what, link.at)
        return below, link

    def _attributes(self, path: str, header: Header) -> list[Attribute]:
        """An object's attributes; the root's text is metadata, and a model's config programs."""
        found = self.attributes.of(header)
        for attribute in found:
            if attribute.name in _CONFIGS:
                self.found.configs.append((attribute.value, attribute.at))
            if attribute.value is None:
                continue
            if not path:
                self.found.metadata.append((attribute.name, attribute.value))
            if attribute.name in _CONFIGS and not self.on:
                self.found.programs += programs_of(self.file, attribute.value, attribute.at)
        return found

    def _dataset(self, path: str, header: Header, attributes: list[Attribute]) -> None:
        named = next((a.value for a in attributes if a.name == "dtype"), None)
        found = read_dataset(self.source, header, _STANDS_FOR.get(named or ""))
        self.datasets[header.address] = found
        self._list(path, found)

    def _list(self, path: str, found: Dataset | str) -> None:
        if isinstance(found, str):
            self.found.unread.append(f"{path}: {found}")
            return
        tensor = Tensor(
            name=path,
            dtype=found.dtype,
            shape=found.shape,
            file=self.file.path,
            region=self.outer,
            offset=found.start,
            byteorder=found.byteorder,
        )
        if self.outer.encoding == "raw":
            start = self.outer.start + found.start
            region = Region(start=start, stop=start + tensor.nbytes, nbytes=tensor.nbytes)
            tensor = Tensor(
                name=path,
                dtype=found.dtype,
                shape=found.shape,
                file=self.file.path,
                region=region,
                byteorder=found.byteorder,
            )
        self.found.tensors.append(tensor)


def _root(source: Source) -> int:
    """The address of the root group's header, by the superblock.

    Files of which this is not the only one (family and multi drivers), that begin with somebody
    else's bytes (a user block), or end before or after the format says, are refused.
    """
    prefix = source.peek(0, min(source.file.size, 9), "the superblock")
    prefix.expect(SIGNATURE, "signature of HDF5", "hdf5-signature")
    version = prefix.unsigned(1)
    if version > 3:
        prefix.refuse("hdf5-superblock", "an unknown version", "0 to 3", version)
    return _root_old(source, version) if version < 2 else _root_new(source)


def _root_old(source: Source, version: int) -> int:
    block = source.block(0, 96 + (4 if version else 0), "the superblock")
    block.take(9)
    block.expect(b"\0\0\0\0", "known versions in the superblock", "hdf5-superblock")
    block.expect(b"\x08\x08\0", "offsets and lengths of 8 bytes", "hdf5-superblock")
    block.take(8 + (4 if version else 0))
    _check_addresses(source, block, driver=True)
    block.address()  # the root's name, which has none
    return block.address()


def _root_new(source: Source) -> int:
    block = source.block(0, 48, "the superblock")
    source.check_sum(block)
    block.take(9)
    block.expect(b"\x08\x08", "offsets and lengths of 8 bytes", "hdf5-superblock")
    block.take(1)
    extension = _check_addresses(source, block, driver=False)
    if extension != UNDEFINED:
        header = read_header(source, extension)
        for kind in (Kind.SHARED_TABLE, Kind.DRIVER, Kind.CACHE_IMAGE):
            message = header.get(kind)
            if message is not None:
                what = "the file is one of several, or keeps its structures in another way"
                message.body.refuse("hdf5-superblock", what, "", kind.name.lower())
    return block.address()


def _check_addresses(source: Source, block: Cursor, *, driver: bool) -> int:
    """Hold the superblock's addresses against the file; back comes the second one.

    They are: base, extension or free space, end of file, and in old ones the driver's block.
    """
    base, second, end = block.address(), block.address(), block.address()
    if base != source.base:
        block.refuse("hdf5-superblock", "addresses that do not count from the start", 0, base)
    if driver and block.address() != UNDEFINED:
        block.refuse("hdf5-superblock", "the file is one of several")
    if end != source.base + source.file.size:
        what, size = "the file does not end where it says", str(source.base + source.file.size)
        source.note("hdf5-size", what, block.at, f"{end} bytes", size)
    return second
