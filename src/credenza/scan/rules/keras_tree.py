"""A Keras configuration as a tree in which nothing is lost: what is given twice is there twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

EARLIER: Final = "\0earlier"
"""The key of an object's members as a parser sees them that keeps the first of a name."""

_PER_ITEM, _PER_OBJECT = 72, 300
_FREE: Final = 48 << 20


class UnreadableError(Exception):
    """The text is not JSON, or too much of it for this machine."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What a text says, and whether it says something twice."""

    root: Any
    twice: str = ""

    def objects(self) -> Iterator[dict[str, Any]]:
        """Every object of it, each once."""
        for node in self.nodes():
            if isinstance(node, dict):
                yield node

    def nodes(self) -> Iterator[Any]:
        """Every object, list and text of it; containers once, however often they are in it."""
        todo, seen = [self.root], set()
        while todo:
            node = todo.pop()
            if isinstance(node, dict | list):
                if id(node) in seen:  # the first and the last reading share what is in them
                    continue
                seen.add(id(node))
                todo.extend(node.values() if isinstance(node, dict) else node)
                yield node
            elif isinstance(node, str):
                yield node


def tree(text: str) -> Tree:
    """What the text says. Raises `UnreadableError`.

    Numbers that JSON has not (``Infinity``, which Python writes) are read.
    """
    items, objects = text.count(",") + text.count("["), text.count("{")
    if items * _PER_ITEM + objects * _PER_OBJECT > _FREE + 3 * len(text):
        raise UnreadableError("it has more items than a configuration of its size")
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        last = dict(pairs)
        if len(last) != len(pairs):
            if not twice:
                counts = Counter(key for key, _ in pairs)
                twice.append(next(key for key, count in counts.items() if count > 1))
            last[EARLIER] = dict(reversed(pairs))
        return last

    try:
        return Tree(json.loads(text, object_pairs_hook=members), twice[0] if twice else "")
    except json.JSONDecodeError as e:  # in the words of the rule for JSON: it is said once
        raise UnreadableError(f"{e.msg.removesuffix(' at')} at character {e.pos}") from e
    except (ValueError, RecursionError) as e:
        raise UnreadableError(str(e)[:120]) from e
