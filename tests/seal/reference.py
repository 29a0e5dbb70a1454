"""The model root, straight from docs/formats/seal.md: no code of the package, no cleverness."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import blake3


def root(predicate: dict[str, Any], model: Path) -> str:
    """The root of the model on disk, laid out as the predicate says, in hex."""
    algorithm = predicate["algorithm"]
    files = [
        _file(algorithm, file, (model / file["path"]).read_bytes()) for file in predicate["files"]
    ]
    return _h(algorithm, "model", _l(files)).hex()


def predicate_of(payload: str) -> dict[str, Any]:
    """The predicate in an envelope's payload."""
    predicate = json.loads(base64.b64decode(payload))["predicate"]
    assert isinstance(predicate, dict)
    return predicate


def _file(algorithm: str, file: dict[str, Any], data: bytes) -> bytes:
    ends = [s["start"] for s in file["segments"][1:]] + [len(data)]
    segments = []
    sizes = []
    for segment, end in zip(file["segments"], ends, strict=bool(file["segments"])):
        part = data[segment["start"] : end]
        size = segment["chunk"]
        chunks = [_h(algorithm, "chunk", part[i : i + size]) for i in range(0, len(part), size)]
        assert b"".join(chunks) == base64.b64decode(segment["digests"])
        segments.append(_h(algorithm, "segment", _u(len(part)) + _u(size) + _l(chunks)))
        sizes.append(len(part))
    tensors = [_tensor(algorithm, t, segments, sizes) for t in file["tensors"]]
    return _h(
        algorithm,
        "file",
        _s(file["path"]) + _u(len(data)) + _s(file["format"]) + _l(segments) + _l(tensors),
    )


def _tensor(algorithm: str, t: dict[str, Any], segments: list[bytes], sizes: list[int]) -> bytes:
    index = t.get("segment")
    size = 0 if index is None else sizes[index]
    message = (
        _s(t["name"])
        + _s(t["dtype"])
        + _l([_u(n) for n in t["shape"]])
        + _u(t.get("offset", 0))
        + _l([_u(n) for n in t.get("strides", [])])
        + _s(t.get("byteorder", "little"))
        + _s(t.get("encoding", "raw"))
        + _u(t.get("decoded", size))
    )
    view = _u(len(segments)) if index is None else _u(index) + segments[index]
    return _h(algorithm, "tensor", message + view)


def _h(algorithm: str, level: str, message: bytes) -> bytes:
    context = f"credenza seal v1 {level}"
    if algorithm == "blake3":
        return blake3.blake3(message, derive_key_context=context).digest()
    tag = hashlib.sha256(context.encode()).digest()
    return hashlib.sha256(tag + tag + message).digest()


def _u(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _s(text: str) -> bytes:
    return _u(len(text.encode())) + text.encode()


def _l(items: list[bytes]) -> bytes:
    return _u(len(items)) + b"".join(items)
