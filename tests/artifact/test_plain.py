from __future__ import annotations

import pytest

from credenza.artifact import read
from credenza.artifact.interface import Held
from credenza.artifact.model import Program

TEXT = b"hello = 1\n"


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("config.json", b"{}", "config"),
        ("Config.YAML", TEXT, "config"),
        ("a.toml", TEXT, "config"),
        ("vocab.txt", b"", "config"),
        ("chat_template.jinja", b"{{ x }}", "config"),
        ("config.json", b"\0\1", "plain"),
        ("weights.bin", b"\0\1\2", "plain"),
        ("LICENSE", TEXT, "plain"),
        ("empty", b"", "plain"),
        ("modeling.py", TEXT, "python"),
        ("Modeling.PY", b"", "python"),
        ("modeling.pyc", b"\xa7\r\r\n", "python bytecode"),
        ("kernel.so", b"", "native"),
        ("weights.bin", b"\x7fELF\2\1\1", "native"),
        ("weights.txt", b"MZ\x90\0", "native"),
        ("weights.bin", b"\xcf\xfa\xed\xfe", "native"),
        ("run.sh", TEXT, "script"),
        ("config.json", b"#!/bin/sh\n", "script"),
        ("image.bin", b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
    ],
)
def test_finds_the_format_by_content_then_by_name(path: str, data: bytes, expected: str) -> None:
    file = read(Held(path, data))
    assert (file.path, file.size, file.format) == (path, len(data), expected)
    assert not file.tensors


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("src/modeling.py", TEXT, "python source"),
        ("src/modeling.pyc", TEXT, "python bytecode"),
        ("src/kernel.so", TEXT, "native code"),
        ("src/run.sh", TEXT, "script"),
    ],
)
def test_names_what_would_run(path: str, data: bytes, kind: str) -> None:
    program = Program(kind=kind, name=path.removeprefix("src/"), start=0)
    assert read(Held(path, data)).programs == (program,)
    assert not program.allowed


def test_says_that_a_pointer_is_not_the_file() -> None:
    file = read(Held("image.bin", b"version https://git-lfs.github.com/spec/v1\n"))
    assert "git lfs pull" in file.unread[0]
