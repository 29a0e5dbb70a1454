"""The hash function of the digest tree, one domain a level. docs/formats/seal.md, "Digest tree"."""

from __future__ import annotations

import enum
import functools
import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import blake3

from credenza.errors import InputError

Digest = bytes
Level = str


class Hasher(Protocol):
    """A running hash."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take in more bytes."""
        ...

    def digest(self) -> bytes:
        """The 32-byte digest of all bytes so far."""
        ...


class Algorithm(enum.Enum):
    """A hash function by its name in a seal. BLAKE3 is the faster, SHA-256 the approved (FIPS)."""

    BLAKE3 = "blake3"
    SHA256 = "sha256"

    def maker(self, level: Level) -> Callable[[], Hasher]:
        """What makes a hash for that level of the tree, each time it is called."""
        return _template(self, level)

    def digest(self, level: Level, message: bytes | memoryview) -> Digest:
        """H(level, message)."""
        hasher = self.maker(level)()
        hasher.update(message)
        return hasher.digest()


@functools.cache
def _template(algorithm: Algorithm, level: Level) -> Callable[[], Hasher]:
    context = f"credenza seal v1 {level}"
    if algorithm is Algorithm.BLAKE3:
        return blake3.blake3(derive_key_context=context).copy
    tag = hashlib.sha256(context.encode()).digest()
    return hashlib.sha256(tag + tag).copy


def u(*numbers: int) -> bytes:
    """Each number in 8 bytes, little-endian: the specification's ``u``, joined."""
    return _LAYOUTS[len(numbers)](*numbers)


def s(text: str) -> bytes:
    """A text: its length in bytes, then its UTF-8: the specification's ``s``."""
    try:
        data = text.encode()
    except UnicodeEncodeError as e:  # a lone surrogate, as a pickle may hold one
        raise InputError(f"seal: a name that is text expected, {text!a} found") from e
    return u(len(data)) + data


_LAYOUTS: Final = tuple(struct.Struct(f"<{n}Q").pack for n in range(256))


def several(items: Sequence[bytes]) -> bytes:
    """Items: how many, then each: the specification's ``l``."""
    return u(len(items)) + b"".join(items)
