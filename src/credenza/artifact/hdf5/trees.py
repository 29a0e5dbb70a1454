"""B-trees: of version 1 for groups of the old kind, of version 2 for the new (section III.A)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from credenza.artifact.hdf5.heaps import limit_bytes
from credenza.artifact.hdf5.source import Cursor, Source

_DEEPEST: Final = 64
_GROUP_NODES: Final = 0


def symbol_nodes(source: Source, address: int) -> Iterator[int]:
    """The addresses of the symbol table nodes under a tree of version 1, from left to right."""
    todo: list[tuple[int, int | None]] = [(address, None)]
    while todo:
        at, level = todo.pop()
        if level == -1:
            yield at
            continue
        below, children = _node1(source, at, level)
        todo.extend((child, below) for child in reversed(children))


def _node1(source: Source, address: int, level: int | None) -> tuple[int, list[int]]:
    """The level below a node, -1 under a leaf, and the addresses of its children."""
    prefix = source.peek(address, 8, "a B-tree")
    prefix.expect(b"TREE", "B-tree", "hdf5-tree")
    kind, own, used = prefix.unsigned(1), prefix.unsigned(1), prefix.unsigned(2)
    if kind != _GROUP_NODES or own > _DEEPEST or level not in (None, own):
        prefix.refuse("hdf5-tree", "a B-tree of another kind or level")
    node = source.block(address, 24 + 8 + used * 16, "a B-tree")
    node.take(24)
    children = []
    for _ in range(used):
        node.take(8)  # the key: a name that the children do not come before
        children.append(node.address())
    return own - 1, children


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree of version 2: its sizes, and by level how a pointer to a node is written."""

    source: Source
    kind: int
    node_size: int
    record_size: int
    count_bytes: int
    total_bytes: tuple[int, ...]


def records(source: Source, address: int, kind: int) -> Iterator[Cursor]:
    """The records of a tree of version 2 of that type, in order.

    Raises `BrokenPickleError` where there are more or fewer than its header says.
    """
    header = source.block(address, 38, "a B-tree")
    source.check_sum(header)
    header.expect(b"BTHD\0" + bytes([kind]), "B-tree of the kind that belongs there", "hdf5-tree")
    node_size, record_size, depth = header.unsigned(4), header.unsigned(2), header.unsigned(2)
    header.take(2)
    root, in_root, total = header.address(), header.unsigned(2), header.unsigned(8)
    if depth > _DEEPEST or not record_size or node_size <= 10 + record_size:
        header.refuse("hdf5-tree", "a B-tree whose sizes fit nothing")
    tree = _Tree(source, kind, node_size, record_size, *_pointers(node_size, record_size, depth))
    found = 0
    for record in _below(tree, root, in_root, depth) if total else ():
        found += 1
        yield record
    if found != total:
        header.refuse("hdf5-tree", "a B-tree has another count of records", total, found)


def _pointers(node_size: int, record_size: int, depth: int) -> tuple[int, tuple[int, ...]]:
    """Bytes of a node's count, and by level those of the count under it (``H5B2__hdr_init``)."""
    most = (node_size - 10) // record_size
    count_bytes, under, totals = limit_bytes(most), most, [0]
    for level in range(1, depth + 1):
        pointer = 8 + count_bytes + totals[level - 1]
        most = (node_size - 10 - pointer) // (record_size + pointer)
        under = (most + 1) * under + most
        totals.append(limit_bytes(max(under, 0)))
    return count_bytes, tuple(totals)


def _below(tree: _Tree, root: int, in_root: int, depth: int) -> Iterator[Cursor]:
    """Every record of a node and of those under it; records of a node and its children mix."""
    todo: list[tuple[int, int, int]] = [(root, in_root, depth)]
    while todo:
        address, count, level = todo.pop()
        signature = b"BTIN" if level else b"BTLF"
        total_bytes = tree.total_bytes[level - 1] if level else 0
        pointer = 8 + tree.count_bytes + total_bytes
        length = 6 + count * tree.record_size + ((count + 1) * pointer if level else 0) + 4
        if length > tree.node_size:
            tree.source.refuse("hdf5-tree", "a B-tree's node holds too much", address)
        node = tree.source.block(address, length, "a B-tree")
        tree.source.check_sum(node)
        node.expect(signature + b"\0" + bytes([tree.kind]), "node of that B-tree", "hdf5-tree")
        for _ in range(count):
            yield node.part(tree.record_size)
        for _ in range(count + 1 if level else 0):
            child, inside = node.address(), node.unsigned(tree.count_bytes)
            node.take(total_bytes)
            todo.append((child, inside, level - 1))
