"""A log as one of its checkpoints shows it. All that is read is checked against that one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from credenza.errors import InputError
from credenza.ledger import refusals
from credenza.ledger.bundles import (
    LARGEST_BUNDLE,
    LARGEST_PART,
    WIDTH,
    content_path,
    parse_content_part,
    parse_entry_bundle,
    tile_path,
)
from credenza.ledger.checkpoint import Checkpoint
from credenza.ledger.content import Content, Leaf
from credenza.ledger.note import Note
from credenza.ledger.storage import Storage
from credenza.ledger.tiles import Tree
from credenza.ledger.tree import head_of, leaf_hash

_PART = re.compile(r"[0-9]{3}")


@dataclass(frozen=True, slots=True)
class Record:
    """An entry, where it stands, and what it stands for: None where that was not kept."""

    index: int
    leaf: Leaf
    content: Content | None


@dataclass(frozen=True, slots=True)
class View:
    """A checkpoint of which the signature was checked, and the tree of its head."""

    storage: Storage
    note: Note
    checkpoint: Checkpoint
    tree: Tree

    @classmethod
    def load(cls, storage: Storage, note: Note, before: View | None = None) -> View:
        """The view of a checkpoint, of which the right edge was read.

        Raises `AlteredError` where it is not there, and with rule ``ledger.rolled-back`` or
        ``ledger.forked`` where the checkpoint does not continue that of ``before``.
        """
        checkpoint = Checkpoint.parse(note.text)
        if before and checkpoint.size < before.checkpoint.size:
            raise refusals.rolled_back(storage.name, before.checkpoint, checkpoint.size)
        view = cls(
            storage, note, checkpoint, Tree.load(storage.name, storage.read, checkpoint.head)
        )
        if before:
            view.continues(before.checkpoint)
        return view

    def continues(self, earlier: Checkpoint) -> None:
        """Raises `AlteredError` unless ``earlier`` is a beginning of this log."""
        if earlier.size > self.checkpoint.size:
            raise refusals.rolled_back(self.storage.name, earlier, self.checkpoint.size)
        found = head_of(self.tree.node, earlier.size)
        if earlier.origin != self.checkpoint.origin:
            raise refusals.forked(self.storage.name, earlier, f"log {self.checkpoint.origin}")
        if found != earlier.head:
            raise refusals.forked(self.storage.name, earlier, f"root {found.root.hex()}")

    def entries(self, bundle: int) -> tuple[bytes, ...]:
        """The entries of a bundle, each checked against the tree."""
        width = min(WIDTH, self.checkpoint.size - bundle * WIDTH)
        path = needed = tile_path("entries", bundle, width)
        data = self.storage.read(path, LARGEST_BUNDLE)
        if data is None and width < WIDTH:  # the full one may have taken its place meanwhile
            path = tile_path("entries", bundle)
            data = self.storage.read(path, LARGEST_BUNDLE)
        if data is None:
            raise refusals.missing(self.storage.name, needed)
        try:
            entries = parse_entry_bundle(data)
        except InputError as e:
            raise refusals.malformed(path, e) from e
        if len(entries) < width or (len(entries) > width and path.endswith(f".p/{width}")):
            wrong = InputError(f"{width} entries expected, {len(entries)} found")
            raise refusals.malformed(path, wrong)
        entries = entries[:width]
        tile = self.tree.tile(0, bundle)
        for i, entry in enumerate(entries):
            if leaf_hash(entry) != tile.node(0, i):
                at = bundle * WIDTH + i
                raise refusals.entry_altered(
                    self.storage.name, path, at, tile.node(0, i), leaf_hash(entry)
                )
        return entries

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """The records from ``start`` to below ``stop``, each checked before it is yielded."""
        stop = self.checkpoint.size if stop is None else min(stop, self.checkpoint.size)
        for bundle in range(start // WIDTH, -(-stop // WIDTH)):
            leaves = [_leaf(bundle, entry) for entry in self.entries(bundle)]
            contents = self._contents(bundle, leaves)
            for i, leaf in enumerate(leaves):
                if start <= (index := bundle * WIDTH + i) < stop:
                    yield Record(index, leaf, contents.get(i))

    def _contents(self, bundle: int, leaves: list[Leaf]) -> dict[int, Content]:
        """Those contents of a bundle that were kept, each checked against its entry."""
        kept = {}
        folder = f"{content_path(bundle)}.p"
        parts = [(content_path(bundle), 0)] if len(leaves) == WIDTH else []
        parts += [
            (f"{folder}/{n}", int(n)) for n in self.storage.names(folder) if _PART.fullmatch(n)
        ]
        for path, first in parts:
            if first >= len(leaves):
                continue  # what a killed writer left, or another checkpoint has
            data = self.storage.read(path, LARGEST_PART) or b""
            try:
                part = parse_content_part(data)
                for i, content in enumerate(part[: len(leaves) - first], first):
                    if content is not None:
                        self._check(path, bundle * WIDTH + i, leaves[i], content)
                        kept[i] = leaves[i].content(content)
            except InputError as e:
                raise refusals.malformed(path, e) from e
        return kept

    def _check(self, path: str, index: int, leaf: Leaf, content: bytes) -> None:
        found = hashlib.sha256(content).digest()
        if found != leaf.digest:
            raise refusals.content_altered(self.storage.name, path, index, leaf.digest, found)


def _leaf(bundle: int, entry: bytes) -> Leaf:
    try:
        return Leaf.parse(entry)
    except InputError as e:
        raise refusals.malformed(tile_path("entries", bundle), e) from e
