"""The trust document: whose word counts, as a signed file says it.

Specification: docs/formats/trust.md.
"""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from credenza.attest.approval import ROLE_NAME
from credenza.attest.keys import PublicKey
from credenza.attest.predicate import proper_name, proper_time, spelled
from credenza.attest.release import HIGHEST_VERSION
from credenza.attest.roles import TRAINER, Person, Revoked, Role, Roles
from credenza.errors import InputError

TRUST_TYPE = "application/vnd.credenza.trust+json"
ROOT = "root"
MOST_PEOPLE = 256
MOST_KEYS = 16
MOST_ROLES = 16
MOST_SETS = 16
MOST_IN_A_SET = 8
HIGHEST_THRESHOLD = 8
"""An envelope holds 16 signatures: those of the roots before a rotation, and after."""
MOST_REVOKED = 4096

_ID = re.compile(r"[0-9a-f]{64}")
_PEM = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"


@dataclass(frozen=True, slots=True)
class TrustDocument:
    """One version of who may say what. It is a claim until a `Chain` was read that holds it.

    ``bytes(TrustDocument.parse(data)) == data``: one document has one spelling.

    Raises `InputError` for what nobody could mean: see the specification.
    """

    name: str
    version: int
    expires: dt.datetime
    roles: Roles

    def __post_init__(self) -> None:
        proper_name("trust: its name", self.name)
        if not 1 <= self.version <= HIGHEST_VERSION:
            raise InputError(f"trust: a version of 1 or more expected, {self.version} found")
        object.__setattr__(self, "expires", proper_time("trust: expires", self.expires))
        _check_people(self.roles)
        _check_roles(self.roles)
        _check_sets(self.roles)
        _check_revoked(self.roles)

    @classmethod
    def parse(cls, data: bytes) -> TrustDocument:
        """Read a document. Raises `InputError` for anything but the one spelling of one."""
        wire = spelled("trust", data, _Wire)
        roles = Roles(
            people=tuple(Person(p.name, tuple(map(_key, p.keys))) for p in wire.people),
            roles=tuple(Role(r.name, tuple(r.people), r.threshold) for r in wire.roles),
            separate=tuple(map(tuple, wire.separate)),
            require=tuple(wire.require),
            revoked_keys=tuple(Revoked(r.id, r.at, r.reason) for r in wire.revoked_keys),
            revoked_roots=tuple(Revoked(r.id, r.at, r.reason) for r in wire.revoked_roots),
        )
        document = cls(wire.name, wire.version, wire.expires, roles)
        if bytes(document) != data:
            raise InputError("trust: not in its one spelling (order, base64, or times)")
        return document

    def __bytes__(self) -> bytes:
        roles = self.roles
        wire = _Wire(
            name=self.name,
            version=self.version,
            expires=self.expires,
            people=[
                _Person(p.name, sorted(map(_spki, p.keys)))
                for p in sorted(roles.people, key=lambda p: p.name)
            ],
            roles=[
                _Role(r.name, sorted(r.people), r.threshold)
                for r in sorted(roles.roles, key=lambda r: r.name)
            ],
            separate=sorted(sorted(names) for names in roles.separate),
            require=sorted(roles.require),
            revoked_keys=_revoked(roles.revoked_keys),
            revoked_roots=_revoked(roles.revoked_roots),
        )
        return msgspec.json.encode(wire)


def _check_people(roles: Roles) -> None:
    if len(roles.people) > MOST_PEOPLE:
        raise InputError(f"trust: at most {MOST_PEOPLE} people expected")
    _once("person", [person.name for person in roles.people])
    owners: dict[str, str] = {}
    for person in roles.people:
        proper_name("trust: a person", person.name)
        if not 1 <= len(person.keys) <= MOST_KEYS:
            raise InputError(f"trust: 1 to {MOST_KEYS} keys of {person.name} expected")
        for key in person.keys:
            if key.id in owners:
                whose = f"{owners[key.id]} and {person.name}"
                raise InputError(f"trust: key {key.id[:16]} is listed twice, for {whose}")
            owners[key.id] = person.name


def _check_roles(roles: Roles) -> None:
    if len(roles.roles) > MOST_ROLES:
        raise InputError(f"trust: at most {MOST_ROLES} roles expected")
    _once("role", [role.name for role in roles.roles])
    people = {person.name for person in roles.people}
    for role in roles.roles:
        if not ROLE_NAME.fullmatch(role.name):
            raise InputError(f"trust: a role of a-z, 0-9 and - expected, {role.name!r} found")
        _once(f"person as {role.name}", role.people)
        if unknown := set(role.people) - people:
            raise InputError(f"trust: {role.name}: there is no person {min(unknown)!r}")
        able = len(roles.counted(role))
        if not 1 <= role.threshold <= min(able, HIGHEST_THRESHOLD):
            raise InputError(
                f"trust: {role.name} takes {role.threshold} (1 to {HIGHEST_THRESHOLD} expected), "
                f"and {able} can act in it with a key that is not revoked",
                hint="a new key for somebody, or another threshold, has to come with it",
            )
    for needed in (ROOT, TRAINER):
        if roles.role(needed) is None:
            raise InputError(f"trust: a role {needed} expected, there is none")
    _known(roles, "require", roles.require)
    if TRAINER not in roles.require:
        raise InputError(f"trust: {TRAINER} expected in what is required")


def _check_sets(roles: Roles) -> None:
    if len(roles.separate) > MOST_SETS:
        raise InputError(f"trust: at most {MOST_SETS} sets of separate roles expected")
    _once("set of separate roles", [",".join(sorted(names)) for names in roles.separate])
    for names in roles.separate:
        if not 2 <= len(names) <= MOST_IN_A_SET:
            raise InputError(f"trust: 2 to {MOST_IN_A_SET} separate roles expected, {names} found")
        _known(roles, "separate", names)
        _check_reachable_together(roles, names)


def _check_reachable_together(roles: Roles, names: Sequence[str]) -> None:
    """Hall's theorem: a person each for every place there is, if and only if any few roles among
    them have as many people together as they take together.
    """
    for count in range(2, len(names) + 1):
        for some in itertools.combinations(names, count):
            held = [role for role in roles.roles if role.name in some]
            people = {person for role in held for person in roles.counted(role)}
            if len(people) < (takes := sum(role.threshold for role in held)):
                raise InputError(
                    f"trust: {', '.join(some)} are separate and take {takes} people together, "
                    f"and {len(people)} can act in them"
                )


def _check_revoked(roles: Roles) -> None:
    for what, revoked in (("key", roles.revoked_keys), ("root", roles.revoked_roots)):
        if len(revoked) > MOST_REVOKED:
            raise InputError(f"trust: at most {MOST_REVOKED} revoked {what}s expected")
        _once(f"revoked {what}", [r.id for r in revoked])
        for r in revoked:
            proper_time("trust: revoked", r.at)
            if not _ID.fullmatch(r.id):
                raise InputError(f"trust: revoked {what}: 64 hex digits expected, {r.id!r} found")
            if len(r.reason) > 200 or not r.reason.isprintable():
                raise InputError(f"trust: revoked {what}: a reason of one line expected")


def _known(roles: Roles, what: str, names: Sequence[str]) -> None:
    _once(what, names)
    for name in names:
        if roles.role(name) is None or name == ROOT:
            raise InputError(f"trust: {what}: a role for models expected, {name!r} found")


def _once(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"trust: {what} {name!r} is there twice")
        seen.add(name)


def _key(text: str) -> PublicKey:
    try:
        base64.b64decode(text, validate=True)
    except ValueError as e:
        raise InputError(f"trust: a key in base64 expected: {e}") from e
    lines = [text[i : i + 64].encode() for i in range(0, len(text), 64)]
    key = PublicKey.parse(b"\n".join((_PEM[0], *lines, _PEM[1], b"")), name="trust: a person's key")
    if _spki(key) != text:
        raise InputError("trust: a key in its one spelling expected")
    return key


def _spki(key: PublicKey) -> str:
    return b"".join(key.pem.split(b"\n")[1:-2]).decode()


def _revoked(revoked: Sequence[Revoked]) -> list[_Revoked]:
    return [
        _Revoked(r.id, proper_time("trust", r.at), r.reason)
        for r in sorted(revoked, key=lambda r: r.id)
    ]


class _Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    keys: list[str]


class _Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    people: list[str]
    threshold: int


class _Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    at: dt.datetime
    reason: str


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    version: int
    expires: dt.datetime
    people: list[_Person]
    roles: list[_Role]
    separate: list[list[str]]
    require: list[str]
    revoked_keys: list[_Revoked]
    revoked_roots: list[_Revoked]
