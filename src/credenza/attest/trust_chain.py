"""A trust document's versions, each signed by those who may follow the one before.

Specification: docs/formats/trust.md, "Chain".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from credenza.attest.bundle import envelopes
from credenza.attest.envelope import Envelope, Signature
from credenza.attest.statement import Signer
from credenza.attest.trust_document import ROOT, TRUST_TYPE, TrustDocument
from credenza.errors import InputError, TrustChainError, UntrustedError

MOST_VERSIONS = 1024
LARGEST_VERSION = 2**20
LARGEST_CHAIN = 2**26
_MAKER: Final = object()


@final
@dataclass(frozen=True, slots=True)
class Chain:
    """Versions of one trust document, oldest first, each of which was verified; the last holds.

    Only `Chain.parse` and `Chain.of` make one. Whether the last has expired is asked when it is
    used.
    """

    envelopes: tuple[Envelope, ...]
    documents: tuple[TrustDocument, ...]
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _MAKER:
            raise TypeError("only Chain.parse makes a Chain")

    @property
    def head(self) -> TrustDocument:
        """The version that holds."""
        return self.documents[-1]

    @classmethod
    def parse(cls, data: bytes) -> Chain:
        """Read a trust document's file.

        Raises `InputError` for another format, `TrustChainError` where a version is not signed by
        those who may, or does not follow the one before it.
        """
        return cls.of(split(data))

    @classmethod
    def of(cls, lines: Sequence[Envelope]) -> Chain:
        """The chain of these versions. Raises as `parse` does, and `InputError` for none."""
        if not lines:
            raise InputError("trust: at least one version expected, none given")
        documents: list[TrustDocument] = []
        for envelope in lines:
            if documents:
                follow(documents[-1], envelope)
            documents.append(by_itself(envelope))
            if len(documents) > 1:
                _check_step(documents[-2], documents[-1])
        return cls(tuple(lines), tuple(documents), _MAKER)

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.envelopes))


def split(data: bytes) -> list[Envelope]:
    """The lines of a trust document's file; none is verified. Raises `InputError` as `parse`."""
    if data.find(b"\n") > LARGEST_VERSION:
        raise InputError(f"trust: line 1: at most {LARGEST_VERSION} bytes expected")
    return envelopes(data, "trust", MOST_VERSIONS, LARGEST_VERSION)


def follow(before: TrustDocument, envelope: Envelope) -> None:
    """Raises `TrustChainError` unless the roots of ``before`` signed; nothing is parsed."""
    try:
        signed = root_signers(before, envelope)
    except UntrustedError as e:
        raise TrustChainError(f"trust: after {_named(before)}: {e}") from e
    if (missing := _missing(before, signed)) > 0:
        raise TrustChainError(
            f"trust: what follows {_named(before)} must be signed by {missing} more of its root"
        )


def by_itself(envelope: Envelope) -> TrustDocument:
    """The document in an envelope that its own root people signed.

    Raises `TrustChainError` where too few did, `InputError` for anything but a trust document.
    """
    document = claimed(envelope)
    try:
        signed = root_signers(document, envelope)
    except UntrustedError as e:
        raise TrustChainError(f"trust: {_named(document)}: {e}") from e
    if (missing := _missing(document, signed)) > 0:
        raise TrustChainError(
            f"trust: {_named(document)} must be signed by {missing} more of its own root"
        )
    return document


def claimed(envelope: Envelope) -> TrustDocument:
    """The document that the envelope holds, whoever signed it: to be shown to who is to sign it.

    Raises `InputError` for anything else.
    """
    if envelope.payload_type != TRUST_TYPE:
        raise InputError(f"trust: {TRUST_TYPE} expected, {envelope.payload_type!r} found")
    return TrustDocument.parse(envelope.payload)


def root_signers(document: TrustDocument, envelope: Envelope) -> set[str]:
    """Which of the document's root people signed. Raises `UntrustedError` for a bad signature."""
    root = document.roles.role(ROOT)
    people = document.roles.signers(envelope).people
    return {person for person, _ in people if root is not None and person in root.people}


def joined(envelope: Envelope, signer: Signer) -> Envelope:
    """The envelope with one more signature. Raises `InputError` where that key signed already."""
    signature: Signature = signer.sign(envelope.signed_bytes)
    if signature.keyid in {s.keyid for s in envelope.signatures}:
        raise InputError(f"trust: key {signature.keyid[:16]} has signed it already")
    return Envelope(envelope.payload, envelope.payload_type, (*envelope.signatures, signature))


def _missing(document: TrustDocument, signed: set[str]) -> int:
    root = document.roles.role(ROOT)
    return (root.threshold if root else 1) - len(signed)


def _check_step(before: TrustDocument, after: TrustDocument) -> None:
    if after.name != before.name or after.version != before.version + 1:
        raise TrustChainError(
            f"trust: {before.name!r} version {before.version + 1} expected, {_named(after)} found"
        )
    for what, kept, had in (
        ("key", after.roles.revoked_keys, before.roles.revoked_keys),
        ("root", after.roles.revoked_roots, before.roles.revoked_roots),
    ):
        if lost := {r.id for r in had} - {r.id for r in kept}:
            raise TrustChainError(
                f"trust: {_named(after)} no longer revokes {what} {min(lost)[:16]}"
            )


def check_step(before: TrustDocument, envelope: Envelope) -> None:
    """Raises `TrustChainError` unless the envelope is the version that follows ``before``."""
    follow(before, envelope)
    _check_step(before, by_itself(envelope))


def _named(document: TrustDocument) -> str:
    return f"{document.name!r} version {document.version}"
