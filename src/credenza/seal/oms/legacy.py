"""Signatures of model-signing 0.2: predicate ``https://model_signing/Digests/v0.1``.

They are read, never written. The files are the statement's subjects, and what was signed is not
DSSE's encoding: the payload went through Python's ``str`` of bytes (model-signing 1.1.1,
sign_sigstore_pb.py, `pae_compat`), and always with SHA-256. Both encodings tell any two payloads
apart, and no payload of one is one of the other (``DSSEV1`` for ``DSSEv1``).
"""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes

from credenza.attest import Envelope
from credenza.errors import InputError
from credenza.seal.oms import keys, manifest, strict
from credenza.seal.oms.hashes import Hash


def is_signed(key: keys.PublicKey, envelope: Envelope, signature: bytes) -> bool:
    """Whether the key's owner signed the envelope with model-signing 0.2.

    Only a payload that names the predicate is tried; `manifest.parse` finds out what it is.
    """
    if manifest.LEGACY_TYPE.encode() not in envelope.payload:
        return False
    kind, payload = envelope.payload_type, envelope.payload
    message = f"DSSEV1 {len(kind)} {kind} {len(payload)} {payload!r}".encode()
    return keys.is_signed(key, message, signature, hashes.SHA256())


def parse(subjects: list[Any]) -> manifest.Manifest:
    """The files and digests that are the subjects. Raises `InputError` for anything else."""
    if not subjects:
        raise InputError("statement: at least one subject expected, none found")
    files = tuple(_file(strict.convert(s, _Subject, "subject")) for s in subjects)
    found = manifest.Manifest(
        name="",
        hash=Hash.SHA256,
        shard_size=None,
        resources=manifest.in_order(files),
        predicate_type=manifest.LEGACY_TYPE,
    )
    manifest.check_resources(found)
    return found


def _file(subject: _Subject) -> manifest.Resource:
    if subject.digest.keys() != {"sha256"}:
        raise InputError(f"subject {subject.name!a}: one digest sha256 expected")
    # The digest may be another's under this name: sigstore/sigstore-python issue 1018.
    actual = subject.annotations.actual_hash_algorithm
    if actual not in ("file-sha256", "sha256"):
        raise InputError(f"subject {subject.name!a}: hash file-sha256 expected, {actual!a} found")
    digest = manifest.unhex(subject.digest["sha256"], Hash.SHA256.size, subject.name)
    if subject.name != manifest.ONE_FILE:
        manifest.check_name(subject.name)
    return manifest.Resource(subject.name, 0, None, digest)


class _Annotations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    actual_hash_algorithm: str = "sha256"


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: dict[str, str]
    annotations: _Annotations = _Annotations()
