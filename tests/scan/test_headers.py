"""safetensors and flax: whatever has two readings, and what a header should not carry."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from tests.scan.looking import accused, found, looked

TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
HONEST = save({"a": np.ones((2, 2), np.float32)}, {"format": "pt", "license": "https://a.org"})


def safetensors(header: Any, data: bytes = bytes(8), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


ABUSED = {
    "header-length": safetensors({"a": TENSOR}, length=1 << 63),
    "start": safetensors(b' {"a": {}}'),
    "overlap": safetensors({"a": TENSOR, "b": TENSOR}),
    "hole": safetensors({"a": TENSOR | {"data_offsets": [8, 16]}}, bytes(16)),
    "trailing": safetensors({"a": TENSOR}, bytes(8) + b"PK\x03\x04"),
    "twice": safetensors(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        b'"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}'
    ),
    "shape": safetensors({"a": TENSOR | {"shape": [1 << 40, 1 << 40]}}),
    "size": safetensors({"a": TENSOR | {"shape": [3]}}),
    "number": safetensors({"a": TENSOR | {"shape": [-2]}}),
    "entry": safetensors({"a": TENSOR | {"exec": "x"}}),
    "metadata": safetensors({"a": TENSOR, "__metadata__": {"x": {"y": 1}}}),
    "traversal": safetensors({"../../a": TENSOR}),
    "absolute": safetensors({"/etc/cron.d/a": TENSOR}),
    "pickle": safetensors(b"\x80\x04\x95" + b"cos\nsystem\n" * 3),
    "pickle-in-metadata": safetensors(
        {"a": TENSOR, "__metadata__": {"x": "cos\nsystem\n(Vid\ntR."}}
    ),
    "elf-in-metadata": safetensors({"a": TENSOR, "__metadata__": {"x": "\x7fELF\x02\x01"}}),
    "base64-in-metadata": safetensors(
        {"a": TENSOR, "__metadata__": {"x": "gASV" + "A" * 60}},
    ),
}


@pytest.mark.parametrize("data", ABUSED.values(), ids=ABUSED.keys())
def test_a_header_that_is_abused_is_found(data: bytes) -> None:
    assert found(looked("a.safetensors", data))


def test_an_honest_file_is_not_accused() -> None:
    for metadata in ({}, {"format": "pt"}, {"notes": "import os; see https://a.org/<b>"}):
        report = looked("a.safetensors", save({"a.b/c": np.ones(3, np.float16)}, metadata))
        assert not report.findings
        assert not report.unread


def test_a_file_that_was_cut_short_or_is_newer_is_unread_and_no_accusation() -> None:
    newer = safetensors({"a": TENSOR | {"dtype": "F2_NEW"}})
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    for data in (newer, pointer, *(HONEST[:n] for n in (0, 5, 9, 40, len(HONEST) - 1))):
        report = looked("a.safetensors", data)
        assert report.unread
        assert not accused(report)


def test_mutants_of_safetensors_never_crash() -> None:
    random_ = random.Random(8)
    answers = set()
    for _ in range(400):
        data = bytearray(random_.choice([HONEST, *ABUSED.values()]))
        for _ in range(random_.randint(1, 3)):
            data[random_.randrange(min(len(data), 200))] = random_.choice(b'{}[]",:09\x00\xff')
        report = looked("a.safetensors", bytes(data))
        answers |= {f.rule for f in report.findings} or {""}
    assert len(answers) > 8


# --- flax -----------------------------------------------------------------------


def _text(value: str) -> bytes:
    return bytes([0xA0 + len(value)]) + value.encode()


def _array(shape: int, size: int) -> bytes:
    inner = b"\x93\x91" + bytes([shape]) + _text("float32") + b"\xc4" + bytes([size]) + bytes(size)
    return b"\xc7" + bytes([len(inner)]) + b"\x01" + inner


TREE = b"\x81" + _text("w") + _array(2, 8)


def test_an_honest_tree_is_not_accused() -> None:
    report = looked("a.msgpack", TREE)
    assert not report.findings
    assert not report.unread


@pytest.mark.parametrize(
    "data",
    [
        TREE + b"\x80\x04.",
        b"\x82" + _text("w") + _array(2, 8) + _text("w") + _array(2, 8),
        b"\x81" + _text("w") + _array(3, 8),
        b"\x81\xc4\x01x" + _array(2, 8),
    ],
    ids=["trailing", "key-twice", "size", "key"],
)
def test_a_tree_that_is_abused_is_found(data: bytes) -> None:
    assert found(looked("a.msgpack", data))


def test_a_tree_that_breaks_off_or_holds_other_types_is_unread() -> None:
    for data in (TREE[:-3], b"\x81" + _text("w") + b"\xd4\x2a\x00", b"\x81"):
        report = looked("a.msgpack", data)
        assert report.unread
        assert not accused(report)
