"""The containers: one file each, and one line in `CONTAINERS`."""

from __future__ import annotations

from typing import Final

from credenza.artifact.interface import Signs
from credenza.scan.containers import signs
from credenza.scan.interface import Container
from credenza.scan.later import LaterContainer

CONTAINERS: Final[tuple[Container, ...]] = (
    LaterContainer("zip", "zip_file", "Zip", signs.Zip()),
    LaterContainer("tar", "tar_file", "Tar", signs.Tar()),
    LaterContainer("7z", "seven_zip", "SevenZip", Signs(magics=(b"7z\xbc\xaf\x27\x1c",))),
    LaterContainer(
        "compressed stream",
        "stream_file",
        "Streams",
        Signs(
            magics=(
                *(b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x1f\x8b", b"BZh"),
                *(b"\xfd7zXZ", b"]\0\0", b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd", b"ZF"),
            )
        ),
    ),
    LaterContainer("encoded text", "encoded", "Encoded", signs.Encoded()),
    LaterContainer("unopened archive", "unopened", "Unopened"),
)
"""Every container that claims a piece opens it."""
