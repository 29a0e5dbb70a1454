"""Ed25519 keys (RFC 8032) in PEM files: PKCS#8 private, SubjectPublicKeyInfo public."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from credenza.attest.envelope import Signature
from credenza.errors import InputError, UntrustedError
from credenza.files import read_whole, write_whole

_LARGEST_KEY_FILE = 64 * 1024


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that others' signatures are checked with."""

    raw: Ed25519PublicKey

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """Read a PEM file.

        Raises `InputError` for anything but an Ed25519 public key in PEM.
        """
        return cls.parse(read_whole(path, limit=_LARGEST_KEY_FILE), str(path))

    @classmethod
    def parse(cls, data: bytes, where: str) -> PublicKey:
        """A key from what a PEM file holds; ``where`` names it in errors. Raises as `read` does."""
        if b"PRIVATE KEY" in data:
            raise InputError(
                f"{where}: a public key expected, a private one found",
                hint="keep the private key to yourself; its public half is in the file NAME.pub",
            )
        try:
            key = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as e:
            raise InputError(f"{where}: a public key in PEM expected, none found") from e
        if not isinstance(key, Ed25519PublicKey):
            raise InputError(f"{where}: an Ed25519 public key expected, another kind found")
        return cls(key)

    @property
    def id(self) -> str:
        """SHA-256 of the DER SubjectPublicKeyInfo, in hex."""
        der = self.raw.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it."""
        return self.raw.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises `UntrustedError` unless this key's owner signed ``message``."""
        try:
            self.raw.verify(signature, message)
        except InvalidSignature as e:
            raise UntrustedError(f"the signature is not by key {self.id[:16]}") from e


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key to sign with."""

    raw: Ed25519PrivateKey

    @classmethod
    def read(cls, path: Path) -> PrivateKey:
        """Read a PEM file.

        Raises `InputError` for anything but an unencrypted Ed25519 private key in PEM.
        """
        data = read_whole(path, limit=_LARGEST_KEY_FILE)
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except TypeError as e:
            raise InputError(f"{path}: an unencrypted private key expected, it is encrypted") from e
        except (ValueError, UnsupportedAlgorithm) as e:
            raise InputError(f"{path}: a private key in PEM expected, none found") from e
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError(f"{path}: an Ed25519 private key expected, another kind found")
        return cls(key)

    @property
    def public(self) -> PublicKey:
        """The half that others may have."""
        return PublicKey(self.raw.public_key())

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it, unencrypted."""
        return self.raw.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def sign(self, message: bytes) -> Signature:
        """A signature over ``message``, by this key."""
        return Signature(self.public.id, self.raw.sign(message))


def new_key(path: Path) -> PrivateKey:
    """Make a key: ``path`` holds it (readable by its owner alone), ``path.pub`` its public half.

    Raises `InputError` where one of the two exists already, or cannot be written; no existing key
    is ever overwritten.
    """
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r}: a file's name expected")
    key = PrivateKey(Ed25519PrivateKey.generate())
    public_path = path.with_name(path.name + ".pub")
    write_whole(path, key.pem, mode=0o600, replace=False)
    try:
        write_whole(public_path, key.public.pem, replace=False)
    except InputError:
        path.unlink()
        raise
    return key
