"""Elliptic-curve keys as OMS takes them: P-256, P-384 and P-521, in PEM.

ossf/model-signing-spec, algorithm-registry.md, "Signing Key Types"; each curve with the hash that
Sigstore's registry pairs it with.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from credenza.attest import Signature
from credenza.errors import InputError
from credenza.files import read_whole

PublicKey = ec.EllipticCurvePublicKey

LARGEST_KEY_FILE: Final = 64 * 1024
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_HINT = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE makes one"


class PublicHalf(Protocol):
    """What others may have of a key."""

    @property
    def pem(self) -> bytes:
        """Its SubjectPublicKeyInfo, in PEM."""
        ...


class KeySigner(Protocol):
    """Signs with a key that it names: a key in a file, or whatever else holds one."""

    @property
    def public(self) -> PublicHalf:
        """The key's public half."""
        ...

    def sign(self, message: bytes) -> Signature:
        """ECDSA (FIPS 186-5) over ``message`` with the curve's hash, in DER."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Pem:
    """A public key in PEM."""

    pem: bytes


@final
@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key in memory to sign with."""

    raw: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, path: Path, password: bytes | None = None) -> PrivateKey:
        """A private key from its PEM file, decrypted with ``password`` where it is encrypted.

        Raises `InputError` for anything but a key on P-256, P-384 or P-521, for a wrong or missing
        password, and for one that the key does not need.
        """
        data = read_whole(path, limit=LARGEST_KEY_FILE)
        try:
            key = serialization.load_pem_private_key(data, password)
        except TypeError as e:
            needs = "is encrypted, and no password was given"
            unasked = "is not encrypted, and a password was given"
            raise InputError(f"{path}: the key {needs if password is None else unasked}") from e
        except (ValueError, UnsupportedAlgorithm) as e:
            what = "a private key in PEM" + (" and its password" if password is not None else "")
            raise InputError(f"{path}: {what} expected") from e
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _HASHES:
            what = "a private key on P-256, P-384 or P-521 expected, another kind found"
            raise InputError(f"{path}: {what}", hint=_HINT)
        return cls(key)

    @property
    def public(self) -> Pem:
        """The key's public half."""
        return Pem(_encoded(self.raw.public_key(), serialization.Encoding.PEM))

    def sign(self, message: bytes) -> Signature:
        """ECDSA over ``message`` with the curve's hash, in DER."""
        raw = self.raw.sign(message, ec.ECDSA(_HASHES[self.raw.curve.name]))
        return Signature(key_id(self.raw.public_key()), raw)


def load_public_key(pem: bytes, what: str) -> PublicKey:
    """A public key from PEM. Raises `InputError` for any other."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise InputError(f"{what}: a public key in PEM expected") from e
    return supported(key, what)


def supported(key: object, what: str) -> PublicKey:
    """The key, if OMS takes it. Raises `InputError` for any other."""
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise InputError(f"{what}: a key on P-256, P-384 or P-521 expected, another kind found")
    return key


def key_id(key: PublicKey) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo, in hex: the key's name in everything we say."""
    return hashlib.sha256(_encoded(key, serialization.Encoding.DER)).hexdigest()


def hint(key: PublicKey) -> str:
    """The fingerprint that OMS bundles name a key by: SHA-256 of its PEM, in hex.

    The specification says "a hex-encoded key fingerprint" (section 4.1); of what, its vectors say.
    """
    return hashlib.sha256(_encoded(key, serialization.Encoding.PEM)).hexdigest()


def is_signed(
    key: PublicKey, message: bytes, signature: bytes, hash_: hashes.HashAlgorithm | None = None
) -> bool:
    """Whether the key's owner signed ``message``, with the curve's hash unless another is named."""
    try:
        key.verify(signature, message, ec.ECDSA(hash_ or _HASHES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


def _encoded(key: PublicKey, encoding: serialization.Encoding) -> bytes:
    return key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
