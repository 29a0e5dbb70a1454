"""What has been said about one model: its seal and further statements, an envelope a line.

Specification: docs/formats/bundle.md.
"""

from __future__ import annotations

import msgspec

from credenza.attest.envelope import Envelope
from credenza.errors import InputError

MOST_LINES = 1024
LARGEST_LINE = 16 * 2**20
"""Of each line but the first, in bytes."""


class Bundle(msgspec.Struct, frozen=True):
    """A seal's envelope and those of the other statements. No payload of them is parsed here.

    ``Bundle.parse(bytes(b)) == b``, and ``parse`` accepts nothing that ``bytes`` would not have
    written.
    """

    seal: Envelope
    others: tuple[Envelope, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Bundle:
        """Read a bundle. Raises `InputError` for anything but the one spelling of one."""
        seal, *others = envelopes(data, "bundle", MOST_LINES, LARGEST_LINE)
        return cls(seal, tuple(others))

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, (self.seal, *self.others)))


def envelopes(data: bytes, what: str, most: int, largest: int) -> list[Envelope]:
    """The envelopes of a file that holds one a line; ``largest`` is no bound for the first.

    Raises `InputError` where there is none, or more than ``most``, where a line is too long, is no
    envelope in its one spelling, or comes twice.
    """
    count = data.count(b"\n")
    if not 1 <= count <= most or not data.endswith(b"\n"):
        raise InputError(f"{what}: 1 to {most} whole lines expected, {count} found")
    lines = [data] if count == 1 else [line + b"\n" for line in data.split(b"\n")[:-1]]
    found = []
    for number, line in enumerate(lines, 1):
        if number > 1 and len(line) > largest:
            raise InputError(f"{what}: line {number}: at most {largest} bytes expected")
        try:
            found.append(Envelope.parse(line))
        except InputError as e:
            raise InputError(f"{what}: line {number}: {e}") from e
    if len(set(lines)) < len(lines):
        raise InputError(f"{what}: a line comes twice")
    return found
