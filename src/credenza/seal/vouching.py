"""Saying more about a sealed model: approvals, releases, and statements signed elsewhere."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.attest import Envelope, Statement, Subject, Trust, Verified, sign
from credenza.attest.bundle import Bundle
from credenza.attest.statement import Signer
from credenza.errors import InputError, UntrustedError
from credenza.files import locked, write_whole
from credenza.seal.contents import Sealed
from credenza.seal.loading import check
from credenza.seal.reading import Progress
from credenza.seal.signing import judged, read_bundle, read_seal, seal_path

if TYPE_CHECKING:
    from credenza.attest.predicate import TrustVersion


def attach(path: Path | str, trust: Trust, envelope: Envelope) -> Verified[Sealed]:
    """Add a signed statement about a model to its seal (docs/formats/bundle.md).

    Gives the seal with all that stands beside it now; what is missing still is no refusal. Raises
    as `read_seal` does, and `UntrustedError` where the statement would count for nothing or would
    make the model one that is refused. Nothing is written then.
    """
    path = Path(path)
    with locked(seal_path(path).parent):
        held = read_bundle(path)
        added = Bundle(held.seal, (*held.others, envelope))
        try:
            Bundle.parse(bytes(added))
        except InputError as e:
            raise InputError(f"{path}: cannot be added to its seal: {e}") from e
        sealed = judged(path, added, trust, unfinished=True)
        last = len(added.others) + 1
        if idle := [u.why for u in sealed.standing.uncounted if u.line == last]:
            raise UntrustedError(f"{path}: it would count for nothing: {idle[0]}")
        write_whole(seal_path(path), bytes(added))
    return sealed


def approve(
    path: Path | str,
    trust: Trust,
    signer: Signer,
    *,
    role: str = "approver",
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> Verified[Sealed]:
    """Verify a model's every byte, and add to its seal that the signer approves, in that role.

    Raises as `verify` and `attach` do; nothing is written then.
    """
    from credenza.attest import approval

    subject, seen = _checked(path, trust, progress)
    said = approval.Approval(subject, role, now or dt.datetime.now(dt.UTC), seen)
    return _said(path, trust, approval.to_statement(said), signer)


def release(
    path: Path | str,
    trust: Trust,
    signer: Signer,
    *,
    version: int,
    name: str = "",
    expires: dt.datetime | None = None,
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> Verified[Sealed]:
    """Verify a model's every byte, and add to its seal that it is the named version until then.

    The name is that under which it was sealed where none is given. Raises as `verify` and `attach`
    do; nothing is written then.
    """
    from credenza.attest import release

    subject, seen = _checked(path, trust, progress)
    at = now or dt.datetime.now(dt.UTC)
    said = release.Release(subject, name or subject.name, version, at, expires, seen)
    return _said(path, trust, release.to_statement(said), signer)


def _checked(
    path: Path | str, trust: Trust, progress: Progress | None
) -> tuple[Subject, TrustVersion | None]:
    from credenza.attest.predicate import TrustVersion

    sealed = read_seal(path, trust, unfinished=True)
    check(sealed, progress=progress)
    seal, name = sealed.value.seal, sealed.value.name
    subject = Subject(name, f"credenza-{seal.algorithm.value}", seal.root.hex())
    return subject, TrustVersion(trust.name, trust.version) if trust.name else None


def _said(path: Path | str, trust: Trust, statement: Statement, signer: Signer) -> Verified[Sealed]:
    return attach(path, trust, sign(statement, [signer]))
