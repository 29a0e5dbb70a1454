"""An expression of a template as short text: the evidence of a finding."""

from __future__ import annotations

from typing import Final

from jinja2 import nodes

LONGEST: Final = 120
_DEEPEST: Final = 16


def spelled(node: nodes.Node | None, depth: int = 0) -> str:
    """About as the template has it, cut to `LONGEST` characters, its end kept."""
    text = _spelled(node, depth)
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}"


def _spelled(node: nodes.Node | None, depth: int) -> str:
    if node is None or depth > _DEEPEST:
        return "…"
    match node:
        case nodes.Name():
            return ascii(node.name)[1:-1]
        case nodes.Const():
            return ascii(node.value)[:40]
        case nodes.Getattr():
            return f"{_spelled(node.node, depth + 1)}.{ascii(node.attr)[1:-1]}"
        case nodes.Getitem():
            return f"{_spelled(node.node, depth + 1)}[{_spelled(node.arg, depth + 1)}]"
        case nodes.Call():
            inner = ", ".join(_spelled(a, depth + 8) for a in node.args[:2])
            return f"{_spelled(node.node, depth + 1)}({inner})"
        case nodes.Filter():
            inner = ", ".join(_spelled(a, depth + 8) for a in node.args[:2])
            arguments = f"({inner})" if inner else ""
            return f"{_spelled(node.node, depth + 1)}|{node.name}{arguments}"
        case nodes.Concat():
            return "~".join(_spelled(n, depth + 8) for n in node.nodes[:4])
    return "…"
