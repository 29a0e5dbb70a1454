"""What is around a malicious file, and what it is called."""

from __future__ import annotations

import bz2
import io
import lzma
import random
import struct
import zipfile
import zlib
from typing import Final

from tests.scan.population.interface import Form, Malicious
from tests.scan.population.zips import gzipped, tarred, zipped

Files = tuple[tuple[str, bytes], ...]

_ENDS: Final = (
    "pkl", "pickle", "p", "pk", "bin", "dat", "pt", "pth", "ckpt", "sav", "model", "weights",
    "data", "npy", "joblib", "xyz", "safetensors", "onnx", "h5", "png", "txt", "json", "tmp",
)  # fmt: skip
_BY_CONTENT: Final = frozenset({
    "pickle", "pickle-evasion", "pickle-gadget", "torch", "joblib", "numpy", "archive", "keras h5",
    "gguf", "skops",
})  # fmt: skip
"""Where the content alone says what it is, so that any name will do."""


def renamed(vector: Malicious, rng: random.Random) -> Files:
    """Another name, or another place where the name is what tells."""
    path, data = vector.files[0]
    folder = rng.choice(("", "models/", "a/b/c/", "checkpoint-500/"))
    if vector.category not in _BY_CONTENT:
        return ((folder + path, data), *((folder + p, d) for p, d in vector.files[1:]))
    end = rng.choice(_ENDS)
    stem = rng.choice(("model", "pytorch_model", "weights", "x", "Model v2", "données"))
    return ((f"{folder}{stem}.{end}" if rng.random() < 0.9 else folder + stem, data),)


def archived(vector: Malicious, rng: random.Random) -> Files:
    """All files in one archive."""
    members = [*vector.files]
    if rng.random() < 0.5:
        members.insert(rng.randint(0, len(members)), ("README.md", b"# a model\n"))
    data = _archive(members, rng)
    if rng.random() < 0.3:
        data = _archive([("inner.bin", data)], rng)
    return ((rng.choice(("model.zip", "model.tar", "m.bin", "bundle")), data),)


def _archive(members: list[tuple[str, bytes]], rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        data = tarred(members)
        return rng.choice((bytes, gzipped, bz2.compress, lzma.compress))(data)
    return zipped(members, deflated=rng.random() < 0.5, comment=rng.choice((b"", b"made by hand")))


def compressed(vector: Malicious, rng: random.Random) -> Files:
    """The first file in one of joblib's compressions."""
    path, data = vector.files[0]
    packed = rng.choice((gzipped, bz2.compress, lzma.compress, zlib.compress))(data)
    return ((rng.choice((f"{path}.gz", path, "model.joblib", "m.bin")), packed),)


def rezipped(data: bytes, rng: random.Random, replaced: dict[str, bytes]) -> bytes:
    """A zip of torch with other members' bytes, order, compression and fields."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = [(n, replaced.get(n, old.read(n))) for n in old.namelist()]
    top = rng.choice(("archive", "model", "x", "checkpoint_500"))
    members = [(f"{top}/{name.partition('/')[2]}", content) for name, content in members]
    if rng.random() < 0.5:
        rng.shuffle(members)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as new:
        new.comment = rng.choice((b"", b"a comment", b"PK"))
        for name, content in members:
            entry = zipfile.ZipInfo(name, (1980 + rng.randint(0, 40), 1, 1, 0, 0, 0))
            if rng.random() < 0.4:
                entry.compress_type = zipfile.ZIP_DEFLATED
            if rng.random() < 0.4:
                pad = rng.randint(0, 60)
                entry.extra = struct.pack("<HH", 0x4246, pad) + b"Z" * pad  # as torch aligns
            with new.open(entry, "w", force_zip64=rng.random() < 0.2) as member:
                member.write(content)
    return made.getvalue()


def outer(vector: Malicious, rng: random.Random) -> Files:
    """One of the ways that its form allows."""
    ways = [renamed, archived]
    if vector.form == Form.PICKLE and vector.category != "torch":
        ways.append(compressed)
    return rng.choice(ways)(vector, rng)
