"""ONNX: a model as one protobuf message, walked from graph to graph without reading a weight.

https://github.com/onnx/onnx/blob/main/docs/IR.md. Listed are the tensors of the graph and of the
graphs, functions and training steps inside, under names that say in which they are:
OUTPUT:ATTRIBUTE is the attribute of the node with that first output, and what follows a slash is
in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program, Tensor
from credenza.artifact.onnx_operators import STANDARD, is_brought
from credenza.artifact.onnx_schemas import (
    ATTRIBUTE,
    FUNCTION,
    GRAPH,
    MODEL,
    NODE,
    OPSET,
    SPARSE,
    TENSOR,
    TRAINING,
)
from credenza.artifact.onnx_tensors import pairs, placed
from credenza.artifact.protobuf import Field, Message, Schema, hurried, refuse, text
from credenza.artifact.window import Window
from credenza.errors import MalformedError
from credenza.findings import Finding

SUFFIX: Final = ".onnx"
MOST_NESTED: Final = 32
"""How many graphs may lie in one another: as many as protobuf's own limit of 100 messages lets."""

_IR_VERSION: Final = b"\x08"
_MOST_UNREAD: Final = 1000
_MOST_REFUSED: Final = 200
_MOST_CALLED: Final = 20_000
_UNKNOWN: Final = ", which is not known"
_IN_PLACE: Final = "onnx function in place of an operator"
_NAMES_PER_BYTE: Final = 8
_NAMES_FREE: Final = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class Onnx:
    """Reads a model.

    The format has no magic: a file is claimed by its name, or where all of it is one message with
    a version, operator sets and a graph. Tensors whose bytes lie in another file have that
    file's path; `credenza.artifact.external` makes them its own.
    """

    def claims(self, file: Bytes) -> bool:
        return file.path.lower().endswith(SUFFIX) or is_onnx(file)

    def read(self, file: Bytes) -> File:
        return _Walk(Window(file)).model()


def is_onnx(file: Bytes) -> bool:
    """Whether all of a file is one message with a version, operator sets and a graph."""
    if file.pread(0, min(1, file.size)) != _IR_VERSION:
        return False
    try:
        model = Message.read(hurried(file), MODEL, 0, file.size)
    except MalformedError:
        return False
    return "graph" in model.singular and "opset_import" in model.repeated


@final
@dataclass(frozen=True, slots=True)
class Examined:
    """What a model holds, and all that is wrong with it.

    ``operators`` are those that its nodes call and that are no functions of it, by domain and name,
    with the byte of the first; ``functions`` those of its functions that stand in the place of an
    operator; ``notes`` the entries of its metadata, each from where to where; ``unknown`` says in
    words which fields are of a newer format.
    """

    operators: tuple[tuple[str, str, int], ...]
    functions: tuple[Program, ...]
    notes: tuple[tuple[int, int], ...]
    tensors: tuple[Tensor, ...]
    unknown: tuple[str, ...]
    refused: tuple[Finding, ...]


def examined(file: Bytes) -> Examined:
    """As `Onnx.read`, without an end at the first thing that is refused."""
    refused: list[Finding] = []
    walk = _Walk(hurried(file), refused=refused)
    try:
        walk.model()
    except MalformedError as e:
        refused.append(e.finding)
    own = (p for p in walk.programs.values() if p.kind == _IN_PLACE)
    return Examined(
        operators=tuple((*called, at) for called, at in walk.called.items()),
        functions=tuple(own),
        notes=tuple(walk.noted),
        tensors=tuple(walk.tensors.values()),
        unknown=tuple(words for words in walk.unread if words.endswith(_UNKNOWN)),
        refused=tuple(refused),
    )


@final
@dataclass(slots=True)
class _Walk:
    """What has been found so far. ``functions`` are those of the model, by domain and name."""

    window: Window
    tensors: dict[str, Tensor] = field(default_factory=dict)
    programs: dict[tuple[str, str], Program] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    functions: set[tuple[str, str]] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    called: dict[tuple[str, str], int] = field(default_factory=dict)
    noted: list[tuple[int, int]] = field(default_factory=list)
    refused: list[Finding] | None = None
    spent: int = 0

    def on(self, step: Callable[..., None], *given: Any, **named: Any) -> None:
        """Take a step. What it refuses is noted where ``refused`` is a list, and else raised."""
        try:
            step(*given, **named)
        except MalformedError as e:
            over = e.finding.rule == "artifact.protobuf-count"  # the limit of the whole walk
            if over or self.refused is None or len(self.refused) >= _MOST_REFUSED:
                raise
            self.refused.append(e.finding)

    def model(self) -> File:
        """The file that holds the model."""
        file = self.window.file
        model = self.message(MODEL, 0, file.size)
        graph = model.singular.get("graph")
        if graph is None:
            what = "the model has no graph"
            refuse(self.window, "onnx-graph", 0, what, "a graph", "none")
        self.on(self.about, model)
        for _, found in model.each("functions"):
            self.on(self.declare, found)
        self.on(self.graph, graph, "", 1)
        for _, found in model.each("functions"):
            self.on(self.function, found)
        for i, (_, found) in enumerate(model.each("training_info")):
            self.on(self.training, found, f"training {i}")
        return File(
            path=file.path,
            size=file.size,
            format="onnx",
            tensors=tuple(self.tensors.values()),
            programs=tuple(self.programs.values()),
            metadata=tuple(self.metadata.items()),
            unread=tuple(self.unread),
        )

    def message(self, schema: Schema, start: int, stop: int) -> Message:
        """The message there; fields that are not known are noted as unread."""
        message = Message.read(self.window, schema, start, stop)
        for number in sorted(message.unknown):
            self.note(f"field {number} of a {schema.name}, at byte {start}{_UNKNOWN}")
        return message

    def note(self, words: str) -> None:
        """Say that something is not read, up to `_MOST_UNREAD` times."""
        if len(self.unread) < _MOST_UNREAD:
            self.unread.append(words)
        elif len(self.unread) == _MOST_UNREAD:
            self.unread.append("and more")

    def tell(self, key: str, value: str, at: int) -> None:
        """Add to the metadata."""
        if key in self.metadata:
            what = "a key of the metadata is given twice"
            refuse(self.window, "onnx-duplicate-key", at, what, "each once", ascii(key)[:120])
        self.metadata[key] = value

    def about(self, model: Message) -> None:
        """The metadata of the model."""
        for key in ("ir_version", "model_version"):
            if key in model.singular:
                self.tell(key, str(_signed(model.number(key))), 0)
        for key in ("producer_name", "producer_version", "domain", "doc_string"):
            if key in model.singular:
                self.tell(key, model.shown(key), 0)
        for _, found in model.each("opset_import"):
            opset = self.message(OPSET, found.start, found.stop)
            domain = opset.text("domain") or "ai.onnx"
            self.tell(f"opset {domain}", str(_signed(opset.number("version"))), found.at)
        self.noted += [(f.start, f.stop) for _, f in model.each("metadata_props")]
        for key, value, at in pairs(self.window, model, "metadata_props"):
            self.on(self.tell, f"metadata {key}", value, at)

    def declare(self, found: Field) -> None:
        """Note a function of the model, and what it is by its bytes."""
        function = self.message(FUNCTION, found.start, found.stop)
        domain, name = function.text("domain"), function.text("name")
        overload = function.text("overload")
        label = _called(domain, name) + (f":{overload}" if overload else "")
        size, digest = found.stop - found.start, self.window.sha256(found.start, found.stop)
        self.functions.add((domain, name))
        self.on(self.tell, f"function {label}", f"{size} bytes, sha256 {digest}", found.at)
        if domain in STANDARD or is_brought(domain, name):
            key = (_IN_PLACE, label)
            self.programs.setdefault(key, Program(kind=key[0], name=label, start=found.at))

    def function(self, found: Field) -> None:
        """The nodes of a function, and the defaults of its attributes."""
        function = self.message(FUNCTION, found.start, found.stop)
        overload = function.text("overload")
        for _, opset in function.each("opset_import"):
            self.message(OPSET, opset.start, opset.stop)  # for what could not be one
        label = _called(function.text("domain"), function.text("name"))
        scope = f"{label}{':' if overload else ''}{overload}/"
        for name, item in function.each("node", "attribute_proto"):
            if name == "node":
                self.on(self.node, item, scope, 1)
            else:
                self.on(self.attribute, item, scope, "", 1)

    def training(self, found: Field, label: str) -> None:
        """The graphs of a training step."""
        step = self.message(TRAINING, found.start, found.stop)
        for name in ("initialization", "algorithm"):
            if graph := step.singular.get(name):
                self.on(self.graph, graph, f"{label} {name}/", 1)

    def graph(self, found: Field, scope: str, depth: int) -> None:
        """A graph's initializers, and those of its nodes."""
        if depth > MOST_NESTED:
            what, wanted = "graphs are nested too deep", f"up to {MOST_NESTED} in one another"
            refuse(self.window, "onnx-nested", found.at, what, wanted, f"{depth}")
        graph = self.message(GRAPH, found.start, found.stop)
        for name, item in graph.each("node", "initializer", "sparse_initializer"):
            if name == "node":
                self.on(self.node, item, scope, depth)
            elif name == "initializer":
                self.on(self.tensor, item, scope, "")
            else:
                self.on(self.sparse, item, scope, "")

    def node(self, found: Field, scope: str, depth: int) -> None:
        """A node: the operator that it calls, and the tensors in its attributes."""
        node = self.message(NODE, found.start, found.stop)
        domain, operator = node.text("domain"), node.text("op_type")
        self.operator(domain, operator, found.at)
        if "attribute" not in node.repeated:
            return
        first = next(node.each("output"), None)
        label = (text(self.window, first[1]) if first else "") or f"node at {found.at}"
        constant = operator == "Constant" and domain in STANDARD
        for _, item in node.each("attribute"):
            self.on(self.attribute, item, scope, label, depth, constant=constant)

    def operator(self, domain: str, name: str, at: int) -> None:
        """List an operator that is neither ONNX's nor a function of the model."""
        if (domain, name) not in self.functions and len(self.called) < _MOST_CALLED:
            self.called.setdefault((domain, name), at)
        if domain in STANDARD or (domain, name) in self.functions:
            return
        key = ("onnx operator", _called(domain, name))
        if key not in self.programs:
            allowed = is_brought(domain, name)
            self.programs[key] = Program(kind=key[0], name=key[1], start=at, allowed=allowed)

    def attribute(
        self, found: Field, scope: str, label: str, depth: int, *, constant: bool = False
    ) -> None:
        """The tensors and graphs in an attribute. A constant has the name of its output."""
        held = self.message(ATTRIBUTE, found.start, found.stop)
        name = held.text("name")
        called = label if constant and name in ("value", "sparse_value") else f"{label}:{name}"
        if tensor := held.singular.get("t"):
            self.tensor(tensor, scope, called)
        if sparse := held.singular.get("sparse_tensor"):
            self.sparse(sparse, scope, called)
        if graph := held.singular.get("g"):
            self.graph(graph, f"{scope}{called}/", depth + 1)
        several = held.each("tensors", "sparse_tensors", "graphs")
        for i, (kind, item) in enumerate(several):
            if kind == "tensors":
                self.tensor(item, scope, f"{called}[{i}]")
            elif kind == "sparse_tensors":
                self.sparse(item, scope, f"{called}[{i}]")
            else:
                self.graph(item, f"{scope}{called}[{i}]/", depth + 1)

    def sparse(self, found: Field, scope: str, name: str) -> None:
        """A sparse tensor: its values under its name, and beside them their indices."""
        held = self.message(SPARSE, found.start, found.stop)
        values, indices = held.singular.get("values"), held.singular.get("indices")
        if values is None or indices is None:
            what = "a sparse tensor is not values and indices"
            refuse(self.window, "onnx-sparse", found.at, what, "both", "one, or none")
        called = name or self.message(TENSOR, values.start, values.stop).text("name")
        self.tensor(values, scope, called)
        self.tensor(indices, scope, f"{called}:indices")

    def tensor(self, found: Field, scope: str, name: str) -> None:
        """A tensor, by that name or by its own."""
        held = self.message(TENSOR, found.start, found.stop)
        called = name or held.text("name")
        if not called:
            what = "an initializer has no name"
            refuse(self.window, "onnx-name", found.at, what, "a name", "none")
        self.spent += len(scope)
        if self.spent > _NAMES_FREE + _NAMES_PER_BYTE * self.window.size:
            what = "the graphs that tensors are in have names longer than the file"
            refuse(self.window, "onnx-nested", found.at, what, "short names", f"{self.spent}")
        full = scope + called
        if full in self.names:
            what = "two tensors have one name"
            refuse(self.window, "onnx-duplicate-name", found.at, what, "each once", "two", full)
        self.names.add(full)
        read = placed(self.window, held, full)
        if read.unread:
            self.note(read.unread)
        if read.tensor:
            self.tensors[full] = read.tensor
        if read.checksum:
            self.checksum(*read.checksum, found.at)

    def checksum(self, path: str, digest: str, at: int) -> None:
        """Note what the model says that a file's SHA-1 is."""
        key = f"sha1 {path}"
        if key not in self.metadata:
            self.note(f"the SHA-1 of {path}, which is given and was not computed")
        if self.metadata.setdefault(key, digest) != digest:
            what = "one file is said to have two checksums"
            refuse(self.window, "external-entry", at, what, self.metadata[key], digest)


def _called(domain: str, name: str) -> str:
    return f"{domain or 'ai.onnx'}::{name}"


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
