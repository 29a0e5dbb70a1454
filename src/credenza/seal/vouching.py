"""Saying more about a sealed model: approvals, releases, and statements signed elsewhere."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from credenza.attest import Envelope, Standing, Subject, Trust, sign
from credenza.attest.bundle import Bundle
from credenza.attest.statement import Signer
from credenza.errors import InputError, UntrustedError
from credenza.files import locked, write_whole
from credenza.seal.reading import Progress
from credenza.seal.signing import opened, read_bundle, seal_path
from credenza.seal.verifying import compare

if TYPE_CHECKING:
    from credenza.attest.predicate import TrustVersion


class Added(msgspec.Struct, frozen=True):
    """The root (hex) of a model to whose seal a line was added, and who vouches for it so far."""

    root: str
    standing: Standing


def attach(path: Path | str, trust: Trust, envelope: Envelope) -> Added:
    """Add a signed statement about a model to its seal (docs/formats/bundle.md).

    What is missing still is no refusal, and what comes back is no `Verified`. Raises as `read_seal`
    does, and `UntrustedError` where the statement would count for nothing or would make the model
    one that is refused. Nothing is written then.
    """
    path = Path(path)
    with locked(seal_path(path).parent):
        held = read_bundle(path)
        added = Bundle(held.seal, (*held.others, envelope))
        try:
            Bundle.parse(bytes(added))
        except InputError as e:
            raise InputError(f"{path}: cannot be added to its seal: {e}") from e
        statement, sealed = opened(path, added, trust)
        standing = trust.standing(statement, sealed.sealed_at, added.others)
        last = len(added.others) + 1
        if idle := [u.why for u in standing.uncounted if u.line == last]:
            raise UntrustedError(f"{path}: it would count for nothing: {idle[0]}")
        write_whole(seal_path(path), bytes(added))
    return Added(sealed.seal.root.hex(), standing)


def approve(
    path: Path | str,
    trust: Trust,
    signer: Signer,
    *,
    role: str = "approver",
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> Added:
    """Verify a model's every byte, and add to its seal that the signer approves, in that role.

    Raises as `verify` and `attach` do; nothing is written then.
    """
    from credenza.attest import approval

    subject, seen = _checked(path, trust, progress)
    said = approval.Approval(subject, role, now or dt.datetime.now(dt.UTC), seen)
    return attach(path, trust, sign(approval.to_statement(said), [signer]))


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
) -> Added:
    """Verify a model's every byte, and add to its seal that it is the named version until then.

    The name is that under which it was sealed where none is given. Raises as `verify` and `attach`
    do; nothing is written then.
    """
    from credenza.attest import release

    subject, seen = _checked(path, trust, progress)
    at = now or dt.datetime.now(dt.UTC)
    said = release.Release(subject, name or subject.name, version, at, expires, seen)
    return attach(path, trust, sign(release.to_statement(said), [signer]))


def _checked(
    path: Path | str, trust: Trust, progress: Progress | None
) -> tuple[Subject, TrustVersion | None]:
    """What is to be spoken of, every byte of it checked, and under which trust document."""
    from credenza.attest.predicate import TrustVersion

    bundle = read_bundle(path := Path(path))
    statement, sealed = opened(path, bundle, trust)
    trust.standing(statement, sealed.sealed_at, bundle.others)
    compare(sealed, progress=progress)
    subject = Subject(
        sealed.name, f"credenza-{sealed.seal.algorithm.value}", sealed.seal.root.hex()
    )
    return subject, TrustVersion(trust.name, trust.version) if trust.name else None
