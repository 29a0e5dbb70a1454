"""Keys from the data key, and the STREAM construction over AES-256-GCM.

Specification: docs/formats/encrypted.md. STREAM: Hoang, Reyhanitabar, Rogaway and Vizár, "Online
Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from credenza.seal.digests import u

RECORD = 2**20
"""The bytes of a record's plaintext, where nothing asks for another size."""

TAG = 16
NO_ROOT = bytes(32)
"""What stands for the model root while the seal, which tells it, is still encrypted."""

_PURPOSE = b"credenza encrypted v1 "
_LAST = b"\1"


class NotOpenedError(Exception):
    """A record does not open. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """The secret of one encrypted model, and its public id; 32 bytes each."""

    secret: bytes = field(repr=False)
    container: bytes
    _prk: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # HKDF-Extract (RFC 5869, section 2.2) with SHA-256, salted with the container id.
        object.__setattr__(self, "_prk", hmac.digest(self.container, self.secret, "sha256"))

    @classmethod
    def new(cls) -> Self:
        """Another random key for another model."""
        return cls(os.urandom(32), os.urandom(32))

    def header_mac(self, header: bytes) -> bytes:
        """What authenticates the header under this key: 32 bytes."""
        return hmac.digest(self._derived(b"header"), header, "sha256")

    def stream(self, number: int, root: bytes, count: int) -> Stream:
        """The stream of that number, which has ``count`` records."""
        cipher = AESGCM(self._derived(b"stream " + u(number)))
        return Stream(cipher, self.container + root + u(number), count)

    def _derived(self, purpose: bytes) -> bytes:
        # HKDF-Expand (RFC 5869, section 2.3) for one block of output.
        return hmac.digest(self._prk, _PURPOSE + purpose + b"\1", "sha256")


@dataclass(frozen=True, slots=True)
class Stream:
    """Records under one key, each bound to its place and to being the last or not."""

    cipher: AESGCM
    bound: bytes
    count: int

    def seal(self, index: int, plain: memoryview | bytes, into: memoryview) -> None:
        """Encrypt a record into ``into``, which is `TAG` bytes longer."""
        nonce, data = self._place(index)
        self.cipher.encrypt_into(nonce, plain, data, into)

    def open(self, index: int, sealed: memoryview | bytes, into: memoryview) -> None:
        """Decrypt a record into ``into``, which is `TAG` bytes shorter.

        Raises `NotOpenedError` where it is not the record of that place; what is in ``into`` is
        worthless then.
        """
        nonce, data = self._place(index)
        try:
            self.cipher.decrypt_into(nonce, sealed, data, into)
        except InvalidTag as e:
            raise NotOpenedError from e

    def _place(self, index: int) -> tuple[bytes, bytes]:
        last = _LAST if index == self.count - 1 else b"\0"
        return index.to_bytes(11, "big") + last, self.bound + u(index) + u(self.count) + last
