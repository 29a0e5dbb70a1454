"""What comes of values that are put together, taken apart, or changed in a loop."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Final

from jinja2 import nodes

from credenza.scan.templates.folding import folded
from credenza.scan.templates.values import DATA, OPAQUE, Constant, Value, constant, joined

GENERATOR: Final = "a generator"
METHOD: Final = "a method"
MACRO: Final = "a macro"
"""Of what a value can be, besides the objects of the renderer: its text may hold any character."""


def dictionary(keys: list[Value], values: list[Value]) -> Value:
    """A dictionary: its keys as a constant, and what its values can be."""
    inner = joined(*values) if values else DATA
    if not all(k.is_foldable for k in keys) or inner.opaque or inner.named:
        return Value(values=inner.constants, opaque=True)
    found = folded(lambda *parts: parts, *keys) if keys else constant(())
    return joined(found, Value(values=inner.constants))


def leaves(value: Value) -> list[Constant]:
    """All that is in a value, down to what is in lists in lists."""
    todo, found = [*value.constants, *value.values], list[Constant]()
    while todo:
        one = todo.pop()
        if isinstance(one, tuple):
            todo += one
        else:
            found.append(one)
    return found


def is_unsure(node: nodes.BinExpr, left: Value, right: Value) -> bool:
    """Whether a text is formatted with a list or dictionary that may look like anything."""
    lists = any(isinstance(c, tuple) for c in right.constants)
    formats = isinstance(node, nodes.Mod) and bool(left.strings())
    return formats and lists and not isinstance(node.right, nodes.Tuple)


def element(value: Value) -> Value:
    """What a loop over the value gives."""
    elements: list[Constant] = []
    for found in value.constants:
        if isinstance(found, str | tuple):
            elements += [*found][:65]
    named = value.named - {GENERATOR, METHOD}
    opaque = value.opaque or bool(named)
    inner = constant(*elements)
    return joined(inner, Value(constants=value.values, opaque=opaque))


def let_in(name: str, arguments: list[Value], keywords: dict[str, Value]) -> list[Value]:
    """What of its arguments a filter may put into the elements that it gives."""
    if name in ("select", "reject", "selectattr", "rejectattr"):
        return []
    given = [*arguments[name == "map" :], *(v for k, v in keywords.items() if k != "attribute")]
    return given if inert(*given) else [*given, OPAQUE]


def doubt(keywords: dict[str, Value]) -> list[Value]:
    """`OPAQUE` where a keyword argument may become part of what comes back."""
    given = (v for k, v in keywords.items() if k not in ("default_value", "attribute"))
    return [] if inert(*given) else [OPAQUE]


def eager(base: Value, name: str) -> Value:
    """A generator is a list of its elements to all filters but those that show it as text."""
    if name in ("string", "e", "escape", "safe", "upper", "lower", "replace", "title", "trim"):
        return base
    rest = base.named - {GENERATOR}
    return Value(constants=base.constants, values=base.values, opaque=base.opaque, named=rest)


def grown(value: Value) -> Value:
    """What a value comes to that changes with every turn of a loop."""
    if inert(value):
        return DATA
    if value.is_list:
        return Value(values=value.elements())
    return joined(value, OPAQUE)


def inert(*values: Value) -> bool:
    """Whether nothing of the template's own that has characters is among them."""
    empty = all(isinstance(c, int | float | None) or not c for v in values for c in v.constants)
    return empty and not any(v.opaque or v.named or v.values for v in values)


def mixed(*values: Value) -> Value:
    """What is put together of values that are not all known."""
    if inert(*values):
        return DATA
    if {n for v in values for n in v.named} == {MACRO}:
        rest = (Value(constants=v.constants, opaque=v.opaque) for v in values)
        return Value(named=frozenset((MACRO,))) if inert(*rest) else OPAQUE
    return OPAQUE


def fields(text: str, depth: int = 0) -> Iterator[str]:
    """The names that a format string looks up, in its specifications too."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return
    for _, field, specification, _ in parts:
        if field:
            yield from field.replace("[", ".").replace("]", "").split(".")[1:]
        if specification and depth < 2:
            yield from fields(specification, depth + 1)
