"""Where in a pickle's graph something stands, as a dotted name.

Keys and indices from the root, joined by dots: ``0.1``, ``model.fc.weight``. A key that holds
dots itself stays as it is, so a state dict's own names come out unchanged. What a module keeps
its parts in (``_parameters``, ``_buffers``, ``_modules``) is left out, so that a pickled module
and its state dict give the same names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from credenza.artifact.pickles.values import (
    Call,
    Dict,
    Interleaved,
    List,
    Persistent,
    Set,
    Tuple,
    Value,
    children,
    text,
)

MOST_STEPS: Final = 2_000_000
"""Steps on paths to what is looked for; a graph of shared references can have 2⁴⁰ paths."""
DEEPEST: Final = 512
_TRANSPARENT: Final = frozenset({"_parameters", "_buffers", "_modules"})
_NODES: Final = (List, Tuple, Dict, Set, Call, Persistent, Interleaved)


class TooManyPathsError(Exception):
    """More or longer paths than an honest file has."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A node still to be visited, or to be left again."""

    node: Value
    name: str
    depth: int
    leaving: bool = False
    twice: bool = False
    """Whether a dict on the way here has its key twice."""


def named(root: Value, is_leaf: Callable[[Value], bool]) -> Iterator[tuple[str, Value]]:
    """Every leaf by every path to it, in the order of the graph; below a leaf nothing is sought.

    The root itself has the empty name. A cycle is followed once. Where two ways that are no names
    in the file come out alike, the second has ``#2`` behind it; two values under one key of a dict
    have one name, for whoever asks to refuse.
    Raises `TooManyPathsError` past `MOST_STEPS` steps or `DEEPEST` levels.
    """
    leading = _leading(root, is_leaf)
    steps, path, given = 0, set[int](), Counter[str]()
    todo = [_Step(root, "", 0)]
    while todo:
        step = todo.pop()
        here = id(step.node)
        if step.leaving:
            path.discard(here)
            continue
        if is_leaf(step.node):
            given[step.name] += 1
            again = given[step.name] > 1 and not step.twice
            yield (f"{step.name}#{given[step.name]}" if again else step.name), step.node
            continue
        if here not in leading or here in path:
            continue
        steps += 1
        if steps > MOST_STEPS or step.depth > DEEPEST:
            raise TooManyPathsError
        path.add(here)
        todo.append(_Step(step.node, step.name, step.depth, leaving=True))
        repeated = _repeated(step.node)
        below = [
            _Step(
                child,
                _joined(step.name, part),
                step.depth + 1,
                twice=step.twice or part in repeated,
            )
            for part, child in _parts(step.node)
            if id(child) in leading
        ]
        todo.extend(reversed(below))


def _leading(root: Value, is_leaf: Callable[[Value], bool]) -> set[int]:
    """The ids of the nodes from which a leaf is reached, leaves included. Linear in the edges."""
    parents: dict[int, list[int]] = {id(root): []}
    leaves: list[int] = []
    todo = [root]
    while todo:
        node = todo.pop()
        if is_leaf(node):
            leaves.append(id(node))
            continue
        for child in children(node):
            if not isinstance(child, _NODES):
                continue
            if id(child) not in parents:
                parents[id(child)] = []
                todo.append(child)
            parents[id(child)].append(id(node))
    leading = set(leaves)
    while leaves:
        for parent in parents[leaves.pop()]:
            if parent not in leading:
                leading.add(parent)
                leaves.append(parent)
    return leading


def persistent(root: Value) -> list[Persistent]:
    """Every persistent id in the graph, each once."""
    seen, found = {id(root)}, list[Persistent]()
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, Persistent):
            found.append(node)
        for child in children(node):
            if isinstance(child, _NODES) and id(child) not in seen:
                seen.add(id(child))
                todo.append(child)
    return found


def _repeated(node: Value) -> frozenset[str]:
    """The keys that a dict has twice, or an instance among the keys or attributes it was given."""
    match node:
        case Dict(pairs):
            groups = [pairs]
        case Call():
            states = [p for s in node.states for p in (s.items if isinstance(s, Tuple) else (s,))]
            groups = [node.pairs, *(s.pairs for s in states if isinstance(s, Dict))]
        case _:
            return frozenset()
    counts = (Counter(name for name, _ in _keyed(pairs)) for pairs in groups)
    return frozenset(name for count in counts for name, times in count.items() if times > 1)


def _joined(name: str, part: str) -> str:
    return f"{name}.{part}" if name and part else name or part


def _parts(node: Value) -> Iterator[tuple[str, Value]]:
    """What a node holds, each with its part of the name; an empty part adds none."""
    match node:
        case List(items) | Set(items):
            yield from _indexed(items)
        case Tuple(items):
            yield from _indexed(items)
        case Dict(pairs):
            yield from _keyed(pairs)
        case Call():
            yield from _made(node)
        case _:
            return


def _made(call: Call) -> Iterator[tuple[str, Value]]:
    """What an instance holds: arguments, items, keys and attributes, all directly under it."""
    for argument in call.arguments:
        pairs = _pairs(argument) if call.name == "collections.OrderedDict" else None
        if pairs is not None:
            yield from _keyed(pairs)
        else:
            yield "", argument
    if call.kwargs is not None:
        yield "", call.kwargs
    yield from _indexed(call.items)
    yield from _keyed(call.pairs)
    for state in call.states:
        parts = state.items if isinstance(state, Tuple) else (state,)
        for i, part in enumerate(parts):
            if isinstance(part, Dict):
                yield from _attributes(part)
            else:
                yield (str(i) if len(parts) > 1 else ""), part


def _attributes(state: Dict) -> Iterator[tuple[str, Value]]:
    for name, value in _keyed(state.pairs):
        yield ("" if name in _TRANSPARENT else name), value


def _pairs(argument: Value) -> list[tuple[Value, Value]] | None:
    """A list of two-item lists or tuples, as Python 2 writes an ordered dict."""
    if not isinstance(argument, List):
        return None
    pairs = [tuple(i.items) for i in argument.items if isinstance(i, List | Tuple)]
    if len(pairs) != len(argument.items) or any(len(p) != 2 for p in pairs):
        return None
    return [(p[0], p[1]) for p in pairs]


def _indexed(items: list[Value] | tuple[Value, ...]) -> Iterator[tuple[str, Value]]:
    return ((str(i), item) for i, item in enumerate(items))


def _keyed(pairs: list[tuple[Value, Value]]) -> Iterator[tuple[str, Value]]:
    return ((_label(key, i), value) for i, (key, value) in enumerate(pairs))


def _label(key: Value, index: int) -> str:
    """A key as a part of a name; ``#3`` is the fourth key of a dict, where it is no plain one."""
    name = text(key)
    if name is not None:
        return name
    if key is None or isinstance(key, bool | int | float):
        return str(key)
    return f"#{index}"
