"""The keys of logs and witnesses.

https://c2sp.org/signed-note (verifier keys, Ed25519 signatures, type 0x01) and
https://c2sp.org/tlog-cosignature (timestamped cosignatures: Ed25519, 0x04, and ML-DSA-44, 0x06).
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from credenza.errors import InputError, UntrustedError
from credenza.files import read_whole, write_whole
from credenza.ledger.algorithms import PUBLIC_SIZES, SIGNATURE_SIZES, Kind, public, sign, verify
from credenza.ledger.checkpoint import Checkpoint
from credenza.ledger.note import Note, NoteSignature, check_name
from credenza.ledger.spelling import from_base64, to_base64

_LARGEST_KEY_FILE = 64 * 1024
_SEED = 32
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whose signature is looked for: ``name+id+base64(kind ‖ public)``, on one line.

    ``VerifierKey.parse(str(k)) == k``, and ``parse`` accepts nothing else. Raises `InputError`
    for a name that no note could bear, and a key of another length.
    """

    name: str
    kind: Kind
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        size = PUBLIC_SIZES[self.kind]
        if len(self.public) != size:
            raise InputError(f"verifier key: {size} bytes expected, {len(self.public)} found")

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a key. Raises `InputError` for anything but its one spelling."""
        name, kind, public = _split(text, "verifier key")
        return cls(name, kind, public)

    @classmethod
    def read(cls, path: Path) -> VerifierKey:
        """Read a file that holds a key on one line. Raises `InputError` for anything else."""
        return cls.parse(_line(path))

    def __str__(self) -> str:
        return _joined(self.name, self.id, self.kind, self.public)

    @property
    def id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ kind ‖ public key), its first four bytes."""
        data = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(data).digest()[:4]

    def check(self, note: Note) -> int:
        """The time at which this key's owner signed the note, in seconds since 1970.

        It is 0 where the key's kind has no times. Of several signatures each must be right, and the
        latest time counts. Raises `UntrustedError` where there is none, or one is wrong.
        """
        mine = [s for s in note.signatures if (s.name, s.key_id) == (self.name, self.id)]
        if not mine:
            raise UntrustedError(
                f"no signature by {self.name} (key {self.id.hex()}) is on it (expected one, found "
                f"{', '.join(f'{s.name} {s.key_id.hex()}' for s in note.signatures)})"
            )
        return max(self._check(note.text, s.signature) for s in mine)

    def _check(self, text: str, signature: bytes) -> int:
        wrong = UntrustedError(f"the signature by {self.name} (key {self.id.hex()}) is wrong")
        stamp = 0 if self.kind is Kind.LOG else 8  # bytes
        at = int.from_bytes(signature[:stamp], "big")
        if len(signature) != stamp + SIGNATURE_SIZES[self.kind] or at >= 2**63:
            raise wrong
        message = _message(self.name, self.kind, at, text)
        try:
            verify(self.kind, self.public, signature[stamp:], message)
        except InvalidSignature as e:
            raise wrong from e
        return at


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private half: ``PRIVATE+KEY+name+id+base64(kind ‖ seed)``.

    The form of golang.org/x/mod/sumdb/note. ``SigningKey.parse(str(k)) == k``.
    """

    name: str
    kind: Kind
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.seed) != _SEED:
            raise InputError(f"signing key: {_SEED} bytes expected, {len(self.seed)} found")

    @classmethod
    def new(cls, name: str, kind: Kind = Kind.LOG) -> SigningKey:
        """A key that nobody had before."""
        return cls(name, kind, os.urandom(_SEED))

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read a key. Raises `InputError` for anything but its one spelling."""
        if not text.startswith(_PRIVATE):
            raise InputError(f"signing key: text that starts with {_PRIVATE} expected")
        name, kind, seed = _split(text.removeprefix(_PRIVATE), "signing key", private=True)
        return cls(name, kind, seed)

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """Read a file that holds a key on one line. Raises `InputError` for anything else."""
        return cls.parse(_line(path))

    def __str__(self) -> str:
        return _PRIVATE + _joined(self.name, self.verifier.id, self.kind, self.seed)

    def write(self, path: Path) -> None:
        """Write ``path.key``, readable by its owner alone, and ``path.vkey``, for everybody.

        Raises `InputError` where one of the two exists already, or cannot be written; no key is
        ever overwritten.
        """
        private, public = key_paths(path)
        write_whole(private, f"{self}\n".encode(), mode=0o600, replace=False)
        try:
            write_whole(public, f"{self.verifier}\n".encode(), replace=False)
        except InputError:
            private.unlink()
            raise

    @property
    def verifier(self) -> VerifierKey:
        """The half that others may have."""
        return VerifierKey(self.name, self.kind, public(self.kind, self.seed))

    def sign(self, text: str, at: int | None = None) -> NoteSignature:
        """A signature over a note's text; a cosigner's says ``at``, which is now if not given.

        Raises `InputError` where a cosigner is to sign what is no checkpoint.
        """
        at = int(time.time()) if at is None else at
        message = _message(self.name, self.kind, at, text)
        signature = sign(self.kind, self.seed, message)
        stamp = b"" if self.kind is Kind.LOG else at.to_bytes(8, "big")
        return NoteSignature(self.name, self.verifier.id, stamp + signature)


def key_paths(path: Path) -> tuple[Path, Path]:
    """Where the keys of the log or witness ``path`` lie: the private and the public one."""
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r}: a file's name expected")
    return path.with_name(path.name + ".key"), path.with_name(path.name + ".vkey")


def _message(name: str, kind: Kind, at: int, text: str) -> bytes:
    """What a signature is over: signed-note, and tlog-cosignature, sections Signed message."""
    if kind is Kind.LOG:
        return text.encode()
    checkpoint = Checkpoint.parse(text)  # a cosignature is a statement about one
    if kind is Kind.COSIGNER:
        return f"cosignature/v1\ntime {at}\n{text}".encode()
    names = []
    for each in (name.encode(), checkpoint.origin.encode()):
        if len(each) > 255:
            raise InputError(
                f"cosignature: a name of at most 255 bytes expected, {len(each)} given"
            )
        names.append(bytes([len(each)]) + each)
    place = struct.pack(">QQ", 0, checkpoint.size)
    return b"subtree/v1\n\0" + names[0] + at.to_bytes(8, "big") + names[1] + place + checkpoint.root


def _line(path: Path) -> str:
    data = read_whole(path, limit=_LARGEST_KEY_FILE)
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: a key on one line expected, other bytes found") from e
    return text.removesuffix("\n")


def _joined(name: str, key_id: bytes, kind: Kind, material: bytes) -> str:
    return f"{name}+{key_id.hex()}+{to_base64(bytes([kind]) + material)}"


def _split(text: str, what: str, *, private: bool = False) -> tuple[str, Kind, bytes]:
    """Name, kind and material, of which the key id is the right one."""
    name, _, rest = text.partition("+")
    key_id, plus, encoded = rest.partition("+")
    if not plus:
        raise InputError(f"{what}: NAME+ID+BASE64 expected, another form found")
    material = from_base64(encoded, what)
    if not material or material[0] not in tuple(Kind):
        raise InputError(f"{what}: a type of {[int(k) for k in Kind]} expected, another found")
    kind, material = Kind(material[0]), material[1:]
    key = (
        SigningKey(name, kind, material).verifier if private else VerifierKey(name, kind, material)
    )
    if key_id != key.id.hex():
        raise InputError(f"{what}: key id {key.id.hex()} expected, {key_id[:40]!r} found")
    return name, kind, material
