"""Making the next version of a trust document, and getting it signed.

While too few of its root people have signed, it waits in ``FILE.draft``; the file itself is only
ever one that verifies.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace as revise

from credenza.attest.envelope import Envelope
from credenza.attest.roles import Person, Revoked, Role, Roles
from credenza.attest.statement import Signer
from credenza.attest.trust_chain import (
    LARGEST_CHAIN,
    Chain,
    claimed,
    joined,
    root_signers,
    split,
)
from credenza.attest.trust_document import ROOT, TRUST_TYPE, TrustDocument
from credenza.errors import InputError
from credenza.files import locked, read_whole, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What the next version changes; all else stays as it is.

    ``people`` come in the place of those of the same name, and so do ``roles``, which are required
    unless ``optional`` names them. ``without`` names people who leave. What is separate, and what
    is revoked, is only ever added to.
    """

    expires: dt.datetime | None = None
    people: tuple[Person, ...] = ()
    without: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    optional: tuple[str, ...] = ()
    separate: tuple[tuple[str, ...], ...] = ()
    revoked_keys: tuple[Revoked, ...] = ()
    revoked_roots: tuple[Revoked, ...] = ()


_NOTHING = Roles((), (), require=())


def first(name: str, expires: dt.datetime, edit: Edit) -> TrustDocument:
    """Version 1. Raises `InputError` as `TrustDocument` does."""
    return TrustDocument(name, 1, expires, _edited(_NOTHING, edit))


def following(before: TrustDocument, edit: Edit) -> TrustDocument:
    """The version after ``before``. Raises `InputError` as `TrustDocument` does."""
    expires = edit.expires or before.expires
    return TrustDocument(before.name, before.version + 1, expires, _edited(before.roles, edit))


def _edited(roles: Roles, edit: Edit) -> Roles:
    new, changed = {p.name for p in edit.people}, {r.name for r in edit.roles}
    if unknown := set(edit.without) - {person.name for person in roles.people}:
        raise InputError(f"trust: there is no person {min(unknown)!r}")
    stay = (p for p in roles.people if p.name not in new and p.name not in edit.without)
    kept = (
        revise(role, people=tuple(p for p in role.people if p not in edit.without))
        for role in roles.roles
        if role.name not in changed
    )
    required = (set(roles.require) | changed) - {ROOT, *edit.optional}
    return Roles(
        people=(*stay, *edit.people),
        roles=(*kept, *edit.roles),
        separate=tuple(dict.fromkeys((*roles.separate, *map(_sorted, edit.separate)))),
        require=_sorted(required),
        revoked_keys=_united(roles.revoked_keys, edit.revoked_keys),
        revoked_roots=_united(roles.revoked_roots, edit.revoked_roots),
    )


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _united(old: Iterable[Revoked], new: Iterable[Revoked]) -> tuple[Revoked, ...]:
    return tuple({r.id: r for r in (*new, *old)}.values())  # the older reason stays


@dataclass(frozen=True, slots=True)
class Draft:
    """A trust document's file with a last version that may lack signatures."""

    lines: tuple[Envelope, ...]

    @classmethod
    def read(cls, path: Path) -> Draft:
        """Read a draft, or a whole document. All but the last version are verified.

        Raises `InputError` and `TrustChainError` as `Chain.parse` does.
        """
        draft = cls(tuple(split(read_whole(path, limit=LARGEST_CHAIN))))
        if len(draft.lines) > 1:
            Chain.of(draft.lines[:-1])
        claimed(draft.lines[-1])
        return draft

    @classmethod
    def after(cls, chain: Chain | None, document: TrustDocument) -> Draft:
        """The next version behind a chain, which nobody has signed yet."""
        lines = chain.envelopes if chain is not None else ()
        return cls((*lines, Envelope(bytes(document), TRUST_TYPE, ())))

    @property
    def document(self) -> TrustDocument:
        """The last version, as it claims to be."""
        return claimed(self.lines[-1])

    def signed(self, signers: Sequence[Signer]) -> Draft:
        """The draft with their signatures on its last version.

        Raises `InputError` where one of them is no root person's of it or of the one before.
        """
        last = self.lines[-1]
        for signer in signers:
            last = joined(last, signer)
            key = last.signatures[-1].keyid
            if not any(_is_root(document, key) for document in self._judges()):
                raise InputError(f"trust: key {key[:16]} is of none of its root people")
        return Draft((*self.lines[:-1], last))

    def missing(self) -> int:
        """How many more people have to sign, at least.

        Raises `UntrustedError` where a signature on it is not by the key that it names.
        """
        lacking = 0
        for document in self._judges():
            root = document.roles.role(ROOT)
            signed = root_signers(document, self.lines[-1])
            lacking = max(lacking, root.threshold - len(signed) if root else 1)
        return lacking

    def _judges(self) -> tuple[TrustDocument, ...]:
        return tuple(claimed(line) for line in self.lines[-2:])


def _is_root(document: TrustDocument, key: str) -> bool:
    root = document.roles.role(ROOT)
    return root is not None and document.roles.owner(key) in root.people


def draft_path(path: Path) -> Path:
    """Where the next version of a trust document waits for signatures."""
    return path.with_name(path.name + ".draft")


def write(path: Path, draft: Draft, *, begun: bool = False) -> Path:
    """Write a draft where it belongs: to ``path`` once it verifies, else to its `draft_path`.

    ``begun`` says that it waited there before. Gives the file that was written. Raises
    `InputError` where another draft waits, where a first version would replace a file, or where the
    file no longer holds what the draft goes on from; nothing is written then.
    """
    waiting = draft_path(path)
    with locked(path.parent):
        if waiting.exists() and not begun:
            raise InputError(
                f"{waiting} waits for signatures",
                hint=f"credenza trust sign {waiting} --key KEY, or delete it",
            )
        if path.exists() and len(draft.lines) == 1:
            raise InputError(f"{path} exists already, and is kept")
        held = split(read_whole(path, limit=LARGEST_CHAIN)) if path.exists() else []
        if [e.payload for e in held] != [e.payload for e in draft.lines[:-1]]:
            raise InputError(f"{path} is not what the draft goes on from; make it anew")
        data = b"".join(map(bytes, draft.lines))
        if draft.missing():
            write_whole(waiting, data)
            return waiting
        write_whole(path, bytes(Chain.parse(data)))
        waiting.unlink(missing_ok=True)
        return path
