"""Verifying a model against an OMS signature: ossf/model-signing-spec, section 8."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from credenza.errors import InputError, UnsealedError, UntrustedError
from credenza.files import read_whole
from credenza.findings import Report
from credenza.seal.oms import bundle as bundles
from credenza.seal.oms import listing
from credenza.seal.oms.comparing import Leave, compare
from credenza.seal.oms.hashing import Progress
from credenza.seal.oms.interface import Signer, Trust
from credenza.seal.oms.manifest import Manifest
from credenza.seal.oms.trust import VerifiedManifest, verified


@dataclass(frozen=True, slots=True)
class VerifiedModel:
    """Who signed a model, what they signed, and what was found: notes, never a difference."""

    verified: VerifiedManifest
    report: Report

    @property
    def manifest(self) -> Manifest:
        """What was signed."""
        return self.verified.manifest

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Whose signatures are on it, all of them."""
        return self.verified.signers


def verify(
    path: Path,
    signature: Path,
    trust: Trust,
    *,
    ignore: Collection[str] = (),
    allow_unsigned_files: bool = False,
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> VerifiedModel:
    """Check that a model, a file or a folder, is what a trusted signer signed, and nothing else.

    Serialization, hash and shards are the signature's. Files in ``ignore`` (paths below the
    model's top) need not be signed, nor any with ``allow_unsigned_files``; they come back as
    notes. ``now`` is when certificates must be valid.

    Raises `UnsealedError` where there is no signature, `UntrustedError` where it is damaged or
    not by whom is trusted, `AlteredError` where the model is not what was signed, `InputError`
    where something is not there or cannot be read, `MissingExtraError` for a Sigstore identity
    without the package ``sigstore``. Nothing but the bundle is parsed before its signature was
    checked.
    """
    listing.check_entries(ignore)
    known = read_signature(signature, trust, now=now)
    leave = Leave(entries=tuple(ignore), unsigned=allow_unsigned_files)
    return VerifiedModel(known, compare(known, path, signature, leave, progress))


def read_signature(
    signature: Path, trust: Trust, *, now: dt.datetime | None = None
) -> VerifiedManifest:
    """What a signature says, checked to be by whom is trusted. No model is looked at.

    Raises as `verify` does, except `AlteredError`.
    """
    if now is not None and now.tzinfo is None:
        raise InputError("verify: a time with its zone expected")
    try:
        data = read_whole(signature, limit=bundles.LARGEST)
    except InputError as e:
        if isinstance(e.__cause__, FileNotFoundError):
            hint = "credenza seal MODEL --key KEY --oms writes one"
            raise UnsealedError(f"{signature}: there is no such signature", hint=hint) from e
        raise
    try:
        bundle = bundles.parse(data)
    except InputError as e:
        raise UntrustedError(f"{signature} is no OMS signature: {e}") from e
    return verified(bundle, trust, now or dt.datetime.now(dt.UTC))
