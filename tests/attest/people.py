"""The people of a bank, their keys, and trust documents that name them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from credenza.attest import Envelope, PrivateKey, Trust
from credenza.attest.roles import Person, Revoked, Role, Roles
from credenza.attest.trust_chain import Chain
from credenza.attest.trust_document import TRUST_TYPE, TrustDocument

LATER = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
PAST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def key(name: str) -> PrivateKey:
    """The key of that name, the same in every run."""
    seed = hashlib.sha256(name.encode()).digest()
    return PrivateKey(seed)


def person(name: str, *keys: str) -> Person:
    return Person(name, tuple(key(k).public for k in keys or (name,)))


ADA, BOB, CAROL, MONA, RHEA, TINA = map(key, ("ada", "bob", "carol", "mona", "rhea", "tina"))
ADA2 = key("ada2")

ROLES = Roles(
    people=(
        person("ada", "ada", "ada2"),
        *(person(name) for name in ("bob", "carol", "mona", "rhea", "tina")),
    ),
    roles=(
        Role("approver", ("ada", "bob", "tina"), 2),
        Role("examiner", ("mona",), 1),
        Role("releaser", ("rhea",), 1),
        Role("root", ("ada", "bob"), 1),
        Role("trainer", ("carol", "tina"), 1),
    ),
    separate=(("approver", "trainer"),),
    require=("approver", "trainer"),
)


def revoked(id_: str) -> tuple[Revoked, ...]:
    return (Revoked(id_, NOW, "stolen"),)


def document(
    version: int = 1, *, name: str = "Bank", expires: dt.datetime = LATER, **roles: Any
) -> TrustDocument:
    """A version of the bank's document, with other roles where some are given."""
    return TrustDocument(name, version, expires, replace(ROLES, **roles))


def line(document: TrustDocument, *signers: PrivateKey) -> Envelope:
    """The document in an envelope that they signed, ada where nobody is named."""
    unsigned = Envelope(bytes(document), TRUST_TYPE, ())
    signatures = tuple(signer.sign(unsigned.signed_bytes) for signer in signers or (ADA,))
    return Envelope(unsigned.payload, TRUST_TYPE, signatures)


def chain(*documents: TrustDocument) -> Chain:
    """Their chain, signed by ada."""
    return Chain.of([line(d) for d in documents or (document(),)])


def trust(release: str = "", **roles: Any) -> Trust:
    return Trust(chain=chain(document(**roles)), release=release)


def with_role(role: Role, roles: Iterable[Role] = ROLES.roles) -> tuple[Role, ...]:
    """The roles, with this one in the place of its namesake."""
    return tuple(role if r.name == role.name else r for r in roles)
