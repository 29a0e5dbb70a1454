"""Shared references that grow without end when they are written out ("billion laughs")."""

from __future__ import annotations

from typing import Final

from credenza.artifact.pickles.values import Value, children

MOST_EDGES: Final = 100_000
MANY: Final = 1 << 40


def expands(root: Value) -> bool:
    """True where there are `MANY` ways through a graph of at most `MOST_EDGES` references.

    Loading such a pickle does no harm; printing, hashing or copying what comes of it never ends.
    Linear in the edges; a graph that holds itself is counted without the edge that closes it.
    """
    ways: dict[int, int] = {}
    entered = {id(root)}
    todo: list[tuple[Value, bool]] = [(root, False)]
    edges = 0
    while todo:
        node, below_done = todo.pop()
        below = list(children(node))
        if below_done:
            count = sum(ways.get(id(child), 1) for child in below) or 1
            if count >= MANY:
                return True
            ways[id(node)] = count
            continue
        edges += len(below)
        if edges > MOST_EDGES:
            return False
        todo.append((node, True))
        for child in below:
            if id(child) not in entered and next(iter(children(child)), None) is not None:
                entered.add(id(child))
                todo.append((child, False))
    return False
