"""Which model is current under a name, and until when. Specification: docs/formats/release.md."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec

from credenza.attest.predicate import (
    TrustVersion,
    model_subject,
    predicate_of,
    proper_name,
    proper_time,
)
from credenza.attest.statement import Statement, Subject
from credenza.errors import InputError

PREDICATE_TYPE = "https://credenza.dev/release/v1"
HIGHEST_VERSION = 2**53 - 1
"""What every reader of JSON can tell from its neighbours (RFC 8259, section 6)."""


@dataclass(frozen=True, slots=True)
class Release:
    """The model of that root is this version of what bears the name, from and until those times.

    Raises `InputError` for a name or version out of bounds, a time without a zone, or an end that
    is not after the beginning.
    """

    subject: Subject
    name: str
    version: int
    released_at: dt.datetime
    expires: dt.datetime | None = None
    trust: TrustVersion | None = None

    def __post_init__(self) -> None:
        model_subject("release", self.subject)
        proper_name("release", self.name)
        if not 1 <= self.version <= HIGHEST_VERSION:
            raise InputError(f"release: a version of 1 or more expected, {self.version} found")
        object.__setattr__(self, "released_at", proper_time("release", self.released_at))
        if self.expires is not None:
            object.__setattr__(self, "expires", proper_time("release", self.expires))
            if self.expires <= self.released_at:
                raise InputError(f"release: it expires on {self.expires}, before it begins")


def to_statement(release: Release) -> Statement:
    """The statement to sign."""
    wire = _Predicate(
        name=release.name,
        version=release.version,
        released_at=release.released_at,
        expires=release.expires,
        trust=release.trust,
    )
    return Statement((release.subject,), PREDICATE_TYPE, msgspec.json.encode(wire))


def from_statement(statement: Statement) -> Release:
    """The release that the statement holds. Raises `InputError` where it holds none."""
    wire = predicate_of("release", statement, PREDICATE_TYPE, _Predicate)
    release = Release(
        statement.subjects[0],
        wire.name,
        wire.version,
        wire.released_at,
        wire.expires,
        wire.trust,
    )
    if to_statement(release).predicate != statement.predicate:
        raise InputError("release: times in UTC and whole seconds expected")
    return release


class _Predicate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    name: str
    version: int
    released_at: dt.datetime
    expires: dt.datetime | None = None
    trust: TrustVersion | None = None
