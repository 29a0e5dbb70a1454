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
_HOLDERS: Final = frozenset({List, Tuple, Dict, Set, Call, Persistent})


def expands(root: Value) -> bool:
    """True where there are `MANY` ways through a graph of at most `MOST_EDGES` references.

    Loading such a pickle does no harm; printing, hashing or copying what comes of it never ends.
    Linear in the edges; a graph that holds itself is counted without the edge that closes it.
    """
    ways: dict[int, int] = {}
    entered = {id(root)}
    todo: list[tuple[Value, int, list[Value] | None]] = [(root, 0, None)]
    edges = 0
    while todo:
        node, constants, holders = todo.pop()
        if holders is None:
            below = list(children(node))
            edges += len(below)
            if edges > MOST_EDGES:
                return False
            holders = [child for child in below if type(child) in _HOLDERS]
            constants = len(below) - len(holders)
            if holders:
                todo.append((node, constants, holders))
                for child in holders:
                    if id(child) not in entered:
                        entered.add(id(child))
                        todo.append((child, 0, None))
                continue
        count = constants
        for child in holders:
            count += ways.get(id(child), 1)
        if count >= MANY:
            return True
        ways[id(node)] = count or 1
    return False
