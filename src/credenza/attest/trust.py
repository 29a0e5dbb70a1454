"""Whom to believe, and the one place that makes a statement a verified one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar, final

from msgspec.structs import replace as revise

from credenza.attest import judging
from credenza.attest.envelope import Envelope
from credenza.attest.keys import PublicKey
from credenza.attest.roles import TRAINER, Roles, Signers, role_of, statement_in
from credenza.attest.standing import Standing, Uncounted, Vouch
from credenza.attest.statement import Statement
from credenza.errors import ExpiredTrustError, InputError, RevokedKeyError, UntrustedError
from credenza.files import read_whole

if TYPE_CHECKING:
    from credenza.attest.trust_chain import Chain
    from credenza.attest.trust_state import State

T = TypeVar("T")
U = TypeVar("U")
_MAKER: Final = object()
_LARGEST_FILE = 2**26


@final
@dataclass(frozen=True, slots=True)
class Verified(Generic[T]):
    """Something that trusted people vouch for; ``standing`` says who, and under which trust.

    Only `Trust` makes one, and what is derived from one by `replaced`.
    """

    value: T
    standing: Standing
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _MAKER:
            raise TypeError("only Trust.verify makes a Verified")

    @property
    def keys(self) -> tuple[str, ...]:
        """The ids of the keys that vouch for it, each once."""
        return tuple(dict.fromkeys(vouch.key for vouch in self.standing.vouches))

    def replaced(self, value: U) -> Verified[U]:
        """The same vouching for ``value``, which was derived from this one's and nothing else."""
        return Verified(value, self.standing, _MAKER)


@final
@dataclass(frozen=True, slots=True)
class Trust:
    """Whose word counts: bare keys, of which one is enough, or the roles of a trust document.

    ``state`` is what was seen of the document before. Where ``release`` is given, a model must be
    released under that name.
    """

    keys: tuple[PublicKey, ...] = ()
    chain: Chain | None = None
    state: State | None = None
    release: str = ""
    roles: Roles = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.chain is None and not self.keys:
            raise InputError("trust: at least one key expected, none given")
        if self.chain is not None and self.keys:
            raise InputError("trust: a trust document or public keys expected, both given")
        if self.chain is None and self.state is not None:
            raise InputError("trust: only what a trust document says has a state")
        roles = Roles.bare(self.keys) if self.chain is None else self.chain.head.roles
        object.__setattr__(self, "roles", roles)

    @classmethod
    def read(cls, *paths: Path, state: State | None = None, release: str = "") -> Trust:
        """Trust in a trust document's file, or in public keys of which one is enough, from theirs.

        The document is held against ``state``, which then remembers it. Raises `InputError` for
        anything else, `ExpiredTrustError`, `TrustChainError`, and as `State.advance` does.
        """
        if len(paths) == 1 and (data := read_whole(paths[0], limit=_LARGEST_FILE))[:1] == b"{":
            from credenza.attest.trust_chain import Chain

            trust = cls(chain=Chain.parse(data), release=release)
            return trust.remembering(state) if state is not None else trust
        return cls(tuple(map(PublicKey.read, paths)), state=state, release=release)

    def remembering(self, state: State) -> Trust:
        """The same trust, held against what was seen before, which then remembers it.

        Raises as `check_current` and `State.advance` do.
        """
        self.check_current()
        held = replace(self, state=state)
        if held.chain is not None:
            state.advance(held.chain)
        return held

    @property
    def name(self) -> str:
        """The trust document's name; empty for bare keys."""
        return self.chain.head.name if self.chain else ""

    @property
    def version(self) -> int:
        """The trust document's version; 0 for bare keys."""
        return self.chain.head.version if self.chain else 0

    def verify(self, envelope: Envelope) -> Verified[Statement]:
        """The statement in the envelope, parsed only after a trusted key's signature was checked.

        Under a trust document it must be somebody's who holds the role that it speaks in; how many
        it takes is asked of a model (`judge`). Raises `UntrustedError` where nobody's word counts,
        `RevokedKeyError` where that of a revoked key would, `ExpiredTrustError`, and `InputError`
        where what was signed is not an in-toto statement.
        """
        self.check_current()
        signers = self.roles.signers(envelope)
        if not signers.people:
            raise self._nobody(signers)
        statement = statement_in(envelope)
        role = role_of(statement)
        vouches = tuple(
            Vouch(role, person, key, None)
            for person, key in signers.people
            if self.roles.holds(person, role)
        )
        if not vouches:
            who = ", ".join(person for person, _ in signers.people)
            if signers.revoked:
                raise RevokedKeyError(f"{who} may not act as {role!r}, and {signers.revoked[0]}")
            raise UntrustedError(f"{who} signed it, who may not act as {role or 'anybody'} here")
        others = [
            Uncounted(1, f"{person} may not act as {role or statement.predicate_type!r}")
            for person, _ in signers.people
            if not self.roles.holds(person, role)
        ]
        revoked = [Uncounted(1, why, revoked=True) for why in signers.revoked]
        standing = Standing(self.name, self.version, vouches, uncounted=(*others, *revoked))
        return Verified(statement, standing, _MAKER)

    def judge(
        self, seal: Verified[Statement], sealed_at: dt.datetime, others: Sequence[Envelope]
    ) -> Verified[Statement]:
        """The seal, once all that was said about its model meets what the roles demand.

        Raises each kind of `UntrustedError`. What was seen is remembered, where there is a state;
        `InputError` where that cannot be read or written.
        """
        standing = self.standing(seal, sealed_at, others)
        judging.check_complete(standing, self.release)
        if self.state is not None and self.chain is not None:
            self.state.advance(self.chain, standing.releases)
        return Verified(seal.value, standing, _MAKER)

    def standing(
        self, seal: Verified[Statement], sealed_at: dt.datetime, others: Sequence[Envelope]
    ) -> Standing:
        """Who vouches for a model so far, by its seal and the statements beside it.

        Raises those kinds of `UntrustedError` that no further statement could mend.
        """
        at = tuple(revise(v, at=sealed_at) for v in seal.standing.vouches if v.role == TRAINER)
        return judging.standing(self, revise(seal.standing, vouches=at), seal.value, others)

    def check_current(self) -> None:
        """Raises `ExpiredTrustError` where the trust document has expired."""
        if self.chain is not None and (head := self.chain.head).expires <= dt.datetime.now(dt.UTC):
            raise ExpiredTrustError(
                f"trust: {head.name!r} version {head.version} expired on {head.expires:%Y-%m-%d}",
                hint="get the newest version; where there is none, its root people renew it",
            )

    def _nobody(self, signers: Signers) -> UntrustedError:
        if signers.revoked:
            return RevokedKeyError("; ".join(signers.revoked))
        expected = ", ".join(key.id[:16] for key in self.keys) or f"one of {self.name!r}"
        return UntrustedError(
            f"no trusted key signed it (expected {expected}, it claims {signers.claims})"
        )
