"""ML-DSA-65: FIPS 204, in key files as RFC 9881 says."""

from __future__ import annotations

import secrets
from types import ModuleType
from typing import TYPE_CHECKING, final

from credenza.attest.der import Reader, algorithm, tlv
from credenza.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import mldsa

SIGNATURE_SIZE = 3309
_SEED = 0x80  # the choice "seed" of ML-DSA-65-PrivateKey


@final
class MlDsa65:
    """A secret is the seed of 32 bytes. A signature has 3,309 bytes.

    Every method that computes raises `InputError` where ``cryptography`` has no ML-DSA.
    """

    name = "ml-dsa-65"
    title = "ML-DSA-65"
    algorithm = algorithm("2.16.840.1.101.3.4.3.18")
    public_size = 1952

    def check(self, public: bytes) -> None:
        """Any 1,952 bytes are a key: each ten bits of them are a number that may be there."""

    def new_secret(self) -> bytes:
        mldsa65()
        return secrets.token_bytes(32)

    def public(self, secret: bytes) -> bytes:
        return _key(secret).public_key().public_bytes_raw()

    def wrap(self, secret: bytes) -> bytes:
        return tlv(_SEED, secret)

    def unwrap(self, private_key: bytes) -> bytes:
        reader = Reader(private_key)
        secret = reader.take(_SEED)
        reader.end()
        if len(secret) != 32:
            raise ValueError(f"a seed of 32 bytes expected, {len(secret)} found")
        return secret

    def sign(self, secret: bytes, message: bytes, context: bytes = b"") -> bytes:
        return _key(secret).sign(message, context)

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes = b"") -> None:
        from cryptography.exceptions import InvalidSignature

        try:
            mldsa65().MLDSA65PublicKey.from_public_bytes(public).verify(signature, message, context)
        except InvalidSignature as e:
            raise ValueError("no signature by this key") from e


def mldsa65() -> ModuleType:
    """The module that computes ML-DSA. Raises `InputError` where there is none."""
    try:
        from cryptography.hazmat.backends.openssl.backend import backend
        from cryptography.hazmat.primitives.asymmetric import mldsa

        there = backend.mldsa_supported()
    except (ImportError, AttributeError):
        there = False
    if not there:
        raise InputError(
            "ML-DSA-65: cryptography 47 or newer, with an OpenSSL that has it, expected",
            hint="pip install -U cryptography",
        )
    return mldsa


def _key(secret: bytes) -> mldsa.MLDSA65PrivateKey:
    key: mldsa.MLDSA65PrivateKey = mldsa65().MLDSA65PrivateKey.from_seed_bytes(secret)
    return key
