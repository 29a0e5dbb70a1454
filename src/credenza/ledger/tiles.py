"""The tree of one checkpoint, read from tiles. https://c2sp.org/tlog-tiles, section Merkle Tree.

A tile of level L holds 256 hashes of height 8·L: each is over the entries of a whole tile below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from credenza.ledger import refusals
from credenza.ledger.bundles import WIDTH, tile_path
from credenza.ledger.tree import EMPTY, Head, node_hash

HASH = 32  # bytes
TILE = WIDTH * HASH
_MOST_KNOWN = 512  # tiles held in memory, of about 50 kB each

Read = Callable[[str, int], bytes | None]
"""``read(path, limit)``: the bytes of a file, or None where there is none."""


class Tile:
    """Hashes in a row, and those that follow from them."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def node(self, height: int, index: int) -> bytes:
        """The hash over 2^height of the tile's hashes, the ``index``-th such."""
        return self._layers[height][index]

    @property
    def root(self) -> bytes:
        """The hash over a full tile."""
        return self.node(8, 0)

    @property
    def subtrees(self) -> list[bytes]:
        """The hashes of its complete subtrees from the left, one for each bit of its width."""
        width, at, found = len(self.data) // HASH, 0, []
        for height in range(8, -1, -1):
            if width >> height & 1:
                found.append(self.node(height, at >> height))
                at += 1 << height
        return found

    @cached_property
    def _layers(self) -> list[list[bytes]]:
        layer = [self.data[i : i + HASH] for i in range(0, len(self.data), HASH)]
        layers = [layer]
        while len(layer) > 1:
            layer = [node_hash(*layer[i : i + 2]) for i in range(0, len(layer) - 1, 2)]
            layers.append(layer)
        return layers


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree over ``size`` entries.

    ``edges`` are the partial tiles at its right edge, level by level from the leaves, empty where
    there is none: all that is needed to append, and to know the root. Full tiles are read when
    they are needed, and checked against those above them before they are used.

    Whatever reads a tile raises `AlteredError` where one is missing or another than was recorded.
    """

    name: str
    read: Read
    size: int
    edges: tuple[Tile, ...]
    known: dict[tuple[int, int], Tile] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str, read: Read, head: Head) -> Tree:
        """The tree of that head, of which the right edge was read and leads to its root."""
        levels = range(-(-head.size.bit_length() // 8))
        edges = tuple(Tile(_edge(name, read, head.size, level)) for level in levels)
        tree = cls(name, read, head.size, edges)
        if tree.head != head:
            raise refusals.tile_altered(name, "checkpoint", head.root, tree.head.root)
        return tree

    @property
    def head(self) -> Head:
        """Its size and root."""
        nodes = [node for edge in reversed(self.edges) for node in edge.subtrees]
        if not nodes:
            return EMPTY
        *rest, root = nodes
        for node in reversed(rest):
            root = node_hash(node, root)
        return Head(self.size, root)

    def node(self, height: int, index: int) -> bytes:
        """The hash over entries index·2^height to below (index + 1)·2^height: `tree.Nodes`."""
        level, within = divmod(height, 8)
        tile, offset = divmod(index << within, WIDTH)
        return self.tile(level, tile).node(within, offset >> within)

    def tile(self, level: int, index: int) -> Tile:
        """A tile, partial where it is at the right edge, that leads to the root."""
        if index == self.size >> 8 * (level + 1):
            return self.edges[level]
        expected = self.node(8 * (level + 1), index)
        tile = self.known.get((level, index))
        if tile is None or tile.root != expected:
            tile = self._read(level, index, expected)
        return tile

    def _read(self, level: int, index: int, expected: bytes) -> Tile:
        path = tile_path(level, index)
        data = self.read(path, TILE)
        if data is None:
            raise refusals.missing(self.name, path)
        if len(data) != TILE:
            raise refusals.tile_altered(self.name, path, expected, b"")
        tile = Tile(data)
        if tile.root != expected:
            raise refusals.tile_altered(self.name, path, expected, tile.root)
        if len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        self.known[level, index] = tile
        return tile

    def grown(self, leaves: Sequence[bytes]) -> tuple[Tree, dict[str, bytes]]:
        """The tree with these leaf hashes appended, and the files that it needs more."""
        files, edges, level = {}, list(self.edges), 0
        hashes = list(leaves)
        while hashes:
            if level == len(edges):
                edges.append(Tile(b""))
            data = edges[level].data + b"".join(hashes)
            index, hashes = self.size >> 8 * (level + 1), []
            for start in range(0, len(data) - TILE + 1, TILE):
                tile = Tile(data[start : start + TILE])
                files[tile_path(level, index)] = tile.data
                hashes.append(tile.root)
                index += 1
            edges[level] = Tile(data[len(hashes) * TILE :])
            if edges[level].data:
                files[tile_path(level, index, len(edges[level].data) // HASH)] = edges[level].data
            level += 1
        tree = Tree(self.name, self.read, self.size + len(leaves), tuple(edges), self.known)
        return tree, files


def _edge(name: str, read: Read, size: int, level: int) -> bytes:
    """The partial tile of that level; the full one may have taken its place meanwhile."""
    width = size >> 8 * level & (WIDTH - 1)
    if not width:
        return b""
    index = size >> 8 * (level + 1)
    path = tile_path(level, index, width)
    data = read(path, TILE)
    if data is None and (full := read(tile_path(level, index), TILE)) is not None:
        data = full[: width * HASH]
    if data is None:
        raise refusals.missing(name, path)
    if len(data) != width * HASH:
        raise refusals.tile_altered(name, path, b"", data[:HASH])
    return data
