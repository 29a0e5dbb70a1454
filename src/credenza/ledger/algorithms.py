"""What the keys of logs and witnesses sign with: Ed25519 (RFC 8032) and ML-DSA-44 (FIPS 204)."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from credenza.errors import InputError


class Kind(enum.IntEnum):
    """The type byte of a key: what it signs with, and what its signature says."""

    LOG = 0x01
    COSIGNER = 0x04
    COSIGNER_ML_DSA = 0x06


PUBLIC_SIZES = {Kind.LOG: 32, Kind.COSIGNER: 32, Kind.COSIGNER_ML_DSA: 1312}
SIGNATURE_SIZES = {Kind.LOG: 64, Kind.COSIGNER: 64, Kind.COSIGNER_ML_DSA: 2420}


def verify(kind: Kind, public: bytes, signature: bytes, message: bytes) -> None:
    """Raises `InvalidSignature` unless the key's owner signed ``message``."""
    if kind is not Kind.COSIGNER_ML_DSA:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return
    with _ml_dsa():
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)


def sign(kind: Kind, seed: bytes, message: bytes) -> bytes:
    """A signature over ``message``, by the key of that seed."""
    if kind is not Kind.COSIGNER_ML_DSA:
        return Ed25519PrivateKey.from_private_bytes(seed).sign(message)
    with _ml_dsa():
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        return MLDSA44PrivateKey.from_seed_bytes(seed).sign(message)


def public(kind: Kind, seed: bytes) -> bytes:
    """The public half of the key of that seed."""
    if kind is not Kind.COSIGNER_ML_DSA:
        return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    with _ml_dsa():
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        return MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


@contextlib.contextmanager
def _ml_dsa() -> Iterator[None]:
    """Older releases of cryptography have no ML-DSA, nor have all builds of OpenSSL."""
    try:
        yield
    except (ImportError, UnsupportedAlgorithm) as e:
        raise InputError("ML-DSA-44 needs a newer release of the package cryptography") from e
