"""in-toto Statement v1: a predicate about subjects, each named by its digest.

https://github.com/in-toto/attestation, spec/v1/statement.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from credenza.attest.envelope import Envelope, Signature
from credenza.errors import InputError

IN_TOTO = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"


class Signer(Protocol):
    """Signs bytes, with whatever holds its key."""

    def sign(self, message: bytes) -> Signature:
        """A signature over ``message``."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about: a name for people, a digest (hex) for everybody else."""

    name: str
    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A predicate of some type about one subject or more. ``predicate`` is its JSON.

    ``Statement.parse(bytes(s)) == s``.
    """

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: bytes

    @classmethod
    def parse(cls, data: bytes) -> Statement:
        """Read a statement.

        Raises `InputError` for anything else, and for a subject without exactly one digest.
        """
        try:
            wire = msgspec.json.decode(data, type=_Wire)
        except (ValueError, RecursionError) as e:
            raise InputError(f"statement: not an in-toto statement: {e}") from e
        if wire.type_ != _STATEMENT:
            raise InputError(f"statement: type {_STATEMENT} expected, {wire.type_!r} found")
        subjects = []
        for subject in wire.subject:
            if len(subject.digest) != 1:
                raise InputError(f"statement: one digest expected, {len(subject.digest)} found")
            [(algorithm, digest)] = subject.digest.items()
            subjects.append(Subject(subject.name, algorithm, digest))
        return cls(tuple(subjects), wire.predicate_type, bytes(wire.predicate))

    def __bytes__(self) -> bytes:
        return msgspec.json.encode(
            _Wire(
                type_=_STATEMENT,
                subject=[_WireSubject(s.name, {s.algorithm: s.digest}) for s in self.subjects],
                predicate_type=self.predicate_type,
                predicate=msgspec.Raw(self.predicate),
            )
        )


def sign(statement: Statement, signers: Iterable[Signer]) -> Envelope:
    """The statement in an envelope, signed by each of ``signers``.

    Raises `InputError` where there is none, or one of them twice.
    """
    unsigned = Envelope(bytes(statement), IN_TOTO, ())
    signatures = tuple(s.sign(unsigned.signed_bytes) for s in signers)
    if not signatures:
        raise InputError("sign: at least one signer expected, none given")
    if len({s.keyid for s in signatures}) != len(signatures):
        raise InputError("sign: each signer once expected, one given twice")
    return Envelope(unsigned.payload, IN_TOTO, signatures)


class _WireSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: dict[str, str]


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    type_: str = msgspec.field(name="_type")
    subject: list[_WireSubject]
    predicate_type: str
    predicate: msgspec.Raw
