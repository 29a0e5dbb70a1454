"""Ed25519 and ML-DSA-65 at once: id-MLDSA65-Ed25519-SHA512.

draft-ietf-lamps-pq-composite-sigs (-19 of April 2026, with the RFC Editor). Whoever breaks one of
the two still has to break the other.
"""

from __future__ import annotations

import hashlib
from typing import final

from credenza.attest.der import algorithm
from credenza.attest.kinds.ed25519 import Ed25519
from credenza.attest.kinds.mldsa65 import SIGNATURE_SIZE, MlDsa65

_PREFIX = b"CompositeAlgorithmSignatures2025"
_LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"
_ED25519 = Ed25519()
_ML_DSA = MlDsa65()


@final
class Hybrid:
    """Secret, public key and signature are those of ML-DSA-65, then those of Ed25519.

    Both halves sign one message representative, which begins with the draft's prefix and label;
    the label is ML-DSA's context as well. So no half is a signature of its own kind over anything
    that a key of that kind would sign here, nor the other way round.
    """

    name = "hybrid"
    title = "Ed25519+ML-DSA-65"
    algorithm = algorithm("1.3.6.1.5.5.7.6.48")
    public_size = _ML_DSA.public_size + _ED25519.public_size

    def check(self, public: bytes) -> None:
        _ML_DSA.check(public[: _ML_DSA.public_size])
        _ED25519.check(public[_ML_DSA.public_size :])

    def new_secret(self) -> bytes:
        return _ML_DSA.new_secret() + _ED25519.new_secret()

    def public(self, secret: bytes) -> bytes:
        return _ML_DSA.public(secret[:32]) + _ED25519.public(secret[32:])

    def wrap(self, secret: bytes) -> bytes:
        return secret

    def unwrap(self, private_key: bytes) -> bytes:
        if len(private_key) != 64:
            raise ValueError(f"two seeds of 32 bytes expected, {len(private_key)} bytes found")
        return private_key

    def sign(self, secret: bytes, message: bytes) -> bytes:
        signed = _representative(message)
        return _ML_DSA.sign(secret[:32], signed, _LABEL) + _ED25519.sign(secret[32:], signed)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Both halves must verify."""
        signed = _representative(message)
        half = _ML_DSA.public_size
        _ML_DSA.verify(public[:half], signed, signature[:SIGNATURE_SIZE], _LABEL)
        _ED25519.verify(public[half:], signed, signature[SIGNATURE_SIZE:])


def _representative(message: bytes) -> bytes:
    """M' of the draft, for an empty application context."""
    return _PREFIX + _LABEL + b"\0" + hashlib.sha512(message).digest()
