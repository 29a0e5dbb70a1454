"""The walk through a file of TensorFlow: every node of every graph and function in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, final

from credenza.artifact.protobuf import Field, Message, Schema, refuse, top
from credenza.artifact.window import Window
from credenza.errors import MalformedError
from credenza.scan.rules import tensorflow_schemas as schemas

_OPERATION: Final = re.compile(r"[A-Za-z_.][\w.>/\\-]{0,511}", re.ASCII)
"""What names an operation or a function (``OpDef``: a namespace may stand before it)."""
_FIRST_NODE: Final = re.compile(
    rb"\n[\x80-\xff]{0,4}[\0-\x7f]\n[\x01-\x7f][\w.>/\\-]++\x12[\x01-\x7f][A-Za-z_.][\w.>/]+"
)
_LONGEST: Final = 1 << 12
_MOST: Final = 50_000
_MOST_PATHS: Final = 10_000
_CONSTANT: Final = "Const"
_STRINGS: Final = 7
"""``DT_STRING``."""
_PATH: Final = re.compile(
    r"[/\\~]|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*+://|(?:.*/)?\.\.(?:/|$)", re.DOTALL
)


class Node(NamedTuple):
    """An operation: its name, its inputs' names, texts among its attributes, and its place."""

    op: str
    inputs: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]
    at: int


@final
@dataclass(slots=True)
class Graphs:
    """What a file holds: filled by `walk`.

    ``nodes`` are those of which ``wanted`` was said, ``configs`` the texts that describe layers of
    Keras, ``leading`` constants that are paths out of a folder, by graph and name.
    """

    window: Window
    operations: dict[str, int] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    nodes: list[tuple[str, Node]] = field(default_factory=list)
    leading: dict[tuple[str, str], str] = field(default_factory=dict)
    assets: list[tuple[str, int]] = field(default_factory=list)
    configs: list[tuple[int, int]] = field(default_factory=list)
    wanted: frozenset[str] = frozenset()
    looked: set[str] = field(default_factory=set)

    # --- what a file may be ----------------------------------------------------

    def saved_model(self, start: int, stop: int) -> None:
        """``saved_model.pb``: graphs for several uses."""
        whole = self._read(schemas.SAVED_MODEL, start, stop)
        for _, found in whole.each("meta_graphs"):
            self.meta_graph(found.start, found.stop)

    def meta_graph(self, start: int, stop: int) -> None:
        """A graph with its assets and its objects; a checkpoint's ``.meta`` is one."""
        held = self._read(schemas.META_GRAPH, start, stop)
        for name, found in held.each("graph_def", "asset_file_def", "object_graph_def"):
            if name == "graph_def":
                self.graph(found.start, found.stop)
            elif name == "asset_file_def":
                asset = self._read(schemas.ASSET, found.start, found.stop)
                self.assets += [(self._text(f), f.at) for _, f in asset.each("filename")]
            else:
                self._objects(found)

    def graph(self, start: int, stop: int) -> None:
        """A graph and the functions in it; a frozen model is one."""
        held = self._read(schemas.GRAPH, start, stop)
        for name, found in held.each("node", "library"):
            if name == "node":
                self._node(found, str(start))
            else:
                self._library(found)

    def keras(self, start: int, stop: int) -> None:
        """``keras_metadata.pb``: a configuration for each layer."""
        whole = self._read(schemas.KERAS_METADATA, start, stop)
        for _, found in whole.each("nodes"):
            node = self._read(schemas.KERAS_NODE, found.start, found.stop)
            self.configs += [(f.start, f.stop) for _, f in node.each("metadata")]

    # --- what is in it ----------------------------------------------------------

    def _library(self, found: Field) -> None:
        held = self._read(schemas.LIBRARY, found.start, found.stop)
        for _, function in held.each("function"):
            body = self._read(schemas.FUNCTION, function.start, function.stop)
            for name, item in body.each("signature", "node_def"):
                if name == "node_def":
                    self._node(item, str(function.start))
                else:
                    signature = self._read(schemas.OPERATION, item.start, item.stop)
                    self.functions |= {self._text(f) for _, f in signature.each("name")}

    def _node(self, found: Field, scope: str) -> None:
        held = self._read(schemas.NODE, found.start, found.stop)
        ops = [self._text(f) for _, f in held.each("op")]
        if self.operations and all(op in self.operations and op not in self.looked for op in ops):
            return
        if not ops or (not self.operations and not _OPERATION.fullmatch(ops[0])):
            raise NotThisError
        for op in ops:  # of several, a parser takes the last
            self.operations.setdefault(op, found.at)
            if op in self.wanted or op == _CONSTANT:
                self.looked.add(op)
            if op in self.wanted:
                inputs = tuple(self._text(f) for _, f in held.each("input"))
                self.nodes.append((scope, Node(op, inputs, tuple(self._texts(held)), found.at)))
        if _CONSTANT in ops:
            self._constant(held, scope)
        if max(map(len, (self.operations, self.nodes, self.functions, self.configs))) > _MOST:
            what, wanted = "a graph has more different things than a model", f"up to {_MOST}"
            refuse(self.window, "protobuf-count", found.at, what, wanted, "more")

    def _texts(self, node: Message) -> Iterator[tuple[str, str]]:
        """The attributes of a node that are texts, and lists of them."""
        for key, value in self._attributes(node):
            for name, item in value.each("s", "list"):
                if name == "s":
                    yield key, self._text(item)
                else:
                    listed = self._read(schemas.LIST, item.start, item.stop)
                    yield from ((key, self._text(f)) for _, f in listed.each("s"))

    def _constant(self, node: Message, scope: str) -> None:
        """Note a constant that is a path out of a folder."""
        for key, value in self._attributes(node):
            for _, item in value.each("tensor") if key == "value" else ():
                tensor = self._read(schemas.TENSOR, item.start, item.stop)
                if _STRINGS not in (tensor.numbers("dtype", 8) or ()):
                    return
                for _, text in tensor.each("string_val"):
                    self._path(node, scope, self._text(text))

    def _path(self, node: Message, scope: str, text: str) -> None:
        if _PATH.match(text) and len(self.leading) < _MOST_PATHS:
            for _, name in node.each("name"):
                self.leading.setdefault((scope, self._text(name)), text)

    def _attributes(self, node: Message) -> Iterator[tuple[str, Message]]:
        for _, found in node.each("attr"):
            entry = self._read(schemas.ENTRY, found.start, found.stop)
            keys = [self._text(f) for _, f in entry.each("key")]
            for _, value in entry.each("value"):
                yield keys[-1] if keys else "", self._read(schemas.VALUE, value.start, value.stop)

    def _objects(self, found: Field) -> None:
        """The layers of Keras in a model of before TensorFlow 2.5."""
        for _, node in self._read(schemas.OBJECTS, found.start, found.stop).each("nodes"):
            for _, user in self._read(schemas.OBJECT, node.start, node.stop).each("user_object"):
                held = self._read(schemas.USER_OBJECT, user.start, user.stop)
                self.configs += [
                    (f.start, f.stop) for _, f in held.each("metadata") if f.stop > f.start
                ]

    def _read(self, schema: Schema, start: int, stop: int) -> Message:
        return Message.read(self.window, schema, start, stop)

    def _text(self, found: Field) -> str:
        """A text, of which a long one is cut: names are short, and a path is known by its start."""
        length = min(found.stop - found.start, _LONGEST)
        return self.window.read(found.start, length).decode("utf-8", "replace")


class NotThisError(Exception):
    """The bytes are some other message than the one that they were read as."""


def begins_as_graph(head: bytes) -> bool:
    """Whether a file begins with a node that has a name and an operation."""
    return _FIRST_NODE.match(head) is not None


def may_be(fields: frozenset[tuple[int, int]], schema: Schema, needed: str) -> bool:
    """Whether a file with those fields may be a message of that type, with that field."""
    return schema.fits(fields) and schema.has(fields, needed)


def top_fields(window: Window) -> frozenset[tuple[int, int]]:
    """The fields of a file as one message; none where it is none."""
    try:
        return top(window)
    except MalformedError:
        return frozenset()


def leads_out(path: str) -> bool:
    """Whether a path leads out of the folder that it is relative to."""
    return _PATH.match(path) is not None
