"""Two versions of a model of 1.5 GB, compared in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file

from benchmarks.environments import cache

GIGABYTES: Final = 1.5
_SIZE: Final = 2048
_INNER: Final = 5632
_SYMBOLS: Final = 32_000

_CODE: Final = """
import json, resource, sys, time
import credenza
from credenza.diff import compare
start = time.monotonic()
found = compare(credenza.open(sys.argv[1]), credenza.open(sys.argv[2]))
print(json.dumps({
    "seconds": time.monotonic() - start,
    "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    "named": found.verdict.kind,
    "tensors": len(found.shared),
}))
"""


@dataclass(frozen=True, slots=True)
class Timed:
    """A comparison: which, seconds, and the most memory that its process held, in GB."""

    what: str
    seconds: float
    gigabytes: float
    named: str
    size: float


def timed(dtype: torch.dtype, *, gigabytes: float = GIGABYTES) -> Timed:
    """A fine-tune of a sharded model of that size and type, compared with where it came from.

    The files are in the page cache, as they are after a download; weights are random, and every
    element moved, which is the most work.
    """
    old, new = (_made(dtype, gigabytes, version) for version in (0, 1))
    run = [sys.executable, "-c", _CODE, str(old), str(new)]
    env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=env)
    told = json.loads(done.stdout)
    size = sum(f.stat().st_size for f in old.iterdir()) / 1e9
    what = f"{size:.2f} GB of {str(dtype).removeprefix('torch.')}, sharded"
    return Timed(what, told["seconds"], told["gigabytes"], told["named"], size)


def _made(dtype: torch.dtype, gigabytes: float, version: int) -> Path:
    label = str(dtype).removeprefix("torch.")
    folder = cache() / "diff-1" / f"large-{label}-{gigabytes:g}-{version}"
    done = folder.parent / f"{folder.name}.done"
    if not done.exists():
        _write(folder, dtype, gigabytes, version)
        done.touch()
    return folder


def _write(folder: Path, dtype: torch.dtype, gigabytes: float, version: int) -> None:
    """Blocks of a decoder of 1.1 billion parameters, as many as the size allows, one a shard."""
    folder.mkdir(parents=True, exist_ok=True)
    width = torch.finfo(dtype).bits // 8
    left = gigabytes * 1e9
    generator, moved = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
    index = 0
    while left > 0:
        shapes = _shapes(index)
        tensors = {}
        for name, shape in shapes.items():
            base = torch.randn(shape, generator=generator) * 0.02
            base = base.to(dtype)
            step = torch.randn(shape, generator=moved) * 0.002 if version else 0.0
            tensors[name] = (base.float() + step).to(dtype)
            left -= base.numel() * width
        save_file(tensors, folder / f"model-{index:05}.safetensors")
        index += 1


def _shapes(index: int) -> dict[str, tuple[int, int]]:
    if index == 0:
        return {"model.embed_tokens.weight": (_SYMBOLS, _SIZE)}
    at = f"model.layers.{index - 1}"
    return {
        **{f"{at}.self_attn.{p}_proj.weight": (_SIZE, _SIZE) for p in "qkvo"},
        f"{at}.mlp.gate_proj.weight": (_INNER, _SIZE),
        f"{at}.mlp.up_proj.weight": (_INNER, _SIZE),
        f"{at}.mlp.down_proj.weight": (_SIZE, _INNER),
    }


if __name__ == "__main__":
    begun = time.monotonic()
    for kind in (torch.float32, torch.bfloat16):
        print(timed(kind), f"{time.monotonic() - begun:.0f} s")
