"""What a kind of key is."""

from __future__ import annotations

from typing import Protocol


class Kind(Protocol):
    """A kind of key: how its halves are spelled, and how they sign and verify.

    A public key is ``public_size`` bytes, a secret 32 bytes or more; each has one spelling, so a
    key has one id. A kind imports its arithmetic when it is used, not before.
    """

    @property
    def name(self) -> str:
        """What a user types."""
        ...

    @property
    def title(self) -> str:
        """What a person reads."""
        ...

    @property
    def algorithm(self) -> bytes:
        """The DER AlgorithmIdentifier of both halves in SubjectPublicKeyInfo and PKCS#8."""
        ...

    @property
    def public_size(self) -> int:
        """Bytes of a public key."""
        ...

    def check(self, public: bytes) -> None:
        """Raises `ValueError`, which says why, where these ``public_size`` bytes are no key."""
        ...

    def new_secret(self) -> bytes:
        """A new secret, from the system's randomness."""
        ...

    def public(self, secret: bytes) -> bytes:
        """The public key of a secret. Raises `ValueError` where the secret is none."""
        ...

    def wrap(self, secret: bytes) -> bytes:
        """The secret as the privateKey of PKCS#8 (RFC 5958) holds it."""
        ...

    def unwrap(self, private_key: bytes) -> bytes:
        """The secret in a privateKey. Raises `ValueError` for any but the spelling of `wrap`."""
        ...

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """A signature over the message."""
        ...

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises `ValueError` unless the secret's owner made this very signature over it.

        Nobody without the secret can make a second signature out of a first.
        """
        ...
