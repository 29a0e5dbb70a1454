"""What a Keras configuration would have run: the classes and functions that it names, and code.

``config.json`` of a .keras file and the attribute ``model_config`` of an HDF5 file describe a
model as nested objects of ``class_name``, ``module``, ``registered_name`` and ``config``
(``keras/src/saving/serialization_lib.py``). Loading looks each of them up and calls it; a lambda
is Python bytecode, marshalled and in base64. Names are held against ``keras_names.toml``.
"""

from __future__ import annotations

import base64
import binascii
import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from credenza.artifact import json_text
from credenza.artifact.interface import Bytes
from credenza.artifact.model import Program
from credenza.files import packaged

_FUNCTION: Final = "function"
_LAMBDA: Final = "__lambda__"
_MARSHALLED_CODE: Final = (b"c", b"\xe3")
"""The first byte of a marshalled code object, without and with the flag of a reference."""
_SHORTEST_CODE: Final = 20
"""In bytes; Python's own are longer."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A thing that a configuration names, and the string of it by which its place is found."""

    kind: str
    name: str
    allowed: bool
    key: str


def programs_of(file: Bytes, text: str, start: int, member: str = "") -> list[Program]:
    """Each class, function and lambda that a configuration names, once, in the order of places.

    ``text`` begins at byte ``start`` of the file, or of its ``member``. Raises
    `BrokenPickleError` where it is not JSON.
    """
    tree = json_text.parse(file, text, start, "keras-config")
    named = dict.fromkeys(_found(tree))
    places = json_text.places(text, {n.key for n in named})
    found = [
        Program(
            kind=n.kind,
            name=n.name,
            start=start + places.get(n.key, 0),
            member=member,
            allowed=n.allowed,
        )
        for n in named
    ]
    return sorted(found, key=lambda p: (p.start, p.kind, p.name))


def _found(tree: Any) -> Iterator[_Named]:
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            if is_code(node):
                yield _Named("marshalled code", f"{len(node)} characters of base64", False, node)
        elif isinstance(node, list):
            todo.extend(node)
        elif isinstance(node, dict):
            if isinstance(node.get("class_name"), str):
                yield from _object(node)
            todo.extend(node.values())


def _object(node: dict[str, Any]) -> Iterator[_Named]:
    """What one object names: a class, or a function whose name is in ``config``."""
    class_, module, config = node["class_name"], node.get("module"), node.get("config")
    if class_ == _LAMBDA:
        yield _Named("keras lambda", _LAMBDA, False, _LAMBDA)
        return
    function = class_ == _FUNCTION and isinstance(config, str)
    name: str = config if function and isinstance(config, str) else class_
    kind = "keras function" if function else "keras class"
    registered = node.get("registered_name")
    own = registered in (None, name, class_)
    allowed = own and name in _names(kind) and _is_keras(module, function)
    yield _Named(kind, _dotted(module, name, None if own else registered), allowed, name)
    vocabulary = config.get("vocabulary") if isinstance(config, dict) else None
    if isinstance(vocabulary, str):
        yield _Named("keras file", f"vocabulary {vocabulary}", False, vocabulary)


def _is_keras(module: Any, function: bool) -> bool:
    """True for Keras' own modules; older configurations name none, and mean Keras' own."""
    if module is None or (function and module == "builtins"):
        return True
    return isinstance(module, str) and (module == "keras" or module.startswith("keras."))


def _dotted(module: Any, name: str, registered: Any) -> str:
    if registered is not None:
        name = f"{name} (registered as {registered})"
    return f"{module}.{name}" if module is not None else name


def is_code(text: str) -> bool:
    """True for base64 of what begins as marshalled code does (``keras.src.utils.func_dump``)."""
    head = text[: 4 * _SHORTEST_CODE]
    if len(head) < _SHORTEST_CODE or head[0] not in "4Y":  # 0xe3 and 0x63 in base64
        return False
    compact = head.replace("\n", "")
    try:
        data = base64.b64decode(compact[: len(compact) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return False
    return data.startswith(_MARSHALLED_CODE) and b"\0\0\0" in data


@functools.cache
def _names(kind: str) -> frozenset[str]:
    uses = ("function",) if kind == "keras function" else ("class", "value")
    groups = tomllib.loads(packaged("credenza.artifact", "keras_names.toml"))["group"]
    return frozenset(name for g in groups if g["use"] in uses for name in g["names"])
