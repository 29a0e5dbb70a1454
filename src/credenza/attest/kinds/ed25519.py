"""Ed25519: RFC 8032, in key files as RFC 8410 says."""

from __future__ import annotations

from typing import final

from credenza.attest.der import OCTET_STRING, Reader, algorithm, tlv

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})
"""The y of the points of order 1, 2, 4 and 8: a key of these accepts signatures of nobody."""


@final
class Ed25519:
    """A secret is the 32 bytes of RFC 8032, 5.1.5. A signature has 64 bytes."""

    name = "ed25519"
    title = "Ed25519"
    algorithm = algorithm("1.3.101.112")
    public_size = 32

    def check(self, public: bytes) -> None:
        """Refuses what is no point, no canonical one, or one of small order."""
        y = int.from_bytes(public, "little") & (2**255 - 1)
        if y >= _P:
            raise ValueError("the point is not in its canonical form")
        if y in _SMALL_ORDER:
            raise ValueError("the point is of small order")
        square = (y * y - 1) * (_D * y * y + 1) % _P  # x² times a square
        if pow(square, (_P - 1) // 2, _P) != 1:
            raise ValueError("the point is not on the curve")

    def new_secret(self) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.generate().private_bytes_raw()

    def public(self, secret: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()

    def wrap(self, secret: bytes) -> bytes:
        return tlv(OCTET_STRING, secret)

    def unwrap(self, private_key: bytes) -> bytes:
        reader = Reader(private_key)
        secret = reader.take(OCTET_STRING)
        reader.end()
        if len(secret) != 32:
            raise ValueError(f"a secret of 32 bytes expected, {len(secret)} found")
        return secret

    def sign(self, secret: bytes, message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(secret).sign(message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """By OpenSSL, which refuses S of the group's order or more (RFC 8032, 5.1.7)."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature as e:
            raise ValueError("no signature by this key") from e
