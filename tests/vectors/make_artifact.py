"""Writes the vectors of `artifact`: one file for each way to break a safetensors file.

    python tests/vectors/make_artifact.py [FOLDER]

``refusals.json`` beside them says, for each, which rule must refuse it, at which byte the refusal
must point, and whether the reference implementation (safetensors 0.8.0) refuses it too.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "artifact" / "safetensors"
A = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
B = '"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}'


@dataclass(frozen=True, slots=True)
class Vector:
    """A file, the rule that refuses it, and the byte it points at.

    ``start`` counts from the beginning of the file. ``reference`` is whether safetensors 0.8.0
    refuses the file too.
    """

    name: str
    data: bytes
    rule: str
    start: int
    reference: bool = True


def file(header: str | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file of that header and data, with the length it has, or another."""
    text = header if isinstance(header, bytes) else header.encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def whole(
    name: str, rule: str, header: str, at: str, data: bytes = bytes(8), *, reference: bool = True
) -> Vector:
    """A vector whose refusal points at the first place of ``at`` in the header."""
    start = 8 + header.encode().index(at.encode())
    return Vector(name, file(header, data), rule, start, reference)


def entry(name: str, rule: str, body: str, data: bytes = bytes(4), **of: bool) -> Vector:
    """A vector with one tensor, whose entry holds ``body``."""
    return whole(name, rule, f'{{"t":{body}}}', '"t"', data, **of)


def shaped(name: str, rule: str, dtype: str, shape: str, size: int, **of: bool) -> Vector:
    """A vector with one tensor of that type and shape, on ``size`` bytes that it all claims."""
    body = f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{size}]}}'
    return entry(name, rule, body, bytes(size), **of)


def vectors() -> list[Vector]:
    """All of them, by what they break."""
    return [*containers(), *texts(), *entries(), *layouts()]


def containers() -> list[Vector]:
    """The length, and what it counts."""
    good = file(f"{{{A}}}", bytes(4))
    return [
        Vector("empty-file", b"", "truncated", 0),
        Vector("seven-bytes", good[:7], "truncated", 0),
        Vector("header-length-zero", file("", bytes(4)), "header-length", 0),
        Vector("header-length-one", file("{", length=1), "header-length", 0),
        Vector("header-length-over-limit", file("{}", length=100_000_001), "header-length", 0),
        Vector("header-length-all-ones", file("{}", length=(1 << 64) - 1), "header-length", 0),
        Vector("header-cut-short", good[:20], "truncated", 8),
        Vector("header-starts-with-space", file(" {}"), "header-start", 8, reference=False),
        Vector("header-starts-with-mark", file(b"\xef\xbb\xbf{}"), "header-start", 8),
        Vector("header-is-a-list", file("[]"), "header-start", 8),
        Vector("zip-under-this-name", b"PK\x03\x04" + bytes(30), "truncated", 8),
    ]


def texts() -> list[Vector]:
    """UTF-8 and JSON."""
    meta = '{"__metadata__":{"k":'
    deep = f'{{"t":{"[" * 100_000}'
    return [
        Vector("byte-that-is-not-utf8", file(b'{"\xff":0}'), "utf8", 10),
        Vector("utf8-overlong", file(b'{"\xc0\xaf":0}'), "utf8", 10),
        whole("half-a-surrogate-in-a-name", "utf8", A.join(["{", "}"]).replace("a", "\\ud800", 1),
              '"\\ud800"', bytes(4)),
        whole("half-a-surrogate-in-metadata", "utf8", f'{meta}"\\udfff"}}}}', '"__m', b""),
        Vector("object-not-closed", file(f"{{{A}", bytes(4)), "json", 8 + 1 + len(A)),
        Vector("comma-before-the-end", file(f"{{{A},}}", bytes(4)), "json", 8 + 1 + len(A)),
        Vector("name-without-colon", file('{"a"}'), "json", 8 + 4),
        Vector("name-without-quotes", file("{a:1}"), "json", 8 + 1),
        Vector("control-character-in-name", file('{"a\x01":1}'), "json", 8 + 3),
        Vector("object-after-the-object", file("{}{}"), "json", 8 + 2),
        Vector("nul-as-padding", file("{}\0\0"), "json", 8 + 2),
        Vector("newline-as-padding", file("{}\n"), "json", 8 + 2, reference=False),
        Vector("nested-without-end", file(deep), "json", 8 + 5),
        whole("name-twice", "duplicate-name", f"{{{A},{A.replace('[1]', '[1,1]')}}}",
              A.replace("[1]", "[1,1]"), bytes(4), reference=False),
        whole("name-twice-by-escape", "duplicate-name",
              f"{{{A},{A.replace('a', chr(92) + 'u0061', 1)}}}", '"\\u0061"', bytes(4),
              reference=False),
        whole("metadata-twice", "duplicate-name", '{"__metadata__":{},"__metadata__":{"k":"v"}}',
              '"__metadata__":{"k"', b""),
        whole("metadata-name-twice", "duplicate-name", f'{meta}"v","k":"w"}}}}', '"__m', b"",
              reference=False),
        whole("metadata-number", "metadata", f"{meta}1}}}}", '"__m', b""),
        whole("metadata-null", "metadata", '{"__metadata__":null}', '"__m', b"", reference=False),
        whole("metadata-list", "metadata", '{"__metadata__":["k"]}', '"__m', b""),
    ]  # fmt: skip


def entries() -> list[Vector]:
    """What is said of one tensor."""
    f32 = '"dtype":"F32"'
    return [
        entry("entry-null", "entry", "null"),
        entry("entry-list", "entry", '["F32",[1],[0,4]]', reference=False),
        entry("entry-without-dtype", "entry", '{"shape":[1],"data_offsets":[0,4]}'),
        entry("entry-without-shape", "entry", f'{{{f32},"data_offsets":[0,4]}}'),
        entry("entry-without-offsets", "entry", f'{{{f32},"shape":[1]}}'),
        entry("entry-one-member-more", "entry",
              f'{{{f32},"shape":[1],"data_offsets":[0,4],"x":0}}', reference=False),
        entry("entry-member-twice", "duplicate-name",
              f'{{{f32},{f32},"shape":[1],"data_offsets":[0,4]}}'),
        entry("shape-a-number", "entry", f'{{{f32},"shape":1,"data_offsets":[0,4]}}'),
        entry("shape-of-true", "entry", f'{{{f32},"shape":[true],"data_offsets":[0,4]}}'),
        entry("shape-of-text", "entry", f'{{{f32},"shape":["1"],"data_offsets":[0,4]}}'),
        shaped("shape-nested-600-deep", "entry", "F32", "[" * 600 + "]" * 600, 4),
        shaped("dtype-unknown", "dtype", "F128", "[1]", 16),
        shaped("dtype-lower-case", "dtype", "f32", "[1]", 4),
        shaped("dtype-complex-128", "dtype", "C128", "[1]", 16),
        entry("dtype-an-object", "dtype",
              '{"dtype":{"F32":null},"shape":[1],"data_offsets":[0,4]}', reference=False),
        shaped("shape-negative", "number", "F32", "[-1]", 4),
        shaped("shape-minus-zero", "number", "F32", "[-0]", 0),
        shaped("shape-fraction", "number", "F32", "[1.0]", 4),
        shaped("shape-exponent", "number", "F32", "[1e0]", 4),
        shaped("shape-nan", "number", "F32", "[NaN]", 4),
        shaped("shape-infinite", "number", "F32", "[Infinity]", 4),
        shaped("shape-of-65-bits", "number", "F32", "[18446744073709551616]", 4),
        shaped("shape-of-5000-digits", "number", "F32", f"[{'1' * 5000}]", 4),
        shaped("shape-product-overflows", "shape", "F32", "[4294967296,4294967296]", 0),
        shaped("shape-overflows-beside-zero", "shape", "F32",
               "[0,18446744073709551615,18446744073709551615]", 0, reference=False),
        shaped("shape-of-65-axes", "shape", "F32", f"[{','.join('1' * 65)}]", 4, reference=False),
        shaped("size-too-small", "size", "F32", "[2]", 4),
        shaped("size-too-large", "size", "F32", "[1]", 8),
        shaped("size-for-another-dtype", "size", "F64", "[1]", 4),
        shaped("size-of-half-a-byte", "size", "F4", "[3]", 2),
        shaped("size-of-six-bits", "size", "F6_E2M3", "[1]", 1),
    ]  # fmt: skip


def layouts() -> list[Vector]:
    """Where tensors lie."""
    f32 = '"dtype":"F32","shape":[1]'
    overlapping = B.replace("[4,8]", "[2,6]")
    end = 8 + len(f"{{{A}}}")
    hole = f"{{{A},{B.replace('[4,8]', '[6,10]')}}}"
    return [
        entry("offsets-one", "offsets", f'{{{f32},"data_offsets":[4]}}'),
        entry("offsets-three", "offsets", f'{{{f32},"data_offsets":[0,4,4]}}'),
        entry("offsets-reversed", "offsets", f'{{{f32},"data_offsets":[4,0]}}'),
        entry("offsets-negative", "number", f'{{{f32},"data_offsets":[-4,0]}}'),
        entry("offsets-past-the-end", "outside", f'{{{f32},"data_offsets":[4,8]}}'),
        entry("offsets-at-two-to-the-63", "outside",
              f'{{{f32},"data_offsets":[9223372036854775808,9223372036854775812]}}'),
        entry("data-cut-short", "outside", f'{{{f32},"data_offsets":[0,4]}}', bytes(3)),
        whole("overlap-in-part", "overlap", f"{{{A},{overlapping}}}", '"b"', bytes(6)),
        whole("overlap-whole", "overlap", f"{{{A},{A.replace('a', 'b', 1)}}}", '"b"', bytes(4)),
        whole("overlap-in-reverse-order", "overlap", f"{{{overlapping},{A}}}", '"b"', bytes(6)),
        whole("overlap-of-none-inside", "overlap",
              f'{{{A},"z":{{"dtype":"F32","shape":[0],"data_offsets":[2,2]}}}}', '"z"', bytes(4)),
        Vector("hole-between", file(hole, bytes(10)), "hole", 8 + len(hole) + 4),
        Vector("hole-before", file(f"{{{B}}}", bytes(8)), "hole", 8 + len(B) + 2),
        Vector("trailing-byte", file(f"{{{A}}}", bytes(5)), "trailing-bytes", end + 4),
        Vector("trailing-archive", file("{}", b"PK\x05\x06" + bytes(18)), "trailing-bytes", 10),
    ]  # fmt: skip


def write(folder: Path) -> None:
    """All vectors, and what is expected of them."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for v in vectors():
        (folder / f"{v.name}.safetensors").write_bytes(v.data)
        rule = f"artifact.safetensors-{v.rule}"
        expected[v.name] = {"rule": rule, "start": v.start, "reference_refuses": v.reference}
    (folder / "refusals.json").write_text(json.dumps(expected, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
