"""Who may say what: people with their keys, and roles with how many people they take.

Specification: docs/formats/trust.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from msgspec.structs import force_setattr

from credenza.attest.envelope import Envelope
from credenza.attest.keys import PublicKey
from credenza.attest.statement import IN_TOTO, Statement
from credenza.errors import InputError, UntrustedError

TRAINER = "trainer"
APPROVAL_TYPE = "https://credenza.dev/approval/v1"

_SPEAKS_AS = {
    "https://credenza.dev/seal/v1": TRAINER,
    "https://credenza.dev/examination/v1": "examiner",
    "https://credenza.dev/release/v1": "releaser",
}
_BARE = ("approver", "examiner", "releaser", TRAINER)


class Person(msgspec.Struct, frozen=True):
    """Somebody, and the keys that are theirs and nobody else's."""

    name: str
    keys: tuple[PublicKey, ...]


class Role(msgspec.Struct, frozen=True):
    """Who may act in a role, and how many of them it takes."""

    name: str
    people: tuple[str, ...]
    threshold: int


class Revoked(msgspec.Struct, frozen=True):
    """A key's id or a model root that is trusted no more, since when and why as its signers say."""

    id: str
    at: dt.datetime
    reason: str


class Signers(msgspec.Struct, frozen=True):
    """Who signed an envelope: (person, key id) of each key that counts, and what does not."""

    people: tuple[tuple[str, str], ...]
    revoked: tuple[str, ...]
    claims: str


class Roles(msgspec.Struct, frozen=True):
    """People, their roles, and what is revoked. ``anyone``: each of them may act in any role."""

    people: tuple[Person, ...]
    roles: tuple[Role, ...]
    separate: tuple[tuple[str, ...], ...] = ()
    require: tuple[str, ...] = (TRAINER,)
    revoked_keys: tuple[Revoked, ...] = ()
    revoked_roots: tuple[Revoked, ...] = ()
    anyone: bool = False
    by_id: dict[str, tuple[str, PublicKey]] = {}
    """By a key's id, whose it is, and the key. It follows from ``people``."""

    def __post_init__(self) -> None:
        keys = {k.id: (person.name, k) for person in self.people for k in person.keys}
        force_setattr(self, "by_id", keys)

    @classmethod
    def bare(cls, keys: Iterable[PublicKey]) -> Roles:
        """Each key a person whose word counts in every role; one of them has to have sealed."""
        people = {k.id: Person(k.id[:16], (k,)) for k in keys}
        names = tuple(person.name for person in people.values())
        return cls(tuple(people.values()), tuple(Role(r, names, 1) for r in _BARE), anyone=True)

    def role(self, name: str) -> Role | None:
        """The role of that name, if there is one."""
        return next((role for role in self.roles if role.name == name), None)

    def holds(self, person: str, role: str) -> bool:
        """Whether the person may act in the role."""
        held = self.role(role)
        return self.anyone or (held is not None and person in held.people)

    def counted(self, role: Role) -> tuple[str, ...]:
        """Those of a role who have a key that is not revoked."""
        revoked = {r.id for r in self.revoked_keys}
        able = {person for id_, (person, _) in self.by_id.items() if id_ not in revoked}
        return tuple(person for person in role.people if person in able)

    def owner(self, key: str) -> str:
        """Whose key that is; empty where it is nobody's."""
        return self.by_id[key][0] if key in self.by_id else ""

    def signers(self, envelope: Envelope) -> Signers:
        """Who signed an envelope, each signature by a known key checked. Nothing is parsed.

        Raises `UntrustedError` where a key signed twice, or a signature is not by the key that it
        names: the envelope was altered.
        """
        people: list[tuple[str, str]] = []
        revoked = []
        reasons = {r.id: r for r in self.revoked_keys}
        ids = [s.keyid for s in envelope.signatures]
        if len(set(ids)) < len(ids):
            raise UntrustedError("one key signed the same twice; the envelope was altered")
        message = envelope.signed_bytes
        for signature in envelope.signatures:
            person, key = self.by_id.get(signature.keyid, ("", None))
            if key is not None:
                key.verify(message, signature.sig)
            if signature.keyid in reasons:
                revoked.append(_revoked(person, reasons[signature.keyid]))
            elif key is not None:
                people.append((person, signature.keyid))
        claims = ", ".join(id_[:16] for id_ in ids) or "nobody"
        return Signers(tuple(people), tuple(revoked), claims)


def _revoked(person: str, revoked: Revoked) -> str:
    whose = f"{person}'s key" if person else "key"
    return f"{whose} {revoked.id[:16]} was revoked on {revoked.at:%Y-%m-%d}: {revoked.reason}"


def role_of(statement: Statement) -> str:
    """The role that a statement speaks in; empty for one of an unknown type.

    Raises `InputError` for an approval that is not well-formed.
    """
    if statement.predicate_type == APPROVAL_TYPE:
        from credenza.attest.approval import from_statement

        return from_statement(statement).role
    return _SPEAKS_AS.get(statement.predicate_type, "")


def statement_in(envelope: Envelope) -> Statement:
    """What a verified envelope holds. Raises `InputError` for anything but an in-toto statement."""
    if envelope.payload_type != IN_TOTO:
        raise InputError(f"envelope: {IN_TOTO} expected, {envelope.payload_type!r} found")
    return Statement.parse(envelope.payload)
