"""How long 524 MB take, digest and the start of the process included, and how much memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import save_file

from benchmarks.environments import cache
from benchmarks.results import Bar

_TURNS: Final = 5
_CODE: Final = """
import json, resource, sys
from credenza.scan.weights import weights
report = weights(sys.argv[1], digest=True)
assert report.files[0].sha256 and not report.unread
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


def bars() -> list[Bar]:
    """One process a turn; the file lies in the system's cache."""
    path = _large()
    seconds, peaks = [], []
    for _ in range(_TURNS):
        took, peak = _once(path)
        seconds.append(took)
        peaks.append(peak)
    return [
        Bar(
            bar=f"{path.stat().st_size / 1e6:.0f} MB with digest, whole process, median",
            value=statistics.median(seconds),
            unit="s",
            target=2.0,
            low=min(seconds),
            high=max(seconds),
        ),
        Bar(bar="… peak memory", value=max(peaks), unit="MB", target=120.0),
    ]


def _once(path: Path) -> tuple[float, float]:
    start = time.perf_counter()
    command = [sys.executable, "-c", _CODE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, json.loads(done.stdout) * 1024 / 1e6


def _large() -> Path:
    path = cache() / "weights-524.safetensors"
    if not path.exists():
        rng = np.random.default_rng(0)
        tensors = {
            f"layer{i}.weight": rng.standard_normal((2048, 2000), np.float32) * np.float32(0.02)
            for i in range(32)
        }
        save_file(tensors, path)
    path.read_bytes()
    return path
