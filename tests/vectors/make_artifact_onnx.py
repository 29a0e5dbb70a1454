"""Writes the vectors of `artifact` for ONNX: one file for each way to break a model.

    python tests/vectors/make_artifact_onnx.py [FOLDER]

``refusals.json`` beside them says, for each, which rule must refuse it, and at which byte the
refusal must point.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "artifact" / "onnx"
FLOAT, INT64, INT4 = 1, 7, 22


@dataclass(frozen=True, slots=True)
class Vector:
    """A file, the rule that refuses it, and the byte it points at."""

    name: str
    data: bytes
    rule: str
    start: int


def varint(value: int) -> bytes:
    """A number, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    """A field that is a number."""
    return varint(field << 3) + varint(value)


def held(field: int, data: bytes | str) -> bytes:
    """A field that holds bytes, a text or a message."""
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(
    name: str = "w",
    dims: tuple[int, ...] = (2,),
    kind: int = FLOAT,
    body: bytes = held(9, bytes(8)),
) -> bytes:
    """A tensor, of two floats in raw_data unless ``body`` says otherwise."""
    shape = b"".join(number(1, n) for n in dims)
    return shape + number(2, kind) + (held(8, name) if name else b"") + body


def elsewhere(*pairs: tuple[str, str]) -> bytes:
    """What a tensor says of data in another file."""
    said = b"".join(held(13, held(1, key) + held(2, value)) for key, value in pairs)
    return said + number(14, 1)


OPSET = held(8, number(2, 17))
START = number(1, 8) + OPSET


def model(graph: bytes, more: bytes = b"") -> bytes:
    """A model of that graph."""
    return START + held(7, graph) + more


def of(*tensors: bytes) -> bytes:
    """A model with those initializers."""
    return model(b"".join(held(5, t) for t in tensors))


def at(data: bytes, piece: bytes) -> int:
    """Where that piece is in the file; it is there once."""
    assert data.count(piece) == 1
    return data.index(piece)


def broken(name: str, rule: str, body: bytes, **of_tensor: object) -> Vector:
    """A vector of one tensor, at whose first byte the refusal points."""
    entry = tensor(body=body, **of_tensor)  # type: ignore[arg-type]  # the keywords of `tensor`
    data = of(entry)
    return Vector(name, data, rule, at(data, entry))


def vectors() -> list[Vector]:
    """All of them, by what they break."""
    return [*messages(), *graphs(), *tensors(), *places()]


def messages() -> list[Vector]:
    """What is wrong with a message whatever it is."""
    end = len(START)
    return [
        Vector("empty-file", b"", "onnx-graph", 0),
        Vector("without-a-graph", START, "onnx-graph", 0),
        Vector("number-without-end", START + b"\xff" * 9, "protobuf-varint", end),
        Vector("number-of-11-bytes", b"\x08" + b"\x80" * 10 + b"\1", "protobuf-varint", 1),
        Vector("number-of-65-bits", b"\x08" + b"\xff" * 9 + b"\2", "protobuf-varint", 1),
        Vector("field-0", START + b"\0\0", "protobuf-field", end),
        Vector("field-2-to-the-29", START + varint(1 << 32) + b"\0", "protobuf-field", end),
        Vector("group", START + b"\x3b\x3c", "protobuf-wire-type", end),
        Vector("wire-type-7", START + b"\x3f", "protobuf-wire-type", end),
        Vector("graph-a-number", START + number(7, 1), "protobuf-wire-type", end),
        Vector("version-a-text", held(1, "8") + OPSET, "protobuf-wire-type", 0),
        Vector("graph-longer-than-the-file", START + b"\x3a\x7f", "protobuf-length", end),
        Vector("graph-of-2-to-the-63", START + b"\x3a" + varint(1 << 63), "protobuf-length", end),
        Vector("tensor-longer-than-its-graph", START + held(7, b"\x2a\x05ab"),
               "protobuf-length", end + 2),
        Vector("fixed-cut-short", START + held(7, held(1, held(5, b"\x15\0\0"))),
               "protobuf-length", end + 6),
        Vector("graph-twice", model(b"") + held(7, b""), "protobuf-twice", end + 2),
        Vector("raw-data-twice", of(tensor(body=held(9, bytes(8)) + held(9, bytes(8)))),
               "protobuf-twice", end + 4 + len(tensor())),
        Vector("producer-not-utf8", model(b"", held(2, b"a\xff")), "protobuf-text", end + 2 + 3),
        Vector("name-of-65537-bytes", of(tensor("a" * 65537)), "protobuf-text",
               end + 8 + len(number(1, 2) + number(2, 1))),
    ]  # fmt: skip


def graphs() -> list[Vector]:
    """Graphs, functions and metadata."""
    end = len(START)
    inner = b""
    for _ in range(32):
        inner = held(1, held(2, "y") + held(5, held(1, "body") + held(6, inner)))
    deep = model(inner)
    two = held(5, tensor())
    constant = held(1, held(2, "w") + held(4, "Constant")
                    + held(5, held(1, "value") + held(5, tensor(""))))  # fmt: skip
    prop = held(14, held(1, "k") + held(2, "v"))
    function = held(25, held(1, "F") + held(10, "d"))
    long = held(1, held(2, "y" * 60_000) + held(4, "If") + held(5, held(1, "g") + held(
        6, b"".join(held(5, tensor(f"{i}", (0,), body=b"")) for i in range(100)))))  # fmt: skip
    sparse = held(15, held(1, tensor()))
    return [
        Vector("graphs-33-deep", deep, "onnx-nested", len(deep) - 2),
        Vector("names-longer-than-the-file", model(long), "onnx-nested",
               at(model(long), held(5, tensor("25", (0,), body=b"")))),
        Vector("initializer-twice", model(two + two), "onnx-duplicate-name",
               end + 2 + len(two)),
        Vector("constant-and-initializer", model(two + constant), "onnx-duplicate-name",
               at(model(two + constant), held(5, tensor("")))),
        Vector("initializer-without-a-name", of(tensor("")), "onnx-name", end + 2),
        Vector("sparse-without-indices", model(sparse), "onnx-sparse", end + 2),
        Vector("operator-set-twice", START + OPSET + held(7, b""), "onnx-duplicate-key", end),
        Vector("operator-set-twice-by-its-other-name",
               START + held(8, held(1, "ai.onnx") + number(2, 1)) + held(7, b""),
               "onnx-duplicate-key", end),
        Vector("metadata-key-twice", model(b"", prop + prop), "onnx-duplicate-key",
               end + 2 + len(prop)),
        Vector("function-twice", model(b"", function + function), "onnx-duplicate-key",
               end + 2 + len(function)),
    ]  # fmt: skip


def tensors() -> list[Vector]:
    """What is said of one tensor."""
    raw = held(9, bytes(8))
    return [
        broken("dtype-0", "onnx-dtype", raw, kind=0),
        broken("dtype-29", "onnx-dtype", raw, kind=29),
        broken("dtype-negative", "onnx-dtype", raw, kind=(1 << 64) - 1),
        broken("shape-negative", "onnx-shape", raw, dims=((1 << 64) - 2,)),
        broken("shape-that-overflows", "onnx-shape", raw, dims=(1 << 32, 1 << 32)),
        broken("shape-that-overflows-beside-zero", "onnx-shape", raw, dims=(0, 1 << 62)),
        broken("shape-of-65-axes", "onnx-shape", raw, dims=(1,) * 65),
        broken("shape-of-65-axes-packed", "onnx-shape", held(1, b"\1" * 65) + raw, dims=()),
        broken("size-too-small", "onnx-size", held(9, bytes(7))),
        broken("size-too-large", "onnx-size", held(9, bytes(9))),
        broken("size-without-data", "onnx-size", b""),
        broken("size-of-half-a-byte", "onnx-size", held(9, bytes(1)), dims=(3,), kind=INT4),
        broken("size-of-floats", "onnx-size", held(4, bytes(4))),
        broken("values-of-another-type", "onnx-values", held(5, b"\1\2")),
        broken("values-of-another-width", "onnx-values", held(10, bytes(16))),
        broken("values-twice", "onnx-two-places", raw + held(4, bytes(8))),
        broken("values-of-two-types", "onnx-two-places", held(4, bytes(8)) + held(5, b"\1\2")),
    ]


def places() -> list[Vector]:
    """What is said of data in another file."""
    data = ("location", "w.bin")
    raw = held(9, bytes(8))
    found = [
        broken("elsewhere-and-here", "onnx-two-places", raw + elsewhere(data)),
        broken("elsewhere-without-saying-where", "onnx-two-places", number(14, 1)),
        broken("elsewhere-and-default", "onnx-two-places", raw + elsewhere(data)[:-2]),
        broken("location-2", "onnx-two-places", number(14, 2)),
        broken("path-missing", "external-path", elsewhere(("offset", "0"))),
        broken("path-empty", "external-path", elsewhere(("location", ""))),
        broken("path-of-memory", "external-path",
               elsewhere(("location", "*/_ORT_MEM_ADDR_/*"), ("offset", "4096"))),
        broken("length-too-small", "onnx-size", elsewhere(data, ("length", "7"))),
        broken("length-0", "onnx-size", elsewhere(data, ("length", "0"))),
        broken("offset-negative", "external-entry", elsewhere(data, ("offset", "-8"))),
        broken("offset-in-hex", "external-entry", elsewhere(data, ("offset", "0x8"))),
        broken("offset-with-a-zero", "external-entry", elsewhere(data, ("offset", "08"))),
        broken("offset-of-20-digits", "external-entry", elsewhere(data, ("offset", "1" * 20))),
        broken("length-a-word", "external-entry", elsewhere(data, ("length", "all"))),
        broken("checksum-of-39-digits", "external-entry", elsewhere(data, ("checksum", "0" * 39))),
        broken("key-unknown", "external-entry", elsewhere(data, ("__class__", "x"))),
        broken("key-twice", "external-entry", elsewhere(data, data)),
    ]  # fmt: skip
    for name, path in (
        ("up", "../w.bin"),
        ("down-and-up", "a/../../w.bin"),
        ("absolute", "/etc/passwd"),
        ("doubled", "a//w.bin"),
        ("backslash", "..\\w.bin"),
        ("nul", "w.bin\0"),
        ("dot", "."),
        ("to-itself", "model.onnx"),
    ):
        found.append(broken(f"path-{name}", "external-path", elsewhere(("location", path))))
    one = tensor("a", body=elsewhere(data, ("checksum", "0" * 40)))
    two = tensor("b", body=elsewhere(data, ("offset", "8"), ("checksum", "1" * 40)))
    both = of(one, two)
    return [*found, Vector("two-checksums", both, "external-entry", at(both, two) - 2)]


def write(folder: Path) -> None:
    """All vectors, and what is expected of them."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for v in vectors():
        (folder / f"{v.name}.onnx").write_bytes(v.data)
        expected[v.name] = {"rule": f"artifact.{v.rule}", "start": v.start}
    (folder / "refusals.json").write_text(json.dumps(expected, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
