"""Recipients' keys: X25519, and its hybrid with ML-KEM-768, in PEM files; HPKE (RFC 9180) to them.

Specification: docs/formats/encrypted.md.
"""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from credenza.attest import pkcs8
from credenza.attest.asking import Ask, nobody
from credenza.attest.keys import LARGEST_KEY_FILE
from credenza.attest.pem import armour, unarmour
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

_PUBLIC, _PRIVATE, _ENCRYPTED = "PUBLIC KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"
_END_OF_BLOCK = re.compile(rb"(?<=-----)\r?\n(?=-----BEGIN )")

_EXPECTED = "a recipient's key (X25519, or ML-KEM-768 and X25519) expected, another kind found"
_HINT = "credenza keys recipient --out KEY makes one"


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
    """A public key to encrypt to: X25519, and ML-KEM-768 beside it where it is of the hybrid."""

    x25519: X25519PublicKey
    mlkem: MLKEM768PublicKey | None = None

    @classmethod
    def read(cls, path: Path) -> Recipient:
        """Read a PEM file. Raises `InputError` for anything but a recipient's public key."""
        blocks = _blocks(path, read_whole(path, limit=LARGEST_KEY_FILE))
        if any(label in (_PRIVATE, _ENCRYPTED) for label, _ in blocks):
            raise InputError(
                f"{path}: a recipient's public key expected, a private one found",
                hint="keep the private key to yourself; its public half is in the file NAME.pub",
            )
        match [_public(path, label, der) for label, der in blocks]:
            case [X25519PublicKey() as only]:
                return cls(only)
            case [MLKEM768PublicKey() as first, X25519PublicKey() as second]:
                return cls(second, first)
        raise InputError(f"{path}: {_EXPECTED}", hint=_HINT)

    @property
    def kem(self) -> Kem:
        """Which kind it is."""
        return Kem.X25519 if self.mlkem is None else Kem.HYBRID

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it."""
        return b"".join(armour(_PUBLIC, der) for der in self._ders())

    @property
    def id(self) -> str:
        """SHA-256 of the DER SubjectPublicKeyInfo of its parts, joined, in hex."""
        return hashlib.sha256(b"".join(self._ders())).hexdigest()

    def wrap(self, secret: bytes, info: bytes) -> bytes:
        """``secret`` for this recipient alone: HPKE's enc and ciphertext, joined.

        Raises `InputError` for a key that no secret can be shared with (RFC 7748, section 6.1).
        """
        key: X25519PublicKey | hpke.MLKEM768X25519PublicKey = self.x25519
        if self.mlkem is not None:
            key = hpke.MLKEM768X25519PublicKey(self.mlkem, self.x25519)
        try:
            return self.kem.suite().encrypt(secret, key, info=info)
        except ValueError as e:
            raise InputError(f"recipient {self.id[:16]}: nothing can be encrypted to it") from e

    def _ders(self) -> list[bytes]:
        parts: list[X25519PublicKey | MLKEM768PublicKey] = [self.x25519]
        if self.mlkem is not None:
            parts.insert(0, self.mlkem)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return [p.public_bytes(serialization.Encoding.DER, form) for p in parts]


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key to decrypt with: X25519, and ML-KEM-768 beside it where it is of the hybrid."""

    x25519: X25519PrivateKey = field(repr=False)
    mlkem: MLKEM768PrivateKey | None = field(default=None, repr=False)

    @classmethod
    def new(cls, kem: Kem = Kem.HYBRID) -> Identity:
        """Another random key. Raises `InputError` where this system's OpenSSL lacks the kind."""
        if kem is Kem.X25519:
            return cls(X25519PrivateKey.generate())
        try:
            return cls(X25519PrivateKey.generate(), MLKEM768PrivateKey.generate())
        except UnsupportedAlgorithm as e:
            raise InputError(f"{kem.value}: this system's OpenSSL has no ML-KEM") from e

    @classmethod
    def read(cls, path: Path, ask: Ask = nobody) -> Identity:
        """Read a PEM file, which its owner alone may be able to read.

        ``ask`` is asked for the password where the key is encrypted. Raises `InputError` for
        anything but a recipient's private key, and where the password is wrong.
        """
        blocks = _blocks(path, read_whole(path, limit=LARGEST_KEY_FILE, owner_only=True))
        if any(label == _ENCRYPTED for label, _ in blocks):
            password = ask(f"password of {path}").encode()
            blocks = [_decrypted(path, label, der, password) for label, der in blocks]
        match [_private(path, label, der) for label, der in blocks]:
            case [X25519PrivateKey() as only]:
                return cls(only)
            case [MLKEM768PrivateKey() as first, X25519PrivateKey() as second]:
                return cls(second, first)
        raise InputError(f"{path}: {_EXPECTED}", hint=_HINT)

    @property
    def recipient(self) -> Recipient:
        """The half that others may have."""
        mlkem = None if self.mlkem is None else self.mlkem.public_key()
        return Recipient(self.x25519.public_key(), mlkem)

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it, unencrypted."""
        return b"".join(armour(_PRIVATE, der) for der in self._ders())

    def encrypted_pem(self, password: str) -> bytes:
        """The key as a PEM file holds it, encrypted. Raises `InputError` for no password."""
        if not password:
            raise InputError("password: at least one character expected, none given")
        encrypted = [pkcs8.encrypt(der, password.encode()) for der in self._ders()]
        return b"".join(armour(_ENCRYPTED, der) for der in encrypted)

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes | None:
        """What was wrapped to this key's recipient; None where it was not, or is altered."""
        key: X25519PrivateKey | hpke.MLKEM768X25519PrivateKey = self.x25519
        if self.mlkem is not None:
            key = hpke.MLKEM768X25519PrivateKey(self.mlkem, self.x25519)
        try:
            return self.recipient.kem.suite().decrypt(wrapped, key, info=info)
        except (InvalidTag, ValueError):  # the latter for what no secret can be shared with
            return None

    def _ders(self) -> list[bytes]:
        parts: list[X25519PrivateKey | MLKEM768PrivateKey] = [self.x25519]
        if self.mlkem is not None:
            parts.insert(0, self.mlkem)
        form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8)
        return [p.private_bytes(*form, serialization.NoEncryption()) for p in parts]


def new_identity(path: Path, kem: Kem = Kem.HYBRID, password: str | None = None) -> Identity:
    """Make a recipient's key: ``path`` holds it (readable by its owner alone), ``path.pub`` its
    public half.

    With a password the private half is encrypted. Raises `InputError` where one of the two files
    exists already, or cannot be written; no existing key is ever overwritten.
    """
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r}: a file's name expected")
    key = Identity.new(kem)
    pem = key.pem if password is None else key.encrypted_pem(password)
    write_whole(path, pem, mode=0o600, replace=False)
    try:
        write_whole(path.with_name(path.name + ".pub"), key.recipient.pem, replace=False)
    except InputError:
        path.unlink()
        raise
    return key


def _blocks(path: Path, data: bytes) -> list[tuple[str, bytes]]:
    """Label and bytes of each PEM block of a file, which holds one or two and nothing else."""
    try:
        blocks = [unarmour(block) for block in _END_OF_BLOCK.split(data)]
    except ValueError as e:
        raise InputError(f"{path}: a recipient's key in PEM expected: {e}", hint=_HINT) from e
    if len(blocks) > 2:
        raise InputError(f"{path}: a recipient's key is of one or two PEM blocks, more found")
    return blocks


def _public(path: Path, label: str, der: bytes) -> object:
    """The public key of a block; None for another label."""
    try:
        return serialization.load_der_public_key(der) if label == _PUBLIC else None
    except (ValueError, UnsupportedAlgorithm) as e:
        raise InputError(f"{path}: a public key expected, {e}", hint=_HINT) from e


def _private(path: Path, label: str, der: bytes) -> object:
    """The private key of a block; None for another label."""
    try:
        return serialization.load_der_private_key(der, None) if label == _PRIVATE else None
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise InputError(f"{path}: a private key expected, {e}", hint=_HINT) from e


def _decrypted(path: Path, label: str, der: bytes, password: bytes) -> tuple[str, bytes]:
    """A block once its encryption is off."""
    if label != _ENCRYPTED:
        raise InputError(f"{path}: both parts of the key encrypted, or none, expected")
    try:
        info = pkcs8.decrypt(der, password)
    except pkcs8.PasswordError as e:
        raise InputError(f"{path}: the password is wrong") from e
    except ValueError as e:
        raise InputError(f"{path}: not encrypted in a way that is read here: {e}") from e
    if not info.startswith(b"\x30"):  # the padding of one wrong password in 256 looks right
        raise InputError(f"{path}: the password is wrong")
    return _PRIVATE, info
