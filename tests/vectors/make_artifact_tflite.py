"""Writes the vectors of `artifact` for TFLite: one file for each way to break a model.

    python tests/vectors/make_artifact_tflite.py [FOLDER]

``refusals.json`` beside them says, for each, which rule must refuse it, and at which byte the
refusal must point.
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "artifact" / "tflite"
F32, I4, CUSTOM = 0, 17, 32


@dataclass(eq=False)
class Part:
    """Something that a table refers to; ``at`` is where it was written.

    One that several tables refer to is ``late``: an offset leads forward alone.
    """

    at: int = field(default=-1, kw_only=True)
    late: bool = field(default=False, kw_only=True)
    slots: list[int] = field(default_factory=list, kw_only=True)


@dataclass(eq=False)
class Text(Part):
    """A string."""

    data: bytes
    end: bytes = b"\0"


@dataclass(eq=False)
class Vector(Part):
    """Elements, or tables, after their number; ``count`` is another number."""

    items: bytes | list[Table]
    width: int = 1
    count: int | None = None


@dataclass(eq=False)
class Table(Part):
    """Fields by their order in the schema: a `struct` code and a number, or a part."""

    fields: dict[int, tuple[str, int] | Part]


def written(root: Table, *late: Part) -> bytearray:
    """A flatbuffer of that root, every part after what refers to it."""
    out = bytearray(struct.pack("<I", 0) + b"TFL3")
    struct.pack_into("<I", out, 0, put(out, root))
    for part in late:
        at = put(out, part)
        for slot in part.slots:
            struct.pack_into("<I", out, slot, at - slot)
    return out


def put(out: bytearray, part: Part) -> int:
    """Write a part, and all that it refers to; where it is."""
    if part.at >= 0:
        return part.at
    if isinstance(part, Text):
        pad(out, 4)
        part.at = len(out)
        out += struct.pack("<I", len(part.data)) + part.data + part.end
    elif isinstance(part, Vector):
        put_vector(out, part)
    elif isinstance(part, Table):
        put_table(out, part)
    return part.at


def pad(out: bytearray, to: int, after: int = 0) -> None:
    """Zeros, so that what follows ``after`` more bytes is aligned."""
    out += bytes(-(len(out) + after) % to)


def put_vector(out: bytearray, part: Vector) -> None:
    """A vector; its tables follow it."""
    pad(out, 16, 4)
    part.at = len(out)
    if isinstance(part.items, bytes):
        count = len(part.items) // part.width if part.count is None else part.count
        out += struct.pack("<I", count) + part.items
        return
    out += struct.pack("<I", len(part.items) if part.count is None else part.count)
    start = len(out)
    out += bytes(4 * len(part.items))
    for i, item in enumerate(part.items):
        slot = start + 4 * i
        struct.pack_into("<I", out, slot, put(out, item) - slot)


def put_table(out: bytearray, part: Table) -> None:
    """A vtable, the table behind it, and then what it refers to."""
    count = max(part.fields, default=-1) + 1
    pad(out, 8, 4 + 2 * count)
    vtable = len(out)
    out += bytes(4 + 2 * count)
    part.at = len(out)
    out += struct.pack("<i", part.at - vtable)
    parts = []
    for number, value in sorted(part.fields.items()):
        code, plain = ("I", 0) if isinstance(value, Part) else value
        pad(out, struct.calcsize(code))
        struct.pack_into("<H", out, vtable + 4 + 2 * number, len(out) - part.at)
        parts += [(len(out), value)] if isinstance(value, Part) else []
        out += struct.pack("<" + code, plain)
    struct.pack_into("<HH", out, vtable, 4 + 2 * count, len(out) - part.at)
    for slot, inner in parts:
        if inner.late:
            inner.slots.append(slot)
        else:
            struct.pack_into("<I", out, slot, put(out, inner) - slot)


def ints(*values: int) -> Vector:
    """A vector of int32."""
    return Vector(struct.pack(f"<{len(values)}i", *values), 4)


def buffer(data: bytes = bytes(8)) -> Table:
    """A buffer."""
    return Table({0: Vector(data)} if data else {})


def tensor(
    name: str = "w", shape: Vector | None = None, kind: int = F32, number: int = 1, **more: Any
) -> Table:
    """A tensor of two floats, in buffer 1."""
    fields: dict[int, Any] = {0: shape or ints(2), 1: ("b", kind), 2: ("I", number)}
    fields[3] = Text(name.encode())
    return Table(fields | {int(k[1:]): v for k, v in more.items()})


def model(
    tensors: list[Table] | None = None, buffers: list[Table] | None = None, **more: Any
) -> Table:
    """A model of one graph."""
    graph = Table({0: Vector([tensor()] if tensors is None else tensors)})
    held = [buffer(b""), buffer()] if buffers is None else buffers
    fields: dict[int, Any] = {0: ("I", 3), 2: Vector([graph]), 4: Vector(held)}
    return Table(fields | {int(k[1:]): v for k, v in more.items()})


@dataclass(frozen=True, slots=True)
class Broken:
    """A file, the rule that refuses it, and the byte it points at."""

    name: str
    data: bytes
    rule: str
    start: int


def broken(
    name: str, rule: str, root: Table, part: Part, after: int = 0, late: tuple[Part, ...] = ()
) -> Broken:
    """A vector whose refusal points at a part, or at so many bytes after it."""
    data = bytes(written(root, *late))
    return Broken(name, data, rule, part.at + after)


def patched(name: str, rule: str, at: int, code: str, value: int, start: int) -> Broken:
    """A good file in which one number is changed."""
    data = written(model())
    struct.pack_into("<" + code, data, at, value)
    return Broken(name, bytes(data), rule, start)


def vectors() -> list[Broken]:
    """All of them, by what they break."""
    return [*flatbuffers(), *shared(), *models(), *places()]


def flatbuffers() -> list[Broken]:
    """Offsets, tables and texts."""
    root = model()
    data = written(root)
    at, vtable = root.at, root.at - struct.unpack_from("<i", data, root.at)[0]
    field_0 = vtable + 4
    long, open_, latin = Text(b"a" * 65537), Text(b"a", b"b"), Text(b"a\xff")
    far = Vector([], count=1 << 30)
    return [
        Broken("empty-file", b"", "tflite-magic", 4),
        Broken("another-magic", bytes(data[:4]) + b"TFL2" + bytes(data[8:]), "tflite-magic", 4),
        patched("root-outside", "flatbuffer-outside", 0, "I", 1 << 31, 1 << 31),
        patched("vtable-before-the-file", "flatbuffer-outside", at, "i", at + 1000, 0),
        patched("vtable-outside", "flatbuffer-outside", at, "i", -(1 << 30), at + (1 << 30)),
        patched("vtable-of-3-bytes", "flatbuffer-table", vtable, "H", 3, at),
        patched("vtable-of-7-bytes", "flatbuffer-table", vtable, "H", 7, at),
        patched("vtable-longer-than-the-file", "flatbuffer-outside", vtable, "H", 65534, vtable),
        patched("table-of-3-bytes", "flatbuffer-table", vtable + 2, "H", 3, at),
        patched("table-longer-than-the-file", "flatbuffer-outside", vtable + 2, "H", 65535, at),
        patched("field-in-the-table-s-head", "flatbuffer-table", field_0, "H", 2, at),
        patched("field-behind-the-table", "flatbuffer-table", field_0, "H", 1000, at),
        patched("root-not-aligned", "flatbuffer-table", 0, "I", at + 1, at + 1),
        broken("vector-longer-than-the-file", "flatbuffer-outside", model(_1=far), far, 4),
        broken("text-of-65537-bytes", "flatbuffer-text", model(_3=long), long, 4),
        broken("text-without-end", "flatbuffer-text", model(_3=open_), open_, 5),
        broken("text-not-utf8", "flatbuffer-text", model(_3=latin), latin, 5),
    ]


def shared() -> list[Broken]:
    """Parts that are in many places."""
    one, empty = tensor(), Table({})
    graph = Table({0: Vector([tensor()])})
    tables = Vector([empty] * 20_000, late=True)
    text = Text(b"a" * 60_000, late=True)
    signed = [Table({2: text, 4: ("I", 0)}) for _ in range(12)]
    return [
        broken("tensor-twice-in-a-graph", "flatbuffer-shared", model([one, one]), one),
        broken("graph-twice", "flatbuffer-shared", model(_2=Vector([graph, graph])), graph),
        broken("tables-in-three-vectors", "flatbuffer-shared",
               model([], _1=tables, _4=tables, _8=tables), empty, late=(tables,)),
        broken("text-of-many-tables", "flatbuffer-shared", model(_7=Vector(list(signed))), text, 4,
               late=(text,)),
    ]  # fmt: skip


def models() -> list[Broken]:
    """What is said of a tensor, and the metadata."""

    def one(name: str, rule: str, made: Table, *held: Table) -> Broken:
        root = model([made], [buffer(b""), *held] if held else None)
        return broken(name, rule, root, made)

    twice = [Table({0: Text(b"k"), 1: ("I", 0)}) for _ in range(2)]
    lost = Table({0: Text(b"k"), 1: ("I", 9)})
    old = model(_0=("I", 2))
    third = tensor("w")
    clash = [tensor("w#0.2"), tensor("w"), third]
    return [
        broken("version-2", "tflite-version", old, old),
        one("dtype-23", "tflite-dtype", tensor(kind=23)),
        one("dtype-negative", "tflite-dtype", tensor(kind=-1)),
        one("shape-negative", "tflite-shape", tensor(shape=ints(-1))),
        one("shape-of-65-axes", "tflite-shape", tensor(shape=ints(*[1] * 65))),
        one("shape-that-overflows", "tflite-shape", tensor(shape=ints(*[2**31 - 1] * 3))),
        one("size-too-small", "tflite-size", tensor(), buffer(bytes(7))),
        one("size-too-large", "tflite-size", tensor(), buffer(bytes(9))),
        one("size-of-half-a-byte", "tflite-size", tensor(shape=ints(3), kind=I4), buffer(b"a")),
        one("buffer-that-there-is-not", "tflite-buffer", tensor(number=2)),
        broken("metadata-of-no-buffer", "tflite-buffer", model(_6=Vector([lost])), lost),
        broken("metadata-twice", "tflite-duplicate-key", model(_6=Vector(twice)), twice[1]),
        broken("name-made-up-to-clash", "tflite-name", model(clash), third),
    ]


def places() -> list[Broken]:
    """Buffers behind the flatbuffer, and in other files."""
    both = Table({0: Vector(bytes(8)), 1: ("Q", 16), 2: ("Q", 8)})
    far = Table({1: ("Q", 1 << 40), 2: ("Q", 8)})
    found = [
        broken("buffer-in-two-places", "tflite-buffer", model([], [both]), both),
        Broken("buffer-outside", bytes(written(model([], [far]))), "flatbuffer-outside", 1 << 40),
    ]
    overlapping = [buffer(b""), Table({1: ("Q", 8), 2: ("Q", 8)}), Table({1: ("Q", 12),
                                                                         2: ("Q", 8)})]  # fmt: skip
    two = [tensor("a"), tensor("b", number=2)]
    found.append(Broken("buffers-overlap", bytes(written(model(two, overlapping))),
                        "tflite-overlap", 12))  # fmt: skip
    for name, path in (
        ("up", "../w"),
        ("absolute", "/w"),
        ("empty", ""),
        ("itself", "model.tflite"),
    ):
        group = Table({0: Text(path.encode())})
        root = outside([group], [external()])
        found.append(broken(f"path-{name}", "external-path", root, group))
    group = Table({0: Text(b"w.bin")})
    lost, again = external(group=1), external()
    found.append(
        broken("group-that-there-is-not", "external-entry", outside([group], [lost]), lost)
    )
    group = Table({0: Text(b"w.bin")})
    found.append(broken("id-twice", "external-entry", outside([group], [external(), again]), again))
    for name, made in (
        ("external-that-there-is-not", tensor(number=0, _10=("I", 7))),
        ("external-and-inside", tensor(number=1, _10=("I", 1))),
    ):
        group = Table({0: Text(b"w.bin")})
        root = model([made], _8=Vector([group]), _9=Vector([external()]))
        found.append(broken(name, "tflite-buffer", root, made))
    return found


def external(number: int = 1, group: int = 0) -> Table:
    """A buffer of eight bytes in another file."""
    return Table({0: ("I", number), 1: ("I", group), 2: ("Q", 0), 3: ("Q", 8)})


def outside(groups: list[Table], buffers: list[Table]) -> Table:
    """A model with a tensor in another file."""
    made = tensor(number=0, _10=("I", 1))
    return model([made], _8=Vector(groups), _9=Vector(buffers))


def write(folder: Path) -> None:
    """All vectors, and what is expected of them."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for v in vectors():
        (folder / f"{v.name}.tflite").write_bytes(v.data)
        expected[v.name] = {"rule": f"artifact.{v.rule}", "start": v.start}
    (folder / "refusals.json").write_text(json.dumps(expected, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
