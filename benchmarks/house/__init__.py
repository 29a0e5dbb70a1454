"""The ground floors: how fast the command line starts, and that opening a model is linear."""

from __future__ import annotations

import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import blake3
import numpy as np

import credenza
from benchmarks.results import Bar, write
from credenza.attest import Trust, new_key

TEXT = """
Whole processes for the command line; functions of the library for the rest. Each figure is the
median of the runs, and its interval runs from the least to the largest of them. Growth is the time
for 100,000 tensors over that for 10,000: 10 is linear.
"""


def run(*, full: bool) -> None:
    runs = 31 if full else 11
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bars = [
            _bar("credenza --help, whole process", "s", _times(_help, runs), 0.2),
            *_opening(folder, runs),
            _verifying(folder, runs),
        ]
    write("house", "The ground floors", TEXT, bars, ["credenza", "numpy", "blake3", "typer"])


def _help() -> None:
    command = [sys.executable, "-m", "credenza", "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _opening(folder: Path, runs: int) -> list[Bar]:
    few, many = _safetensors(folder / "few", 10_000), _safetensors(folder / "many", 100_000)
    shards = folder / "shards"
    shards.mkdir()
    for i in range(100):
        _safetensors(shards / f"model-{i + 1:05}-of-00100", 30)
    times = [
        _times(lambda path=path: credenza.open(path), runs)  # type: ignore[misc]
        for path in (few, many, shards)
    ]
    growth = [b / a for a, b in zip(times[0], times[1], strict=True)]
    return [
        _bar("open 100,000 tensors in one file", "s", times[1]),
        _bar("… growth from 10,000 tensors", "×", growth, 13.0),
        _bar("open 100 shards of 30 tensors", "s", times[2]),
    ]


def _verifying(folder: Path, runs: int) -> Bar:
    model = folder / "model"
    model.mkdir()
    np.save(model / "weights.npy", np.random.default_rng(0).standard_normal(64 * 2**17))
    key = new_key(folder / "key")
    credenza.seal(credenza.open(model), key)
    trust = Trust((key.public,))
    data = (model / "weights.npy").read_bytes()
    ours = _times(lambda: credenza.verify(model, trust), runs)
    bare = _times(lambda: blake3.blake3(data, max_threads=blake3.blake3.AUTO).digest(), runs)
    return _bar("verify 64 MiB, over bare BLAKE3 of bytes in memory", "×", _ratios(ours, bare))


def _safetensors(path: Path, tensors: int) -> Path:
    header = {
        f"layers.{i}.weight": {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
        for i in range(tensors)
    }
    text = json.dumps(header).encode()
    path = path.with_suffix(".safetensors")
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4 * tensors))
    return path


def _times(work: Callable[[], object], runs: int) -> list[float]:
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def _bar(bar: str, unit: str, values: list[float], target: float | None = None) -> Bar:
    return Bar(
        bar=bar,
        value=statistics.median(values),
        unit=unit,
        target=target,
        low=min(values),
        high=max(values),
    )
