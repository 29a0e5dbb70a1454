"""The hash functions of OMS, by the names in its algorithm registry.

ossf/model-signing-spec, algorithm-registry.md, "File Hashing Algorithms".
"""

from __future__ import annotations

import enum
import hashlib

from credenza.seal.digests import Hasher


class Hash(enum.Enum):
    """A hash function by its name in a signature. Every verifier has SHA-256; the rest may not."""

    SHA256 = "sha256"
    BLAKE2B = "blake2b"
    BLAKE3 = "blake3"

    @property
    def size(self) -> int:
        """Bytes of a digest."""
        return 64 if self is Hash.BLAKE2B else 32

    def new(self, *, threads: bool = False) -> Hasher:
        """A running hash; one that may use every core where ``threads``, if it can (BLAKE3)."""
        if self is Hash.SHA256:
            return hashlib.sha256()
        if self is Hash.BLAKE2B:
            return hashlib.blake2b()  # 64 bytes, no key: RFC 7693
        from blake3 import blake3

        return blake3(max_threads=blake3.AUTO if threads else 1)
