"""What a group holds: links by name (sections III.C, IV.A.2.c, IV.A.2.g and IV.A.2.r)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from credenza.artifact.hdf5.heaps import FractalHeap, LocalHeap, text
from credenza.artifact.hdf5.objects import Header, Kind
from credenza.artifact.hdf5.source import UNDEFINED, Cursor, Source
from credenza.artifact.hdf5.trees import records, symbol_nodes

_NAMES: Final = 5
"""The type of the tree of a group's links by name."""
_HARD, _SOFT, _EXTERNAL = 0, 1, 64
_CACHED_GROUP, _CACHED_SOFT = 1, 2


@dataclass(frozen=True, slots=True)
class Link:
    """A name in a group: an object's address, or in words what else it is."""

    name: str
    at: int
    address: int | None = None
    other: str = ""


def is_group(header: Header) -> bool:
    """True where an object's messages are those of a group."""
    kinds = {m.kind for m in header.messages}
    return bool(kinds & {Kind.SYMBOL_TABLE, Kind.LINK_INFO, Kind.LINK, Kind.GROUP_INFO})


def links(source: Source, header: Header) -> list[Link]:
    """A group's links, sorted by name.

    Raises `BrokenPickleError` for a link out of the file, a name twice, and one that is no plain
    part of a path.
    """
    found = [_link(message.body) for message in header.all(Kind.LINK)]
    table, info = header.get(Kind.SYMBOL_TABLE), header.get(Kind.LINK_INFO)
    if table is not None:
        found += _old(source, table.body)
    if info is not None:
        found += _dense(source, info.body)
    found.sort(key=lambda link: link.name)
    for link, after in itertools.pairwise(found):
        if link.name == after.name:
            source.note("hdf5-name", f"a group holds the name {link.name!a} twice", after.at)
    for link in found:
        if link.name in ("", ".", "..") or "/" in link.name or "\0" in link.name:
            source.note("hdf5-name", f"the name {link.name!a} is no part of a path", link.at)
    return found


def symbol_table(body: Cursor) -> tuple[int, int]:
    """The addresses of a group's tree and heap."""
    return body.address(), body.address()


def _old(source: Source, body: Cursor) -> Iterator[Link]:
    tree, heap_at = symbol_table(body)
    heap = LocalHeap(source, heap_at)
    for at in symbol_nodes(source, tree):
        prefix = source.peek(at, 8, "a symbol table node")
        prefix.expect(b"SNOD\x01\0", "symbol table node", "hdf5-tree")
        count = prefix.unsigned(2)
        node = source.block(at, 8 + count * 40, "a symbol table node")
        node.take(8)
        for _ in range(count):
            yield _entry(node, heap)


def _entry(node: Cursor, heap: LocalHeap) -> Link:
    at = node.at
    name, address = heap.name(node.address()), node.address()
    cache = node.unsigned(4)
    node.take(4)
    scratch = node.part(16)
    if cache == _CACHED_SOFT:
        return Link(name, at, other=f"a soft link to {heap.name(scratch.unsigned(4))!a}")
    if cache not in (0, _CACHED_GROUP):
        node.refuse("hdf5-tree", "an entry of a group of an unknown kind", "0, 1 or 2", cache)
    return Link(name, at, address)


def _dense(source: Source, info: Cursor) -> Iterator[Link]:
    """The links of a group that keeps them in a fractal heap; none where it does not."""
    flags = _version(info, "link info")
    info.take(8 if flags & 1 else 0)
    heap_at, tree = info.address(), info.address()
    if heap_at == UNDEFINED:
        return
    heap = FractalHeap(source, heap_at)
    for record in records(source, tree, _NAMES):
        record.take(4)  # the name's hash
        yield _link(heap.object(record.part(heap.id_length)))


def _version(body: Cursor, what: str) -> int:
    """The flags behind a version of 0."""
    body.expect(b"\0", f"{what} message of version 0", "hdf5-header")
    return body.unsigned(1)


def _link(body: Cursor) -> Link:
    at = body.at
    body.expect(b"\x01", "link message of version 1", "hdf5-header")
    flags = body.unsigned(1)
    kind = body.unsigned(1) if flags & 8 else _HARD
    body.take((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    length = body.unsigned(1 << (flags & 3))
    name = text(body.source, body.take(length), at)
    if kind == _HARD:
        return Link(name, at, body.address())
    value = body.take(body.unsigned(2))
    if kind == _SOFT:
        return Link(name, at, other=f"a soft link to {text(body.source, value, at)!a}")
    if kind == _EXTERNAL:
        what = f"{name!a} is a link into another file"
        body.source.note("hdf5-external", what, at, "", ascii(value)[1:])
        return Link(name, at, other="a link into another file")
    body.source.note("hdf5-external", f"{name!a} is a link of a user's own kind {kind}", at)
    return Link(name, at, other="a link of a user's own kind")
