"""Generated models, kept in a cache folder outside the repository and reused by later runs."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.environments import cache

Shape = tuple[int, int]

LARGE: Final = "layers.33.large"
"""The tensor that is verified alone: 8 MiB."""

_KINDS: Final[tuple[tuple[str, int, Shape], ...]] = (
    ("large", 100, (2048, 1024)),
    ("middle", 150, (1024, 1024)),
    ("small", 50, (160, 1024)),
)
"""Name, how many, shape: 300 tensors of float32, 1.5 GB."""

SHARDS: Final = 8
SMALL_FILES: Final = 2_000
SMALL_SIZE: Final = 4_096


@dataclass(frozen=True, slots=True)
class Models:
    """The models that are measured, each a folder; ``nbytes`` of the large ones' tensors."""

    one: Path
    shards: Path
    small: Path
    ten: Path
    nbytes: int

    def twin(self, model: Path) -> Path:
        """The same files once more, by hard links: for a peer that would stumble over our seal."""
        twin = model.with_name(f"{model.name}-twin")
        if not twin.exists():
            shutil.copytree(model, twin, copy_function=os.link, ignore=_seals)
        return twin

    @property
    def file(self) -> Path:
        """The one file of ``one``."""
        return self.one / "model.safetensors"


def make() -> Models:
    """The models, made where they are not there yet."""
    folder = cache() / "models-1"
    names = sorted(_names())
    models = Models(
        one=folder / "one",
        shards=folder / "shards",
        small=folder / "small",
        ten=folder / "ten",
        nbytes=sum(4 * a * b for _, (a, b) in names),
    )
    done = folder / "done"
    if not done.exists():
        for path in (models.one, models.shards, models.small, models.ten):
            path.mkdir(parents=True, exist_ok=True)
        _safetensors(models.file, names)
        _sharded(models.shards, names)
        _safetensors(models.ten / "model.safetensors", [(f"t{i}", (256, 1024)) for i in range(10)])
        rng = np.random.default_rng(1)
        for i in range(SMALL_FILES):
            path = models.small / f"{i // 100:02}" / f"{i % 100:02}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"\xff" + rng.bytes(SMALL_SIZE - 1))  # no format begins so
        done.touch()
    return models


def _seals(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "credenza.seal"]


def _names() -> Iterator[tuple[str, Shape]]:
    for kind, count, shape in _KINDS:
        for i in range(count):
            yield f"layers.{i}.{kind}", shape


def _sharded(folder: Path, names: Sequence[tuple[str, Shape]]) -> None:
    weights = {}
    for i in range(SHARDS):
        name = f"model-{i + 1:05}-of-{SHARDS:05}.safetensors"
        part = names[i::SHARDS]
        _safetensors(folder / name, part)
        weights.update({tensor: name for tensor, _ in part})
    size = sum(4 * a * b for _, (a, b) in names)
    index = {"metadata": {"total_size": size}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def _safetensors(path: Path, names: Sequence[tuple[str, Shape]]) -> None:
    header = {}
    at = 0
    for name, (rows, columns) in names:
        stop = at + 4 * rows * columns
        entry = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [at, stop]}
        header[name] = entry
        at = stop
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in names:
            file.write(rng.standard_normal(shape, np.float32).data)
