"""``*.index.json`` of a sharded model: which shard holds which tensor, checked against the shards.

A sharded model is several files and an index whose ``weight_map`` maps each tensor's name to its
shard's name (``save_torch_state_dict`` of huggingface_hub writes it): safetensors files in
``*.safetensors.index.json``, checkpoints of PyTorch in ``*.bin.index.json``. A loader opens the
shards that it names, so a name in it is a path, and is checked as one.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File
from credenza.artifact.paths import check_path
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where

FORMATS: Final[dict[str, frozenset[str]]] = {
    ".safetensors.index.json": frozenset({"safetensors"}),
    ".bin.index.json": frozenset({"torch", "torch-legacy"}),
}
"""How an index is called, and the formats of its shards."""

SUFFIXES: Final = tuple(FORMATS)

LONGEST_INDEX = 100_000_000
"""In bytes; as long as a safetensors header may be, which lists the same names."""


def check(index: Bytes, files: Iterable[File]) -> None:
    """Hold an index, whose name ends as one of `SUFFIXES`, against the files of its artefact.

    Raises `MalformedError` where it is not an index, where a shard's path leads out, where a
    shard or a tensor that it names is missing, and where a second shard holds a tensor too, so
    that two loaders could read two models.
    """
    mapped = _weight_map(index)
    folder = posixpath.dirname(index.path)
    paths = {shard: posixpath.join(folder, shard) for shard in sorted(set(mapped.values()))}
    for path in paths.values():
        check_path(path)
    shards = {f.path: f for f in files if f.path in set(paths.values())}
    held = {shard: _names(index, path, shards) for shard, path in paths.items()}
    for name, shard in mapped.items():
        if name not in held[shard]:
            what = "the index names a tensor that its shard does not hold"
            _refuse("index-tensor", index, what, f"it in {shard}", "none", name)
    _check_once(index, held)


def _weight_map(index: Bytes) -> Mapping[str, str]:
    if index.size > LONGEST_INDEX:
        what = "the index is too long to be one"
        _refuse("index-entry", index, what, f"up to {LONGEST_INDEX} bytes", f"{index.size}")
    try:
        members = json.loads(index.pread(0, index.size).decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as e:
        _refuse(
            "index-entry", index, "the index cannot be read", "JSON with each name once", str(e)
        )
    mapped = members.get("weight_map") if isinstance(members, dict) else None
    if not isinstance(mapped, dict) or not all(isinstance(s, str) for s in mapped.values()):
        what = "the index does not map tensors to shards"
        _refuse(
            "index-entry", index, what, "weight_map, an object of strings", type(mapped).__name__
        )
    return mapped


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"{ascii(name)[:60]} is given twice")
        members[name] = value
    return members


def _names(index: Bytes, path: str, shards: Mapping[str, File]) -> frozenset[str]:
    shard = shards.get(path)
    formats = next(held for suffix, held in FORMATS.items() if index.path.endswith(suffix))
    if shard is None or shard.format not in formats:
        what = "the index names a shard that is not there"
        found = f"format {shard.format}" if shard else "no such file"
        wanted = f"a file {path!r} of the format {' or '.join(sorted(formats))}"
        _refuse("index-shard", index, what, wanted, found)
    return frozenset(t.name for t in shard.tensors)


def _check_once(index: Bytes, held: Mapping[str, frozenset[str]]) -> None:
    first: dict[str, str] = {}
    for shard, names in held.items():
        for name in sorted(names):
            if first.setdefault(name, shard) != shard:
                what = "two shards hold a tensor of one name"
                _refuse(
                    "index-twice", index, what, f"it in {first[name]} alone", f"in {shard}", name
                )


def _refuse(
    rule: str, index: Bytes, what: str, expected: str, found: str, tensor: str | None = None
) -> NoReturn:
    raise MalformedError(
        Finding(
            rule=f"artifact.{rule}",
            severity=Severity.HIGH,
            what=what,
            where=Where(file=index.path, tensor=tensor and ascii(tensor)[1:-1]),
            expected=expected,
            found=found,
        )
    )
