"""TensorFlow graphs: SavedModel, frozen graph, a checkpoint's graph, and Keras' metadata beside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.onnx import is_onnx
from credenza.artifact.onnx_schemas import TENSOR
from credenza.artifact.protobuf import hurried
from credenza.artifact.window import Window
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Seen
from credenza.scan.kept import kept
from credenza.scan.rules import name_lists, tensorflow_schemas
from credenza.scan.rules.keras_config import configuration
from credenza.scan.rules.tensorflow_walk import (
    Graphs,
    Node,
    NotThisError,
    begins_as_graph,
    leads_out,
    may_be,
    top_fields,
)

_SUFFIXES: Final = (".pb", ".meta")
_TEXT: Final = ".pbtxt"
_SAVED_MODEL: Final = (b"\x08\x01\x12", b"\x12")
_HEAD: Final = 512
_CONFIG_MOST: Final = 1 << 22
_PIECE: Final = 1 << 20
_GAP: Final = rb"\s*+"
_COMMENTED: Final = re.compile(rb"\bop\s*+:?\s*+#")
_QUOTED: Final = rb"""["']([^"'\n]{1,512})["']"""
_OP: Final = re.compile(rb"\bop" + _GAP + rb":?" + _GAP + _QUOTED)
_FUNCTION: Final = re.compile(
    _GAP.join((rb"\bsignature", rb":?", rb"[{<]", rb"name", rb":?", _QUOTED))
)
_SAVING: Final = frozenset(
    {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "Save", "SaveSlices", "Restore", "RestoreSlice"}
)
_TABLES: Final = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_PRINTING: Final = frozenset({"PrintV2"})
_DEBUGGING: Final = frozenset(
    {
        "DebugIdentity",
        "DebugIdentityV2",
        "DebugIdentityV3",
        "DebugNanCount",
        "DebugNumericSummary",
        "DebugNumericSummaryV2",
    }
)
_PROTO: Final = frozenset({"DecodeProtoV2", "EncodeProto"})
_WANTED: Final = _SAVING | _TABLES | _PRINTING | _DEBUGGING | _PROTO
_PLACES: Final = {
    "output_stream": "what is printed is written to a file",
    "debug_urls": "tensors are sent or written to an address",
    "descriptor_source": "a file with descriptors is read",
}
_MESSAGES: Final = (
    (tensorflow_schemas.SAVED_MODEL, "meta_graphs", Graphs.saved_model),
    (tensorflow_schemas.META_GRAPH, "graph_def", Graphs.meta_graph),
    (tensorflow_schemas.GRAPH, "node", Graphs.graph),
    (tensorflow_schemas.KERAS_METADATA, "nodes", Graphs.keras),
)
"""What a file may be, the field without which it would not be one, and how it is read."""
_FINGERPRINT: Final = "fingerprint.pb"
_MOST: Final = 500


@final
@dataclass(frozen=True, slots=True)
class Tensorflow:
    """A graph in a protobuf message, found by its name or by how a SavedModel begins."""

    name: str = "tensorflow graph"

    def claims(self, piece: Piece) -> bool:
        path = piece.path.lower()
        if path.endswith((*_SUFFIXES, _TEXT)):
            return path.rpartition("/")[2] != _FINGERPRINT
        head = piece.head(_HEAD)
        if begins_as_graph(head):
            return may_be(top_fields(hurried(piece)), tensorflow_schemas.GRAPH, "node")
        if not head.startswith(_SAVED_MODEL):
            return False
        fields = top_fields(hurried(piece))
        return may_be(fields, tensorflow_schemas.SAVED_MODEL, "meta_graphs")

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.path.lower().endswith(_TEXT):
            yield from _text(piece)
            return
        read = False
        window = hurried(piece)
        fields = top_fields(window)
        for graphs, broken in _readings(window, fields):
            read = True
            yield from _judged(graphs)
            yield from _configs(piece, graphs)
            if broken is not None:
                at = Where(start=broken.finding.where.start)
                yield Unread(where=at, why=f"a graph of TensorFlow: {broken.finding.what}")
        if not read and not is_onnx(piece) and not may_be(fields, TENSOR, "data_type"):
            why = "it is called a graph of TensorFlow, and is no message that TensorFlow writes"
            yield Unread(where=Where(), why=why)


def _readings(
    window: Window, fields: frozenset[tuple[int, int]]
) -> Iterator[tuple[Graphs, MalformedError | None]]:
    """The file as each message that it may be; which one it is, its loader decides.

    A tensor of ONNX, as its own test data are, may be none of them: nothing in it runs.
    """
    for schema, needed, walk in _MESSAGES:
        if not may_be(fields, schema, needed):
            continue
        graphs = Graphs(window, wanted=_WANTED)
        try:
            walk(graphs, 0, window.size)
        except NotThisError:
            continue
        except MalformedError as e:
            if graphs.operations:
                yield graphs, e
            continue
        if graphs.operations or graphs.configs:
            yield graphs, None


def _judged(graphs: Graphs) -> Iterator[Finding]:
    """What the operations of graphs may touch, and the paths that they name."""
    called = ((n, at) for n, at in graphs.operations.items() if n not in graphs.functions)
    against = (finding for name, at in called for finding in operator(name, at))
    yield from kept(against, _MOST)
    out = ((path, at) for path, at in graphs.assets if leads_out(path))
    yield from kept((_out("an asset lies outside of the model", *one) for one in out), _MOST)
    yield from kept((f for scope, node in graphs.nodes for f in _paths(graphs, scope, node)), _MOST)


def operator(name: str, at: int, rule: str = "scan.tensorflow-operator") -> Iterator[Finding]:
    """What speaks against an operation of TensorFlow, by its name."""
    if name in name_lists.tensorflow("computes"):
        return
    severity, what = Severity.CRITICAL, "a graph calls a Python function"
    if name in name_lists.tensorflow("opens"):
        what = "a graph reads or writes a file that it names"
    elif name in name_lists.tensorflow("may open"):
        severity = Severity.HIGH
        what = "a graph opens files or connections, or runs a graph hidden in bytes"
    elif name not in name_lists.tensorflow("runs"):
        severity = Severity.HIGH
        what = "a graph calls an operation that TensorFlow does not bring"
    yield Finding(rule=rule, severity=severity, what=what, where=Where(start=at), found=name[:120])


def _paths(graphs: Graphs, scope: str, node: Node) -> Iterator[Finding]:
    """Against a place that a node writes to or reads, where that is not the model's own."""
    if node.op in _SAVING | _TABLES:
        for source in node.inputs[:2]:  # the path is the first one, a table's the second
            path = graphs.leading.get((scope, source.partition(":")[0]))
            if path is not None:
                yield _out(f"{node.op} is given a fixed path outside of the model", path, node.at)
        return
    for key, text in node.texts:
        out = "://" in text or (key == "descriptor_source" and leads_out(text))
        if key in _PLACES and out and not text.startswith("local://"):
            yield _out(_PLACES[key], text, node.at, Severity.CRITICAL)


def _out(what: str, path: str, at: int, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(
        rule="scan.tensorflow-path",
        severity=severity,
        what=what,
        where=Where(start=at),
        found=ascii(path[:120])[1:-1],
    )


def _configs(piece: Piece, graphs: Graphs) -> Iterator[Seen]:
    """What the layers of Keras in a SavedModel would run."""
    for start, stop in graphs.configs:
        if stop - start > _CONFIG_MOST:
            yield Unread(where=Where(start=start), why="the configuration of a layer is too long")
            continue
        text = piece.pread(start, stop - start).decode("utf-8", "replace")
        if text.lstrip()[:1] in ("{", "["):
            yield from configuration(text, start)


def _text(piece: Piece) -> Iterator[Seen]:
    """The operations of a graph that is written as text."""
    found: dict[bytes, int] = {}
    functions: set[bytes] = set()
    for at in range(0, piece.size, _PIECE):
        data = piece.pread(at, min(_PIECE + 1024, piece.size - at))
        for match in _OP.finditer(data):
            found.setdefault(match[1], at + match.start(1))
        if (comment := _COMMENTED.search(data)) is not None:
            why = "a comment stands before the name of an operation"
            yield Unread(where=Where(start=at + comment.start()), why=why)
        functions.update(match[1] for match in _FUNCTION.finditer(data))
    for name, at in found.items():
        if b"\\" in name:
            yield Unread(where=Where(start=at), why="an operation's name is spelled with escapes")
        elif name not in functions:
            yield from operator(name.decode("ascii", "backslashreplace"), at)
