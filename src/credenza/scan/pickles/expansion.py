"""Shared references that grow without end when they are written out ("billion laughs")."""

from __future__ import annotations

from typing import Final

from credenza.artifact.pickles.values import (
    Call,
    Dict,
    List,
    Persistent,
    Set,
    Tuple,
    Value,
    children,
)

MOST_EDGES: Final = 100_000
MANY: Final = 1 << 40
_HOLDERS: Final = (List, Tuple, Dict, Set, Call, Persistent)


def expands(root: Value) -> bool:
    """True where there are `MANY` ways through a graph of at most `MOST_EDGES` references.

    Loading such a pickle does no harm; printing, hashing or copying what comes of it never ends.
    Linear in the edges; a graph that holds itself is counted without the edge that closes it.
    """
    ways: dict[int, int] = {}
    entered = {id(root)}
    todo: list[tuple[Value, list[Value] | None]] = [(root, None)]
    edges = 0
    while todo:
        node, below = todo.pop()
        if below is not None:
            count = sum(ways.get(id(child), 1) for child in below) or 1
            if count >= MANY:
                return True
            ways[id(node)] = count
            continue
        below = list(children(node))
        edges += len(below)
        if edges > MOST_EDGES:
            return False
        todo.append((node, below))
        for child in below:
            if isinstance(child, _HOLDERS) and id(child) not in entered:
                entered.add(id(child))
                todo.append((child, None))
    return False
