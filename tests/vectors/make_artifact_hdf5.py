"""Writes the vectors of `artifact` for HDF5: files that h5py wrote, and each way to break one.

    python -m tests.vectors.make_artifact_hdf5           hostile files, from the committed bases
    python -m tests.vectors.make_artifact_hdf5 --bases   the bases too, by h5py

``refusals.json`` beside them says which rule must refuse each hostile file, and at which byte.
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from credenza.artifact.hdf5.checksum import lookup3

FOLDER = Path(__file__).parent / "artifact" / "hdf5"
CONFIG = '{"class_name":"Sequential","config":{"layers":[]}}'


@dataclass(frozen=True, slots=True)
class Vector:
    """A file, the rule that refuses it, and the byte that the refusal points at."""

    name: str
    data: bytes
    rule: str
    start: int


def bases() -> None:
    """What h5py writes: in its old format and its new, and what leads out of a file."""
    import h5py
    import numpy as np

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, version in (("old", "earliest"), ("new", "latest")):
        with h5py.File(FOLDER / f"base-{name}.h5", "w", libver=version) as f:
            f.attrs["model_config"] = CONFIG
            f["xx"] = np.arange(4, dtype="<f4")
            f["yy"] = np.arange(4, 8, dtype="<f4")
    with h5py.File(FOLDER / "base-external-link.h5", "w", libver="latest") as f:
        f["out"] = h5py.ExternalLink("/etc/other.h5", "/x")
    with h5py.File(FOLDER / "base-external-storage.h5", "w") as f:
        f.create_dataset("out", (4,), "<u1", external=[("/etc/hostname", 0, 4)])
    with h5py.File(FOLDER / "base-virtual.h5", "w", libver="latest") as f:
        layout = h5py.VirtualLayout((4,), "<f4")
        layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
        f.create_virtual_dataset("out", layout)


def base(name: str) -> bytes:
    """One of the files that h5py wrote."""
    return (FOLDER / f"base-{name}.h5").read_bytes()


def patched(data: bytes, at: int, piece: bytes) -> bytes:
    """``data`` with ``piece`` at ``at``, of the same size."""
    return data[:at] + piece + data[at + len(piece) :]


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def vectors() -> list[Vector]:
    """All of them, by what they break."""
    return [*superblocks(), *addresses(), *names(), *messages(), *new(), *leading_out()]


def superblocks() -> list[Vector]:
    """The first 96 bytes, and where the file ends."""
    old, size = base("old"), len(base("old"))
    return [
        Vector("empty-file", b"", "hdf5-signature", 0),
        Vector("seven-bytes", old[:7], "hdf5-signature", 0),
        Vector("user-block", bytes(512) + old, "hdf5-signature", 0),
        Vector("version-9", patched(old, 8, b"\x09"), "hdf5-superblock", 9),
        Vector("offsets-of-4-bytes", patched(old, 13, b"\x04"), "hdf5-superblock", 13),
        Vector("base-address", patched(old, 24, u64(512)), "hdf5-superblock", 48),
        Vector("driver-block", patched(old, 48, u64(96)), "hdf5-superblock", 56),
        Vector("cut-short", old[:-1], "hdf5-size", 56),
        Vector("trailing-byte", old + b"\0", "hdf5-size", 56),
        Vector("only-a-superblock", patched(old[:96], 40, u64(96)), "hdf5-outside", 96),
        Vector("root-outside", patched(old, 64, u64(size)), "hdf5-outside", size),
        Vector("root-far-outside", patched(old, 64, u64(1 << 62)), "hdf5-outside", 1 << 62),
    ]


def layout(data: bytes, nth: int) -> int:
    """Where the address in the contiguous layout of the nth dataset of 16 bytes stands."""
    at = -1
    for _ in range(nth + 1):
        at = data.index(b"\x03\x01", at + 1)
        while data[at + 10 : at + 18] != u64(16):
            at = data.index(b"\x03\x01", at + 1)
    return at + 2


def addresses() -> list[Vector]:
    """Where things lie."""
    old, size = base("old"), len(base("old"))
    x, y = layout(old, 0), layout(old, 1)
    first = struct.unpack_from("<Q", old, x)[0]
    node = old.index(b"SNOD")
    tree, heap = old.index(b"TREE"), old.index(b"HEAP")
    root = struct.unpack_from("<Q", old, 64)[0]
    return [
        Vector("dataset-outside", patched(old, y, u64(size - 8)), "hdf5-outside", size - 8),
        Vector("dataset-at-minus-16", patched(old, y, u64((1 << 64) - 16)), "hdf5-outside",
               (1 << 64) - 16),
        Vector("dataset-over-another", patched(old, y, u64(first + 4)), "hdf5-overlap", first + 4),
        Vector("dataset-over-the-superblock", patched(old, x, u64(8)), "hdf5-overlap", 8),
        Vector("dataset-of-another-size", patched(old, x + 8, u64(8)), "array-size", x + 16),
        Vector("group-in-itself", patched(old, node + 16, u64(root)), "hdf5-overlap", root),
        Vector("tree-in-itself", patched(old, tree + 32, u64(tree)), "hdf5-tree", tree),
        Vector("tree-of-chunks", patched(old, tree + 4, b"\x01"), "hdf5-tree", tree + 8),
        Vector("tree-too-deep", patched(old, tree + 5, b"\xff"), "hdf5-tree", tree + 8),
        Vector("tree-too-long", patched(old, tree + 6, b"\xff\xff"), "hdf5-outside", tree),
        Vector("symbols-too-many", patched(old, node + 6, b"\xff\xff"), "hdf5-outside", node),
        Vector("heap-outside", patched(old, heap + 24, u64(size)), "hdf5-outside", size),
        Vector("heap-too-long", patched(old, heap + 8, u64(1 << 40)), "hdf5-outside",
               struct.unpack_from("<Q", old, heap + 24)[0]),
    ]  # fmt: skip


def names() -> list[Vector]:
    """Names in the root group, and text in the global heap."""
    old = base("old")
    node, heap, held = old.index(b"SNOD"), old.index(b"HEAP"), old.index(b"GCOL")
    segment = struct.unpack_from("<Q", old, heap + 24)[0]
    yy, entry = old.index(b"yy\0", segment), node + 8 + 40
    text = old.index(CONFIG.encode())
    reference = old.index(u64(held))
    size = struct.unpack_from("<Q", old, heap + 8)[0]
    twice = '{"class_name":"A","class_name":"B"}'.ljust(len(CONFIG)).encode()
    return [
        Vector("name-twice", patched(old, yy, b"xx"), "hdf5-name", entry),
        Vector("name-with-slash", patched(old, yy, b"y/"), "hdf5-name", entry),
        Vector("name-dots", patched(old, yy, b".."), "hdf5-name", entry),
        Vector("name-not-utf8", patched(old, yy, b"\xff\xfe"), "hdf5-text", yy),
        Vector("name-outside-its-heap", patched(old, entry, u64(size)), "hdf5-heap",
               segment + size),
        Vector("entry-of-unknown-kind", patched(old, entry + 16, b"\x07"), "hdf5-tree", entry + 40),
        Vector("text-not-in-the-heap", patched(old, reference + 8, b"\x63"), "hdf5-heap", held),
        Vector("text-heap-outside", patched(old, reference, u64(len(old))), "hdf5-outside",
               len(old)),
        Vector("text-longer-than-its-object", patched(old, reference - 4, b"\xff\xff\0\0"),
               "hdf5-truncated", text),
        Vector("text-not-utf8", patched(old, text + 3, b"\xff"), "hdf5-text", text),
        Vector("config-not-json", patched(old, text, b"("), "keras-config", text),
        Vector("config-name-twice", patched(old, text, twice), "keras-config", text),
    ]  # fmt: skip


def messages() -> list[Vector]:
    """What an object header says."""
    old = base("old")
    address = layout(old, 0)
    message = address - 10  # type, size, flags, reserved; then version and class
    header = struct.unpack_from("<Q", old, old.index(b"SNOD") + 16)[0]
    space = header + 16 + 8
    type_ = old.index(b"\x11\x20\x1f\0\x04\0\0\0", header)
    return [
        Vector("header-version-0", patched(old, header, b"\0"), "hdf5-header", header),
        Vector("header-too-long", patched(old, header + 8, b"\xff\xff\xff\x7f"), "hdf5-outside",
               header + 16),
        Vector("message-unknown", patched(old, message, b"\x19"), "hdf5-header", message),
        Vector("message-not-aligned", patched(old, message + 2, b"\x07"), "hdf5-header",
               message + 8),
        Vector("message-too-long", patched(old, message + 2, b"\xf8\xff"), "hdf5-truncated",
               message + 8),
        Vector("layout-version-1", patched(old, address - 2, b"\x01"), "hdf5-layout", address),
        Vector("layout-class-9", patched(old, address - 1, b"\x09"), "hdf5-layout", address),
        Vector("layout-virtual", patched(old, address - 1, b"\x03"), "hdf5-external", address),
        Vector("two-types", patched(old, message, b"\x03"), "hdf5-header", address - 2),
        Vector("space-version-7", patched(old, space, b"\x07"), "hdf5-space", space),
        Vector("space-of-33-axes", patched(old, space + 1, b"\x21"), "hdf5-space", space),
        Vector("space-beyond-files", patched(old, space + 8, u64(1 << 60)), "hdf5-space", space),
        Vector("type-version-0", patched(old, type_, b"\x01"), "hdf5-type", type_),
        Vector("type-class-12", patched(old, type_, b"\x1c"), "hdf5-type", type_),
        Vector("type-of-no-bytes", patched(old, type_ + 4, b"\0"), "hdf5-type", type_),
    ]  # fmt: skip


def summed(data: bytes, signature_at: int, at: int, piece: bytes) -> bytes:
    """A patched object header of version 2, whose checksum is right all the same."""
    flags = data[signature_at + 5]
    width = 1 << (flags & 3)
    skipped = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    length = int.from_bytes(data[signature_at + skipped :][:width], "little")
    stop = signature_at + skipped + width + length
    changed = patched(data, at, piece)
    return patched(changed, stop, struct.pack("<I", lookup3(changed[signature_at:stop])))


def new() -> list[Vector]:
    """What the new format has: checksums, and headers without alignment."""
    data, size = base("new"), len(base("new"))
    root = data.index(b"OHDR")
    return [
        Vector("new-superblock-flipped", patched(data, 28, u64(size + 1)), "hdf5-checksum", 44),
        Vector("new-header-flipped", patched(data, root + 8, b"\xff"), "hdf5-checksum",
               _sum_at(data, root)),
        Vector("new-header-flags", summed(data, root, root + 5, b"\xe0"), "hdf5-header", root + 6),
        Vector("new-header-outside", patched(patched(data, 36, u64(size - 2)), 44,
               struct.pack("<I", lookup3(patched(data, 36, u64(size - 2))[:44]))),
               "hdf5-outside", size - 2),
    ]  # fmt: skip


def _sum_at(data: bytes, header: int) -> int:
    flags = data[header + 5]
    width = 1 << (flags & 3)
    skipped = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    length = int.from_bytes(data[header + skipped :][:width], "little")
    return header + skipped + width + length


def leading_out() -> list[Vector]:
    """What would open another file."""
    link = base("external-link")
    root = link.index(b"OHDR")
    at = link.index(b"\x01\x08\x40")
    storage, virtual = base("external-storage"), base("virtual")
    return [
        Vector("external-link", link, "hdf5-external", at),
        Vector("users-own-link", summed(link, root, at + 2, b"\x41"), "hdf5-external", at),
        Vector("external-storage", storage, "hdf5-external",
               struct.unpack_from("<Q", storage, storage.index(b"SNOD") + 16)[0]),
        Vector("virtual-dataset", virtual, "hdf5-external", virtual.index(b"\x04\x03") + 2),
    ]  # fmt: skip


def expected() -> str:
    """What is expected of each file, as the JSON beside them."""
    table = {v.name: {"rule": f"artifact.{v.rule}", "start": v.start} for v in vectors()}
    return json.dumps(table, indent=1) + "\n"


def main() -> None:
    if "--bases" in sys.argv:
        bases()
    for vector in vectors():
        (FOLDER / f"{vector.name}.h5").write_bytes(vector.data)
    (FOLDER / "refusals.json").write_text(expected())


if __name__ == "__main__":
    main()
