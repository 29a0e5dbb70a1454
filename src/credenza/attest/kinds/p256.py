"""ECDSA on P-256 with SHA-256: FIPS 186-5, in key files as RFC 5480 and RFC 5915 say."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from credenza.attest.der import (
    BIT_STRING,
    OCTET_STRING,
    SEQUENCE,
    Reader,
    algorithm,
    integer,
    oid,
    tlv,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PUBLIC_KEY = 0xA1  # ECPrivateKey.publicKey, RFC 5915


@final
class P256:
    """A secret is the 32 bytes of the private scalar. A public key is an uncompressed point.

    A signature is the DER of ECDSA-Sig-Value (RFC 3279, 2.2.3) with s of at most half the group's
    order: of the two signatures (r, s) and (r, −s) only that one counts.
    """

    name = "p256"
    title = "ECDSA P-256"
    algorithm = algorithm("1.2.840.10045.2.1", oid("1.2.840.10045.3.1.7"))
    public_size = 65

    def check(self, public: bytes) -> None:
        """Refuses compressed points, and those that are not on the curve."""
        from cryptography.hazmat.primitives.asymmetric import ec

        if public[0] != 0x04:
            raise ValueError("an uncompressed point expected")
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)

    def new_secret(self) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec

        scalar = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        return scalar.to_bytes(32, "big")

    def public(self, secret: bytes) -> bytes:
        numbers = _key(secret).public_key().public_numbers()
        return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def wrap(self, secret: bytes) -> bytes:
        public = tlv(_PUBLIC_KEY, tlv(BIT_STRING, b"\0", self.public(secret)))
        return tlv(SEQUENCE, integer(1), tlv(OCTET_STRING, secret), public)

    def unwrap(self, private_key: bytes) -> bytes:
        fields = Reader(private_key).sequence()
        fields.integer()
        secret = fields.take(OCTET_STRING)
        if self.wrap(secret) != private_key:
            raise ValueError("an ECPrivateKey with its own public key expected, another found")
        return secret

    def sign(self, secret: bytes, message: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        return low_s(_key(secret).sign(message, ec.ECDSA(hashes.SHA256())))

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if low_s(signature) != signature:
            raise ValueError("s is over half the group's order")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as e:
            raise ValueError("no signature by this key") from e


def low_s(signature: bytes) -> bytes:
    """The same signature with s of at most half the group's order.

    Raises `ValueError` where it is not DER of two numbers between 0 and the group's order.
    """
    outer = Reader(signature)
    numbers = outer.sequence()
    r, s = numbers.integer(), numbers.integer()
    numbers.end()
    outer.end()
    return signature_of(r, s)


def signature_of(r: int, s: int) -> bytes:
    """The signature with these two numbers, s made the lower one.

    Raises `ValueError` where one of them is not between 0 and the group's order.
    """
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        raise ValueError("r and s between 0 and the group's order expected")
    return tlv(SEQUENCE, integer(r), integer(min(s, _ORDER - s)))


def _key(secret: bytes) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    scalar = int.from_bytes(secret, "big")
    if len(secret) != 32 or not 0 < scalar < _ORDER:
        raise ValueError("a scalar of 32 bytes between 0 and the group's order expected")
    return ec.derive_private_key(scalar, ec.SECP256R1())
