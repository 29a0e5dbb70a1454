"""What is said, and the entry that stands for it in the tree."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TypeAlias

from credenza.attest import Envelope
from credenza.errors import InputError
from credenza.ledger.entry import Entry

Content: TypeAlias = Entry | Envelope
"""An act, or a signed attestation: a seal, an approval, an examination."""

LARGEST_CONTENT = 2**30  # bytes, as the largest seal
KINDS: dict[str, type[Entry | Envelope]] = {"act": Entry, "envelope": Envelope}
_LEAF = re.compile(rf"({'|'.join(KINDS)}) sha256:([0-9a-f]{{64}})".encode())


@dataclass(frozen=True, slots=True)
class Leaf:
    """An entry of the log: the kind of a content, and SHA-256 over its bytes.

    ``Leaf.parse(bytes(leaf)) == leaf``, and ``parse`` accepts nothing else.
    """

    kind: str
    digest: bytes

    @classmethod
    def of(cls, content: Content) -> Leaf:
        """The entry that stands for ``content``."""
        [kind] = [kind for kind, made in KINDS.items() if isinstance(content, made)]
        return cls(kind, hashlib.sha256(bytes(content)).digest())

    @classmethod
    def parse(cls, data: bytes) -> Leaf:
        """Read an entry. Raises `InputError` for anything but its one spelling."""
        match = _LEAF.fullmatch(data)
        if match is None:
            raise InputError(f"entry: KIND sha256:DIGEST expected, {data[:80]!r} found")
        return cls(match[1].decode(), bytes.fromhex(match[2].decode()))

    def __bytes__(self) -> bytes:
        return f"{self.kind} sha256:{self.digest.hex()}".encode()

    def content(self, data: bytes) -> Content:
        """The content, from its bytes, which were found to be of this digest.

        Raises `InputError` where they are not of its kind.
        """
        return KINDS[self.kind].parse(data)


def spelled(content: Content) -> bytes:
    """The bytes that a log keeps. Raises `InputError` where there are too many."""
    data = bytes(content)
    if len(data) > LARGEST_CONTENT:
        raise InputError(f"content: at most {LARGEST_CONTENT} bytes expected, {len(data)} given")
    return data
