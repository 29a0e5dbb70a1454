"""Writes the vectors of `artifact` for GGUF: one file for each way to break one.

    python tests/vectors/make_artifact_gguf.py [FOLDER]

``refusals.json`` beside them says, for each, which rule must refuse it, and at which byte the
refusal must point.
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "artifact" / "gguf"
UINT8, UINT32, BOOL, STRING, ARRAY = 0, 4, 7, 8, 9
F32, Q8_0 = 0, 8
HEADER = 24  # bytes before the first pair


@dataclass(frozen=True, slots=True)
class Vector:
    """A file, the rule that refuses it, and the byte it points at."""

    name: str
    data: bytes
    rule: str
    start: int


def string(text: str | bytes) -> bytes:
    """A string as GGUF has it: its length, and its bytes."""
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, value: bytes) -> bytes:
    """A key with its value."""
    return string(key) + struct.pack("<I", kind) + value


def array(kind: int, count: int, elements: bytes = b"") -> bytes:
    """An array's value."""
    return struct.pack("<IQ", kind, count) + elements


def entry(name: str, shape: tuple[int, ...], kind: int = F32, offset: int = 0) -> bytes:
    """A tensor's entry; ``shape`` in GGML's order."""
    dims = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return string(name) + dims + struct.pack("<IQ", kind, offset)


def file(
    pairs: list[bytes],
    entries: list[bytes],
    data: bytes = b"",
    *,
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
) -> bytes:
    """A file of those pairs and entries, padded, and then ``data``."""
    tensors, keys = counts or (len(entries), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + b"".join(pairs + entries)
    return head + bytes(-len(head) % alignment) + data


def aligned(value: bytes) -> bytes:
    """The pair that sets the alignment, as a uint32."""
    return pair("general.alignment", UINT32, value)


def vectors() -> list[Vector]:
    """All of them, by what they break."""
    return [*containers(), *pairs(), *entries(), *layouts()]


def containers() -> list[Vector]:
    """The first bytes, and what they count."""
    good = file([], [entry("a", (8,))], bytes(32))
    return [
        Vector("empty-file", b"", "magic", 0),
        Vector("magic-of-ggml", b"lmgg" + good[4:], "magic", 0),
        Vector("magic-of-zip", b"PK\x03\x04" + good[4:], "magic", 0),
        Vector("magic-alone", b"GGUF", "truncated", 4),
        Vector("version-1", good[:4] + struct.pack("<I", 1) + good[8:], "version", 4),
        Vector("version-4", good[:4] + struct.pack("<I", 4) + good[8:], "version", 4),
        Vector("version-0", good[:4] + bytes(4) + good[8:], "version", 4),
        Vector("cut-in-its-counts", good[:20], "truncated", 16),
        Vector("cut-in-its-entry", good[:40], "count", 8),
        Vector("more-tensors-than-bytes", file([], [], counts=(1 << 60, 0)), "count", 8),
        Vector("more-pairs-than-bytes", file([], [], counts=(0, 1 << 63)), "count", 8),
        Vector("counts-that-overflow", file([], [], counts=((1 << 64) - 1,) * 2), "count", 8),
    ]


def pairs() -> list[Vector]:
    """Keys and values."""
    one = pair("a", UINT8, b"\1")
    nested = array(ARRAY, 1) * 4 + array(UINT8, 0)
    inner = HEADER + 8 + 1 + 4  # where the value of the first pair begins
    long = struct.pack("<Q", 65536) + b"a" * 65536
    return [
        Vector("key-twice", file([one, one], []), "duplicate-key", HEADER + len(one)),
        Vector("key-of-the-header", file([pair("GGUF.version", UINT8, b"\3")], []),
               "duplicate-key", HEADER),
        Vector("key-longer-than-the-file", file([struct.pack("<Q", 1 << 40) + bytes(99)], []),
               "truncated", HEADER + 8),
        Vector("key-of-65536-bytes", file([long + struct.pack("<I", UINT8) + b"\1"], []), "name",
               HEADER),
        Vector("key-that-is-not-utf8", file([pair("a", UINT8, b"\1").replace(b"a", b"\xff")], []),
               "utf8", HEADER + 8),
        Vector("text-that-is-not-utf8", file([pair("a", STRING, string(b"ok\xc3"))], []), "utf8",
               inner + 8 + 2),
        Vector("text-longer-than-the-file",
               file([pair("a", STRING, struct.pack("<Q", 1 << 62))], []), "truncated", inner + 8),
        Vector("value-of-type-13", file([pair("a", 13, bytes(8))], []), "value-type", inner - 4),
        Vector("elements-of-type-13", file([pair("a", ARRAY, array(13, 1, bytes(8)))], []),
               "value-type", inner),
        Vector("boolean-of-2", file([pair("a", BOOL, b"\2")], []), "boolean", inner),
        Vector("boolean-of-2-in-an-array", file([pair("a", ARRAY, array(BOOL, 3, b"\0\1\2"))], []),
               "boolean", inner + 12 + 2),
        Vector("array-longer-than-the-file",
               file([pair("a", ARRAY, array(UINT8, 1 << 40))], []), "count", inner),
        Vector("strings-longer-than-the-file",
               file([pair("a", ARRAY, array(STRING, 1 << 61))], []), "count", inner),
        Vector("strings-that-end-too-soon",
               file([pair("a", ARRAY, array(STRING, 1, struct.pack("<Q", 99)))], []), "truncated",
               inner + 12 + 8),
        Vector("arrays-5-deep", file([pair("a", ARRAY, nested)], []), "nested", inner + 4 * 12),
        Vector("alignment-0", file([aligned(bytes(4))], []), "alignment", HEADER),
        Vector("alignment-24", file([aligned(struct.pack("<I", 24))], []), "alignment", HEADER),
        Vector("alignment-of-another-type",
               file([pair("general.alignment", UINT8, b"\x20")], []), "alignment", HEADER),
    ]  # fmt: skip


def entries() -> list[Vector]:
    """What is said of one tensor."""
    name = struct.pack("<Q", 65536) + b"a" * 65536
    return [
        Vector("tensor-twice", file([], [entry("a", (8,)), entry("a", (8,), offset=32)], bytes(64)),
               "duplicate-tensor", HEADER + len(entry("a", (8,)))),
        Vector("tensor-name-not-utf8",
               file([], [entry("a", (8,)).replace(b"a", b"\x80")], bytes(32)), "utf8", HEADER + 8),
        Vector("tensor-name-of-65536-bytes",
               file([], [name + entry("", (8,))[8:]], bytes(32)), "name", HEADER),
        Vector("axes-65", file([], [entry("a", (1,) * 65)], bytes(32)), "shape", HEADER),
        Vector("axes-more-than-bytes",
               file([], [string("a") + struct.pack("<I", 0xFFFFFFFF) + bytes(16)], bytes(32)),
               "shape", HEADER),
        Vector("shape-that-overflows", file([], [entry("a", (1 << 32, 1 << 32))]), "shape", HEADER),
        Vector("shape-that-overflows-beside-zero", file([], [entry("a", (1 << 63, 0))]), "shape",
               HEADER),
        Vector("type-99", file([], [entry("a", (8,), 99)], bytes(32)), "dtype", HEADER),
        Vector("type-that-was-removed", file([], [entry("a", (32,), 4)], bytes(32)), "dtype",
               HEADER),
        Vector("type-with-two-sizes", file([], [entry("a", (32,), 9)], bytes(64)), "dtype", HEADER),
        Vector("half-a-block", file([], [entry("a", (48, 2), Q8_0)], bytes(128)), "blocks", HEADER),
        Vector("block-without-a-row", file([], [entry("a", (), Q8_0)], bytes(64)), "blocks",
               HEADER),
    ]  # fmt: skip


def layouts() -> list[Vector]:
    """Where tensors lie."""
    a = entry("a", (8,))
    second = HEADER + len(a)
    good = file([], [a], bytes(32))
    two = [a, entry("b", (8,), offset=32)]
    padded = file([], [entry("a", (7,)), entry("b", (8,), offset=32)], bytes(64))
    start = len(padded) - 64
    return [
        Vector("data-cut-short", good[:-1], "outside", HEADER),
        Vector("data-missing", file([], two, bytes(32)), "outside", second),
        Vector("offset-not-aligned", file([], [a, entry("b", (8,), offset=36)], bytes(99)),
               "offset", second),
        Vector("offset-at-two-to-the-64", file([], [entry("a", (8,), offset=(1 << 64) - 32)],
               bytes(32)), "hole", HEADER),
        Vector("overlap-whole", file([], [a, entry("b", (8,))], bytes(32)), "overlap", second),
        Vector("hole-before", file([], [entry("a", (8,), offset=32)], bytes(64)), "hole", HEADER),
        Vector("hole-between", file([], [a, entry("b", (8,), offset=64)], bytes(96)), "hole",
               second),
        Vector("out-of-order",
               file([], [entry("a", (8,), offset=32), entry("b", (8,))], bytes(64)), "hole",
               HEADER),
        Vector("alignment-makes-a-hole",
               file([aligned(struct.pack("<I", 8))],
                    [entry("a", (2,)), entry("b", (2,), offset=32)], bytes(40), alignment=8),
               "hole", HEADER + len(aligned(bytes(4))) + len(entry("a", (2,)))),
        Vector("padding-before-the-data", file([], [a])[:-1] + b"\1" + bytes(32), "padding",
               len(file([], [a])) - 1),
        Vector("padding-between", padded[: start + 30] + b"\1" + padded[start + 31 :], "padding",
               start + 30),
        Vector("padding-at-the-end", file([], [entry("a", (7,))], bytes(28) + b"\0\0\0\1"),
               "padding", len(file([], [entry("a", (7,))])) + 31),
        Vector("trailing-byte", good + b"\0", "trailing-bytes", len(good)),
        Vector("trailing-archive", good + b"PK\x05\x06" + bytes(18), "trailing-bytes", len(good)),
        Vector("trailing-byte-without-tensors", file([], []) + bytes(32), "trailing-bytes", 32),
    ]  # fmt: skip


def write(folder: Path) -> None:
    """All vectors, and what is expected of them."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for v in vectors():
        (folder / f"{v.name}.gguf").write_bytes(v.data)
        expected[v.name] = {"rule": f"artifact.gguf-{v.rule}", "start": v.start}
    (folder / "refusals.json").write_text(json.dumps(expected, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
