"""Whom to believe: trusted keys, and the one place that makes a statement a verified one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar, final

from credenza.attest.envelope import Envelope
from credenza.attest.keys import PublicKey
from credenza.attest.statement import IN_TOTO, Statement
from credenza.errors import InputError, UntrustedError

T = TypeVar("T")
U = TypeVar("U")
_MAKER: Final = object()


@final
@dataclass(frozen=True, slots=True)
class Verified(Generic[T]):
    """Something that a trusted key vouches for, and the ids of the keys that do.

    Only `Trust.verify` makes one, and what is derived from one by `replaced`.
    """

    value: T
    keys: tuple[str, ...]
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _MAKER:
            raise TypeError("only Trust.verify makes a Verified")

    def replaced(self, value: U) -> Verified[U]:
        """The same vouching for ``value``, which was derived from this one's and nothing else."""
        return Verified(value, self.keys, _MAKER)


@final
@dataclass(frozen=True, slots=True)
class Trust:
    """The keys whose word counts; one of them is enough."""

    keys: tuple[PublicKey, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise InputError("trust: at least one key expected, none given")

    @classmethod
    def read(cls, path: Path) -> Trust:
        """Trust in one public key, from its PEM file. Raises `InputError` for anything else."""
        return cls((PublicKey.read(path),))

    def verify(self, envelope: Envelope) -> Verified[Statement]:
        """The statement in the envelope, parsed only after a trusted key's signature was checked.

        Raises `UntrustedError` where no trusted key signed it, `InputError` where what was signed
        is not an in-toto statement.
        """
        message = envelope.signed_bytes
        signed = tuple(k.id for k in self.keys if _signed_by(k, envelope, message))
        if not signed:
            raise UntrustedError(self._who_signed_instead(envelope))
        if envelope.payload_type != IN_TOTO:
            raise InputError(f"envelope: {IN_TOTO} expected, {envelope.payload_type!r} found")
        return Verified(Statement.parse(envelope.payload), signed, _MAKER)

    def _who_signed_instead(self, envelope: Envelope) -> str:
        trusted = ", ".join(k.id[:16] for k in self.keys)
        claimed = ", ".join(s.keyid[:16] for s in envelope.signatures) or "nobody"
        return f"no trusted key signed it (expected {trusted}, it claims {claimed})"


def _signed_by(key: PublicKey, envelope: Envelope, message: bytes) -> bool:
    for signature in envelope.signatures:
        try:
            key.verify(message, signature.sig)
        except UntrustedError:
            continue
        return True
    return False
