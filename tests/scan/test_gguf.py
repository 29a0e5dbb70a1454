"""GGUF: the bounds of its header, and the chat templates in its metadata."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType

from credenza.findings import Severity
from credenza.scan import scan
from tests.artifact import ggufs
from tests.scan.looking import accused, found, looked, rules

HONEST = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
EVIL = "{{ ''.__class__ }}"
ARRAY = np.ones((4, 32), np.float32)


def written(path: Path, pairs: dict[str, object], **more: object) -> Path:
    return ggufs.write(path, {"a.weight": (ARRAY, None)}, pairs, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("big", [False, True])
def test_an_honest_file_is_not_accused(tmp_path: Path, big: bool) -> None:
    path = written(
        tmp_path / "a.gguf",
        {
            "tokenizer.chat_template": HONEST,
            "general.url": "https://example.org/model",
            "tokenizer.chat_templates": ["tool_use"],
            "tokenizer.ggml.tokens": [f"<{i}>" for i in range(3000)] + ["https://a", "__class__"],
        },
        big=big,
    )
    report = scan(path)
    assert not report.findings
    assert not report.unread


@pytest.mark.parametrize("kind", ["BF16", "IQ4_NL", "MXFP4", "TQ1_0", "Q8_0"])
def test_new_types_are_not_accused(tmp_path: Path, kind: str) -> None:
    """modelaudit #1632."""
    type_ = GGMLQuantizationType[kind]
    path = ggufs.write(tmp_path / "a.gguf", {"a": (ggufs.blocks(type_, 3), type_)})
    assert not scan(path).findings


@pytest.mark.parametrize("key", ["tokenizer.chat_template", "tokenizer.chat_template.tool_use"])
@pytest.mark.parametrize("big", [False, True])
def test_a_template_that_escapes_is_found_with_its_place(
    tmp_path: Path, key: str, big: bool
) -> None:
    path = written(tmp_path / "a.gguf", {key: f"line\n{EVIL}"}, big=big)
    (finding,) = scan(path).findings
    assert (finding.rule, finding.severity) == ("scan.template-escape", Severity.CRITICAL)
    assert finding.where.start == path.read_bytes().index(b"{{ ''.__class__")
    assert found(looked("a.bin", path.read_bytes()))


def test_a_template_is_found_before_the_file_breaks_off(tmp_path: Path) -> None:
    data = written(tmp_path / "a.gguf", {"tokenizer.chat_template": EVIL}).read_bytes()
    report = looked("a.gguf", data[: data.index(EVIL.encode()) + len(EVIL)])
    assert report.worst is Severity.CRITICAL
    assert report.unread


def test_a_file_that_was_cut_short_is_unread_and_no_accusation(tmp_path: Path) -> None:
    data = written(tmp_path / "a.gguf", {"tokenizer.chat_template": HONEST}).read_bytes()
    for length in (2, 6, 20, 60, len(data) // 2, len(data) - 1):
        report = looked("a.gguf", data[:length])
        assert report.unread
        assert not accused(report), length


def _head(tensors: int, pairs: int, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + rest


def _tensor(name: bytes, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    axes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return struct.pack("<Q", len(name)) + name + axes + struct.pack("<IQ", kind, offset)


def _whole(*tensors: bytes, data: int = 256) -> bytes:
    head = _head(len(tensors), 0, b"".join(tensors))
    return head + bytes(-len(head) % 32) + bytes(data)


ABUSED = {
    "tensor-count": _head(1 << 63, 0, bytes(200)),  # CVE-2026-33298
    "pair-count": _head(0, 1 << 62, bytes(200)),
    "array-count": _head(  # CVE-2025-53630
        0, 1, struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 0, 1 << 63) + bytes(64)
    ),
    "shape-product": _whole(_tensor(b"a", (1 << 40, 1 << 40), 0, 0)),
    "shape-wraps": _whole(_tensor(b"a", (1 << 32, 1 << 32), 0, 0)),  # CVE-2026-27940
    "outside": _whole(_tensor(b"a", (1 << 50,), 0, 0)),
    "overlap": _whole(_tensor(b"a", (32,), 0, 0), _tensor(b"b", (32,), 0, 0)),
    "hole": _whole(_tensor(b"a", (32,), 0, 128)),
    "unaligned": _whole(_tensor(b"a", (32,), 0, 1)),
    "name-twice": _whole(_tensor(b"a", (32,), 0, 0), _tensor(b"a", (32,), 0, 128)),
    "trailing": _whole(_tensor(b"a", (32,), 0, 0), data=512),
}


@pytest.mark.parametrize("data", ABUSED.values(), ids=ABUSED.keys())
def test_a_header_that_lies_is_found_and_unread(data: bytes) -> None:
    report = looked("a.gguf", data)
    assert found(report)
    assert report.unread
    assert all(rule.startswith("artifact.gguf-") for rule in rules(report))


def test_zeros_between_tensors_are_no_finding() -> None:
    data = _whole(_tensor(b"a", (3,), 0, 0), _tensor(b"b", (32,), 0, 32), data=160)
    assert not looked("a.gguf", data).findings


def test_mutants_never_crash(tmp_path: Path) -> None:
    random_ = random.Random(6)
    original = written(
        tmp_path / "a.gguf", {"tokenizer.chat_template": HONEST, "a": [1, 2], "b": ["x"]}
    ).read_bytes()
    answers = set()
    for _ in range(400):
        data = bytearray(original)
        for _ in range(random_.randint(1, 4)):
            data[random_.randrange(400)] = random_.choice(
                (0, 1, 0x7F, 0xFF, random_.randrange(256))
            )
        report = looked("a.gguf", bytes(data))
        answers |= rules(report) or {""}
    assert len(answers) > 5
