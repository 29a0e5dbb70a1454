"""Which files a batch of entries makes, and which it makes needless."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from credenza.ledger.bundles import WIDTH, content_part, content_path, entry_bundle, tile_path
from credenza.ledger.content import Leaf
from credenza.ledger.tiles import Tree
from credenza.ledger.tree import leaf_hash
from credenza.ledger.view import View


def files_of(view: View, items: Sequence[tuple[Leaf, bytes]]) -> tuple[Tree, dict[str, bytes]]:
    """The tree with the entries of ``items`` appended, and the files that it needs more."""
    entries = [bytes(leaf) for leaf, _ in items]
    tree, files = view.tree.grown([leaf_hash(entry) for entry in entries])
    size = view.checkpoint.size
    before = list(view.entries(size // WIDTH)) if size % WIDTH else []
    at = 0
    while at < len(items):
        bundle, offset = divmod(size + at, WIDTH)
        stop = min(at + WIDTH - offset, len(items))
        whole = before + entries[at:stop]
        files[tile_path("entries", bundle, len(whole))] = entry_bundle(whole)
        contents = [content for _, content in items[at:stop]]
        files[content_path(bundle, offset, stop - at)] = content_part(contents)
        at, before = stop, []
    return tree, files


def outgrown(old: int, new: int) -> Iterator[str]:
    """The folders of partial tiles and bundles of which a full one was committed since."""
    level: int | str
    for level in range(8):
        first, last = old >> 8 * (level + 1), new >> 8 * (level + 1)
        if first == last:
            return
        if old >> 8 * level & (WIDTH - 1):
            yield f"{tile_path(level, first)}.p"
            if level == 0:
                yield f"{tile_path('entries', first)}.p"
