"""Keys in PEM files: PKCS#8 private, SubjectPublicKeyInfo public.

Specification: docs/formats/keys.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from credenza.attest.asking import Ask, nobody
from credenza.attest.der import BIT_STRING, SEQUENCE, Reader, tlv
from credenza.attest.envelope import Signature
from credenza.attest.kinds import ED25519, Kind, kind_of
from credenza.attest.pem import armour, unarmour
from credenza.errors import InputError, UntrustedError
from credenza.files import read_whole, write_whole

LARGEST_KEY_FILE = 64 * 1024
BEGIN_PUBLIC = b"-----BEGIN PUBLIC KEY-----"
_PUBLIC = "PUBLIC KEY"
_PRIVATE = "PRIVATE KEY"
_ENCRYPTED = "ENCRYPTED PRIVATE KEY"


@dataclass(frozen=True, slots=True, repr=False)
class PublicKey:
    """A key that others' signatures are checked with: ``raw`` is its bytes, as its kind has them.

    ``PublicKey.parse(key.pem) == key``, and a key has one spelling, thus one id. Raises
    `InputError` for bytes that are no key of that kind.
    """

    raw: bytes
    kind: Kind = ED25519

    def __repr__(self) -> str:
        return f"PublicKey({self.kind.name} {self.id})"

    def __post_init__(self) -> None:
        try:
            _check(self.raw, self.kind)
        except ValueError as e:
            raise InputError(f"public key of {self.kind.title}: {e}") from e

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """Read a PEM file.

        Raises `InputError` for anything but one public key in PEM, of a kind in the table.
        """
        return cls.parse(read_whole(path, limit=LARGEST_KEY_FILE), name=str(path))

    @classmethod
    def parse(cls, pem: bytes, *, name: str = "key") -> PublicKey:
        """Read what a PEM file holds; ``name`` is what errors call it. Raises as `read` does."""
        if b"PRIVATE KEY" in pem:
            raise InputError(
                f"{name}: a public key expected, a private one found",
                hint="keep the private key to yourself; its public half is in the file NAME.pub",
            )
        try:
            kind, raw = _read_spki(*unarmour(pem))
        except ValueError as e:
            raise InputError(f"{name}: a public key in PEM expected: {e}") from e
        try:
            return cls(raw, kind)
        except InputError as e:
            raise InputError(f"{name}: {e}") from e

    @property
    def der(self) -> bytes:
        """The SubjectPublicKeyInfo (RFC 5280, 4.1.2.7)."""
        return tlv(SEQUENCE, self.kind.algorithm, tlv(BIT_STRING, b"\0", self.raw))

    @property
    def id(self) -> str:
        """SHA-256 of the DER SubjectPublicKeyInfo, in hex."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it."""
        return armour(_PUBLIC, self.der)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises `UntrustedError` unless this key's owner signed ``message``."""
        try:
            self.kind.verify(self.raw, message, signature)
        except ValueError as e:
            raise UntrustedError(f"the signature is not by key {self.id[:16]}: {e}") from e


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A key to sign with: ``secret`` is its bytes, as its kind has them.

    Raises `InputError` for bytes that are no secret of that kind.
    """

    secret: bytes
    kind: Kind = ED25519
    public: PublicKey = field(init=False)
    """The half that others may have."""

    def __repr__(self) -> str:
        return f"PrivateKey({self.kind.name} {self.public.id})"

    def __post_init__(self) -> None:
        try:
            public = PublicKey(self.kind.public(self.secret), self.kind)
        except ValueError as e:
            raise InputError(f"private key of {self.kind.title}: {e}") from e
        object.__setattr__(self, "public", public)

    @classmethod
    def new(cls, kind: Kind = ED25519) -> PrivateKey:
        """A new key, from the system's randomness."""
        return cls(kind.new_secret(), kind)

    @classmethod
    def read(cls, path: Path, ask: Ask = nobody) -> PrivateKey:
        """Read a PEM file, which its owner alone may be able to read.

        ``ask`` is asked for the password where the key is encrypted. Raises `InputError` for
        anything but one private key in PEM, and where the password is wrong.
        """
        pem = _read_private(path)
        try:
            label, der = unarmour(pem)
        except ValueError as e:
            raise InputError(f"{path}: a private key in PEM expected: {e}") from e
        if label == _ENCRYPTED:
            return _decrypted(path, der, ask(f"password of {path}"))
        if label != _PRIVATE:
            raise InputError(
                f"{path}: a private key in PEM expected, {label} found", hint=_hint(path, label)
            )
        return _parsed(path, der)

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it, unencrypted."""
        from credenza.attest import pkcs8

        return armour(_PRIVATE, pkcs8.private_key_info(self.kind, self.secret))

    def encrypted_pem(self, password: str) -> bytes:
        """The key as a PEM file holds it, encrypted. Raises `InputError` for no password."""
        from credenza.attest import pkcs8

        if not password:
            raise InputError("password: at least one character expected, none given")
        info = pkcs8.private_key_info(self.kind, self.secret)
        return armour(_ENCRYPTED, pkcs8.encrypt(info, password.encode()))

    def sign(self, message: bytes) -> Signature:
        """A signature over ``message``, by this key."""
        return Signature(self.public.id, self.kind.sign(self.secret, message))


def new_key(path: Path, kind: Kind = ED25519, password: str | None = None) -> PrivateKey:
    """Make a key: ``path`` holds it (readable by its owner alone), ``path.pub`` its public half.

    With a password the private half is encrypted. Raises `InputError` where one of the two files
    exists already, or cannot be written; no existing key is ever overwritten.
    """
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r}: a file's name expected")
    key = PrivateKey.new(kind)
    pem = key.pem if password is None else key.encrypted_pem(password)
    public_path = path.with_name(path.name + ".pub")
    write_whole(path, pem, mode=0o600, replace=False)
    try:
        write_whole(public_path, key.public.pem, replace=False)
    except InputError:
        path.unlink()
        raise
    return key


def _read_private(path: Path) -> bytes:
    try:
        return read_whole(path, limit=LARGEST_KEY_FILE, owner_only=True)
    except InputError:
        if BEGIN_PUBLIC in read_whole(path, limit=LARGEST_KEY_FILE):
            raise InputError(f"{path}: a private key in PEM expected, a public one found") from None
        raise


def _check(raw: bytes, kind: Kind) -> None:
    if len(raw) != kind.public_size:
        raise ValueError(f"{kind.public_size} bytes expected, {len(raw)} found")
    kind.check(raw)


def _read_spki(label: str, der: bytes) -> tuple[Kind, bytes]:
    if label != _PUBLIC:
        raise ValueError(f"a block {_PUBLIC} expected, {label} found")
    outer = Reader(der)
    fields = outer.sequence()
    outer.end()
    kind, raw = kind_of(fields.whole(SEQUENCE)), fields.bits()
    fields.end()
    return kind, raw


def _parsed(path: Path, der: bytes) -> PrivateKey:
    from credenza.attest import pkcs8

    try:
        kind, secret = pkcs8.read_private_key_info(der)
    except ValueError as e:
        raise InputError(
            f"{path}: a private key in PEM expected: {e}", hint=_hint(path, _PRIVATE)
        ) from e
    try:
        return PrivateKey(secret, kind)
    except InputError as e:
        raise InputError(f"{path}: {e}", hint=e.hint) from e


def _decrypted(path: Path, der: bytes, password: str) -> PrivateKey:
    from credenza.attest import pkcs8

    wrong = f"{path}: the password is wrong"
    try:
        info = pkcs8.decrypt(der, password.encode())
    except pkcs8.PasswordError as e:
        raise InputError(wrong) from e
    except ValueError as e:
        raise InputError(f"{path}: not encrypted in a way that is read here: {e}") from e
    if not info.startswith(b"\x30"):  # the padding of one wrong password in 256 looks right
        raise InputError(wrong)
    return _parsed(path, info)


def _hint(path: Path, label: str) -> str:
    if label == "OPENSSH PRIVATE KEY":
        return "a key of ssh is not one of these: credenza keys new --out KEY makes one"
    if label in (_PRIVATE, "EC PRIVATE KEY"):
        return f"openssl pkcs8 -topk8 -nocrypt -in {path} -out NEW spells it as it is read here"
    return "credenza keys new --out KEY makes one"
