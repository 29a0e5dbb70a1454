"""Recipients' keys: X25519, and its hybrid with ML-KEM-768, in PEM files; HPKE (RFC 9180) to them.

Specification: docs/formats/encrypted.md.
"""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from credenza.errors import InputError, MissingExtraError
from credenza.files import read_whole, write_whole

try:
    from cryptography.hazmat.primitives import hpke
    from cryptography.hazmat.primitives.asymmetric.mlkem import (
        MLKEM768PrivateKey,
        MLKEM768PublicKey,
    )
except ImportError as e:  # cryptography before 47
    raise MissingExtraError("an encrypted model", "encrypt") from e

_LARGEST_KEY_FILE = 64 * 1024
_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----\n[A-Za-z0-9+/=\n]+-----END \1-----\n?")

_Private: TypeAlias = X25519PrivateKey | MLKEM768PrivateKey
_Public: TypeAlias = X25519PublicKey | MLKEM768PublicKey


class Kem(enum.Enum):
    """How a data key is wrapped to a recipient, by its name in a header."""

    X25519 = "X25519"
    HYBRID = "MLKEM768-X25519"

    def suite(self) -> hpke.Suite:
        """The HPKE suite: this KEM, HKDF-SHA256, AES-256-GCM."""
        kem = hpke.KEM.X25519 if self is Kem.X25519 else hpke.KEM.MLKEM768_X25519
        return hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key to encrypt to. Its parts are in the order of its file."""

    parts: tuple[_Public, ...]

    @classmethod
    def read(cls, path: Path) -> Recipient:
        """Read a PEM file. Raises `InputError` for anything but a recipient's public key."""
        data = read_whole(path, limit=_LARGEST_KEY_FILE)
        if b"PRIVATE KEY" in data:
            raise InputError(
                f"{path}: a recipient's public key expected, a private one found",
                hint="keep the private key to yourself; its public half is in the file NAME.pub",
            )
        parts: list[_Public] = []
        for block in _blocks(path, data):
            try:
                part = serialization.load_pem_public_key(block)
            except (ValueError, UnsupportedAlgorithm) as e:
                raise InputError(f"{path}: a public key in PEM expected, none found") from e
            if not isinstance(part, X25519PublicKey | MLKEM768PublicKey):
                raise InputError(_other_kind(path))
            parts.append(part)
        _check_kinds(path, parts, (MLKEM768PublicKey, X25519PublicKey))
        return cls(tuple(parts))

    @property
    def kem(self) -> Kem:
        """Which kind it is."""
        return Kem.X25519 if len(self.parts) == 1 else Kem.HYBRID

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return b"".join(p.public_bytes(serialization.Encoding.PEM, form) for p in self.parts)

    @property
    def id(self) -> str:
        """SHA-256 of the DER SubjectPublicKeyInfo of its parts, joined, in hex."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        parts = [p.public_bytes(serialization.Encoding.DER, form) for p in self.parts]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def wrap(self, secret: bytes, info: bytes) -> bytes:
        """``secret`` for this recipient alone: HPKE's enc and ciphertext, joined.

        Raises `InputError` for a key that no secret can be shared with (RFC 7748, section 6.1).
        """
        try:
            return self.kem.suite().encrypt(secret, self._hpke_key(), info=info)
        except (ValueError, UnsupportedAlgorithm) as e:
            raise InputError(f"recipient {self.id[:16]}: nothing can be encrypted to it") from e

    def _hpke_key(self) -> X25519PublicKey | hpke.MLKEM768X25519PublicKey:
        match self.parts:
            case (MLKEM768PublicKey() as first, X25519PublicKey() as second):
                return hpke.MLKEM768X25519PublicKey(first, second)
            case (X25519PublicKey() as only,):
                return only
        raise InputError("recipient: an X25519 key, or ML-KEM-768 and X25519, expected")


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key to decrypt with. Its parts are in the order of its file."""

    parts: tuple[_Private, ...]

    @classmethod
    def new(cls, kem: Kem) -> Identity:
        """Another random key. Raises `InputError` where this system's OpenSSL lacks the kind."""
        if kem is Kem.X25519:
            return cls((X25519PrivateKey.generate(),))
        try:
            return cls((MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()))
        except UnsupportedAlgorithm as e:
            raise InputError(f"{kem.value}: this system's OpenSSL has no ML-KEM") from e

    @classmethod
    def read(cls, path: Path, password: bytes | None = None) -> Identity:
        """Read a PEM file, encrypted where a password is given.

        Raises `InputError` for anything but a recipient's private key, or for another password.
        """
        data = read_whole(path, limit=_LARGEST_KEY_FILE)
        parts: list[_Private] = []
        for block in _blocks(path, data):
            try:
                part = serialization.load_pem_private_key(block, password)
            except TypeError as e:
                raise InputError(f"{path}: {_PASSWORD[password is None]}") from e
            except (ValueError, UnsupportedAlgorithm) as e:
                wrong = " (or another password)" if password is not None else ""
                raise InputError(f"{path}: a private key in PEM expected, none found{wrong}") from e
            if not isinstance(part, X25519PrivateKey | MLKEM768PrivateKey):
                raise InputError(_other_kind(path))
            parts.append(part)
        _check_kinds(path, parts, (MLKEM768PrivateKey, X25519PrivateKey))
        return cls(tuple(parts))

    @property
    def recipient(self) -> Recipient:
        """The half that others may have."""
        return Recipient(tuple(part.public_key() for part in self.parts))

    def pem(self, password: bytes | None = None) -> bytes:
        """The key as a PEM file holds it, encrypted where a password is given."""
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password)
        form = serialization.PrivateFormat.PKCS8
        pem = serialization.Encoding.PEM
        return b"".join(p.private_bytes(pem, form, encryption) for p in self.parts)

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes | None:
        """What was wrapped to this key's recipient; None where it was not, or is altered."""
        match self.parts:
            case (MLKEM768PrivateKey() as first, X25519PrivateKey() as second):
                key: X25519PrivateKey | hpke.MLKEM768X25519PrivateKey
                key = hpke.MLKEM768X25519PrivateKey(first, second)
            case (X25519PrivateKey() as key,):
                pass
            case _:
                raise InputError("identity: an X25519 key, or ML-KEM-768 and X25519, expected")
        try:
            return self.recipient.kem.suite().decrypt(wrapped, key, info=info)
        except (InvalidTag, ValueError):  # the latter for points of low order
            return None


_PASSWORD = {True: "it is encrypted, and no password was given", False: "it is not encrypted"}


def new_identity(path: Path, kem: Kem = Kem.HYBRID, password: bytes | None = None) -> Identity:
    """Make a recipient's key: ``path`` holds it (readable by its owner alone), ``path.pub`` its
    public half.

    Raises `InputError` where one of the two exists already, or cannot be written; no existing key
    is ever overwritten.
    """
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r}: a file's name expected")
    if password == b"":
        raise InputError("a password of at least one character expected, an empty one given")
    key = Identity.new(kem)
    write_whole(path, key.pem(password), mode=0o600, replace=False)
    try:
        write_whole(path.with_name(path.name + ".pub"), key.recipient.pem, replace=False)
    except InputError:
        path.unlink()
        raise
    return key


def _blocks(path: Path, data: bytes) -> list[bytes]:
    """The PEM blocks of a file that holds nothing else."""
    blocks = [m.group() for m in _BLOCK.finditer(data)]
    if not blocks or b"".join(blocks) != data:
        raise InputError(f"{path}: a key in PEM, and nothing else, expected")
    return blocks


def _check_kinds(
    path: Path, parts: list[_Public] | list[_Private], hybrid: tuple[type, type]
) -> None:
    kinds = [next(k for k in hybrid if isinstance(part, k)) for part in parts]
    if kinds not in ([hybrid[1]], list(hybrid)):
        raise InputError(_other_kind(path))


def _other_kind(path: Path) -> str:
    return (
        f"{path}: a recipient's key (X25519, or ML-KEM-768 and X25519) expected, another kind found"
    )
