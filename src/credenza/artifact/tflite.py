"""TFLite: a flatbuffer of graphs, whose tensors' bytes are buffers of it, or of another file.

https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, final

from credenza.artifact.flatbuffer import Source, Table
from credenza.artifact.interface import Bytes
from credenza.artifact.model import Dtype, File, Program, Region, Tensor
from credenza.artifact.tflite_buffers import Place, buffer, external, note
from credenza.artifact.zip_ends import find_end
from credenza.artifact.zip_records import entries
from credenza.errors import MalformedError
from credenza.findings import Finding

SUFFIX: Final = ".tflite"
MAGIC: Final = b"TFL3"
MOST_AXES: Final = 64
MOST_ELEMENTS: Final = 1 << 56

_VERSION: Final = 3
_MOST_REFUSED: Final = 200
_CUSTOM, _DELEGATE = 32, 51
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_END_SIZE: Final = 22
_TYPES: Final = {
    0: Dtype.F32,
    1: Dtype.F16,
    2: Dtype.I32,
    3: Dtype.U8,
    4: Dtype.I64,
    6: Dtype.BOOL,
    7: Dtype.I16,
    8: Dtype.C64,
    9: Dtype.I8,
    10: Dtype.F64,
    11: Dtype.C128,
    12: Dtype.U64,
    15: Dtype.U32,
    16: Dtype.U16,
    17: Dtype.I4,
    18: Dtype.BF16,
    19: Dtype.I2,
    20: Dtype.U4,
    21: Dtype.F8_E4M3,
    22: Dtype.F8_E5M2,
}
_OTHERS: Final = {5: "strings", 13: "a resource", 14: "a variant"}


class _Model:
    """Fields of ``table Model``, by their order in the schema."""

    VERSION, OPERATORS, SUBGRAPHS, DESCRIPTION, BUFFERS = 0, 1, 2, 3, 4
    METADATA, SIGNATURES, GROUPS, EXTERNAL = 6, 7, 8, 9


class _Tensor:
    SHAPE, TYPE, BUFFER, NAME = 0, 1, 2, 3
    SPARSITY, EXTERNAL = 6, 10


@final
@dataclass(frozen=True, slots=True)
class Tflite:
    """Reads a model. Tensors without data, which are computed as it runs, are not listed."""

    def claims(self, file: Bytes) -> bool:
        if file.path.lower().endswith(SUFFIX):
            return True
        return file.size >= 8 and file.pread(4, 4) == MAGIC

    def read(self, file: Bytes) -> File:
        return _Walk(Source.of(file)).model()


def examined(file: Bytes) -> tuple[tuple[Program, ...], tuple[Finding, ...]]:
    """What runs in a model, and all that is wrong with it, without an end at the first."""
    refused: list[Finding] = []
    walk = _Walk(Source.of(file), refused=refused)
    try:
        walk.model()
    except MalformedError as e:
        refused.append(e.finding)
    return tuple(walk.programs.values()), tuple(refused)


@final
@dataclass(slots=True)
class _Walk:
    """What has been found so far, and where each buffer is, by its number or external id."""

    source: Source
    buffers: list[Place | None] = field(default_factory=list)
    external: dict[int, Place] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    refused: list[Finding] | None = None

    @property
    def path(self) -> str:
        """The file's path."""
        return self.source.window.file.path

    def model(self) -> File:
        """The file that holds the model."""
        root = self.root()
        for step in (self.operators, self.places, self.graphs, self.about):
            self.on(step, root)
        self.on(self.check_regions)
        self.on(self.archive)
        return File(
            path=self.path,
            size=self.source.size,
            format="tflite",
            tensors=tuple(self.tensors.values()),
            programs=tuple(self.programs.values()),
            metadata=tuple(self.metadata.items()),
            unread=tuple(self.unread),
        )

    def on(self, step: Callable[..., None], *given: Any) -> None:
        """Take a step. What it refuses is noted where ``refused`` is a list, and else raised."""
        try:
            step(*given)
        except MalformedError as e:
            if self.refused is None or len(self.refused) >= _MOST_REFUSED:
                raise
            self.refused.append(e.finding)

    def operators(self, root: Table) -> None:
        """The operators of the model."""
        for table in root.tables(_Model.OPERATORS):
            self.on(self.operator, table)

    def places(self, root: Table) -> None:
        """Where the buffers are."""
        groups, outside = root.tables(_Model.GROUPS), root.tables(_Model.EXTERNAL)
        self.buffers = [buffer(self.source, table) for table in root.tables(_Model.BUFFERS)]
        self.external = external(self.source, groups, outside)

    def graphs(self, root: Table) -> None:
        """The tensors of the model."""
        for i, graph in enumerate(root.tables(_Model.SUBGRAPHS)):
            self.once(graph)
            scope = f"{graph.text(4) or f'subgraph {i}'}/" if i else ""
            for j, table in enumerate(graph.tables(0)):
                self.once(table)
                self.on(self.tensor, table, scope, f"{i}.{j}")

    def root(self) -> Table:
        """The model's table, if the file is of version 3, which is the only one in use."""
        head = self.source.window.read(0, 8)
        if head[4:] != MAGIC:
            what, found = "the file does not begin as TFLite", head[4:].hex(" ")
            self.source.refuse("tflite-magic", 4, what, MAGIC.hex(" "), found)
        root = Table.read(self.source, self.source.number(0, "I"))
        version = root.number(_Model.VERSION, "I")
        if version != _VERSION:
            what = "the version is not one that is read"
            self.source.refuse("tflite-version", root.at, what, "3", f"{version}")
        return root

    def once(self, table: Table) -> None:
        """Refuse a graph or tensor that is in two places."""
        if table.at in self.seen:
            what = "a graph or tensor is in two places"
            self.source.refuse("flatbuffer-shared", table.at, what, "it in one", "a second one")
        self.seen.add(table.at)

    def operator(self, table: Table) -> None:
        """List an operator that the runtime does not bring."""
        code = max(table.number(0, "b"), table.number(3, "i"))
        if code not in (_CUSTOM, _DELEGATE):
            return
        name = table.text(1) if code == _CUSTOM else "DELEGATE"
        kind = "tensorflow operator" if name.startswith("Flex") else "tflite operator"
        self.programs.setdefault(name, Program(kind=kind, name=name, start=table.at))

    def tensor(self, table: Table, scope: str, number: str) -> None:
        """A tensor with data, under its name; with its number, where another has that name."""
        name = scope + (table.text(_Tensor.NAME) or f"tensor {number}")
        place = self.place(table)
        if place is None:
            return
        if name in self.tensors:
            name = f"{name}#{number}"
        kind = table.number(_Tensor.TYPE, "b")
        if kind in _OTHERS or table.has(_Tensor.SPARSITY) or place.packing not in ("", "unpacked"):
            other = _OTHERS.get(kind, f"elements that are {place.packing or 'sparse'}")
            self.unread.append(f"{name}: a tensor of {other}")
            return
        dtype = _TYPES.get(kind)
        if dtype is None:
            self.refuse(table, "tflite-dtype", name, "a type of TFLite", f"{kind}")
        shape = self.shape(table, name)
        size = (math.prod(shape) * dtype.bits + 7) // 8
        if place.stop - place.start != size:
            found = f"{place.stop - place.start}"
            self.refuse(table, "tflite-size", name, f"{size} bytes", found)
        if name in self.tensors:
            self.refuse(table, "tflite-name", name, "each name once", "two")
        region = Region(start=place.start, stop=place.stop, nbytes=size)
        self.tensors[name] = Tensor(
            name=name, dtype=dtype, shape=shape, file=place.file, region=region
        )

    def place(self, table: Table) -> Place | None:
        """Where a tensor's bytes are; None where it has none."""
        outside = table.number(_Tensor.EXTERNAL, "I")
        number = table.number(_Tensor.BUFFER, "I")
        if outside and outside not in self.external:
            what = "a tensor names a buffer that there is not"
            self.source.refuse("tflite-buffer", table.at, what, "an external buffer", f"{outside}")
        if number >= max(1, len(self.buffers)):
            what, wanted = "a tensor names a buffer that there is not", f"up to {len(self.buffers)}"
            self.source.refuse("tflite-buffer", table.at, what, wanted, f"{number}")
        inside = self.buffers[number] if self.buffers else None
        if outside and inside is not None:
            what, found = "a tensor has two buffers", f"{number} and {outside}"
            self.source.refuse("tflite-buffer", table.at, what, "one of them", found)
        return self.external[outside] if outside else inside

    def shape(self, table: Table, name: str) -> tuple[int, ...]:
        """A tensor's shape."""
        found = table.numbers(_Tensor.SHAPE, MOST_AXES)
        if (
            found is None
            or min(found, default=0) < 0
            or (math.prod(filter(None, found)) > MOST_ELEMENTS)
        ):
            wanted = f"up to {MOST_AXES} axes and {MOST_ELEMENTS} elements"
            self.refuse(table, "tflite-shape", name, wanted, f"{found}")
        return found

    def check_regions(self) -> None:
        """Tensors that share bytes share all of them."""
        regions = {(t.region.start, t.region.stop) for t in self.tensors.values()
                   if t.file == self.path}  # fmt: skip
        end = 0
        for start, stop in sorted(regions):
            if start < end:
                what, wanted = "two buffers share some bytes", f"a beginning of {end}"
                self.source.refuse("tflite-overlap", start, what, wanted, f"{start}")
            end = stop

    def about(self, root: Table) -> None:
        """The metadata of the model."""
        said = [("description", root.text(_Model.DESCRIPTION), root.at)]
        said += list(self.notes(root))
        for table in root.tables(_Model.SIGNATURES):
            graph = table.number(4, "I")
            said.append((f"signature {table.text(2)}", f"subgraph {graph}", table.at))
        for key, text, at in said:
            if key in self.metadata:
                what = "a key of the metadata is given twice"
                self.source.refuse("tflite-duplicate-key", at, what, "each once", ascii(key)[:120])
            self.metadata[key] = text

    def notes(self, root: Table) -> Iterator[tuple[str, str, int]]:
        """What buffers say of the model: a short text, or a digest."""
        for table in root.tables(_Model.METADATA):
            number = table.number(1, "I")
            if number >= len(self.buffers):
                what, wanted = "metadata name a buffer that there is not", f"{len(self.buffers)}"
                self.source.refuse("tflite-buffer", table.at, what, f"up to {wanted}", f"{number}")
            place = self.buffers[number]
            yield f"metadata {table.text(0)}", note(self.source, place) if place else "", table.at

    def archive(self) -> None:
        """Say which files are in the archive at the end, where TFLite's metadata have some."""
        file = self.source.window.file
        start = max(0, file.size - _ZIP_END_SIZE)
        if file.pread(start, file.size - start).startswith(_ZIP_END):
            names = [e.name for e in entries(file, find_end(file))]
            self.unread += [f"{name}: a file in the ZIP archive at the end" for name in names]

    def refuse(self, table: Table, rule: str, name: str, expected: str, found: str) -> NoReturn:
        """Refuse a tensor for what its table says."""
        what = f"tensor {ascii(name)[:120]}: {_WHAT[rule]}"
        self.source.refuse(rule, table.at, what, expected, found)


_WHAT: Final = {
    "tflite-dtype": "the element type is not one of TFLite",
    "tflite-shape": "the shape is too large to compute with",
    "tflite-size": "the buffer has not the size of the elements",
    "tflite-name": "two tensors have one name",
}
