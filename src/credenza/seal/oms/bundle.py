"""The container of an OMS signature: a Sigstore bundle v0.3 around a DSSE envelope.

sigstore/protobuf-specs, sigstore_bundle.proto; ossf/model-signing-spec, section 4 and
schemas/bundle.schema.json. Nothing in it is believed before a signature was checked.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from credenza.attest import IN_TOTO, Envelope, Signature
from credenza.attest.envelope import MOST_SIGNATURES
from credenza.errors import InputError
from credenza.seal.oms import strict

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
LARGEST = 64 * 2**20
"""Bytes of a bundle: a quarter of a million files."""

_MOST_CERTIFICATES = 16


@dataclass(frozen=True, slots=True)
class KeyHint:
    """The key method: what the bundle says of the key. ``raw`` and ``details`` are pre-1.1's."""

    hint: str = ""
    raw: bytes = b""
    details: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificate method: certificates in DER, the signer's first."""

    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Keyless:
    """The sigstore method: a short-lived certificate, whose signing is in a transparency log."""


Material = KeyHint | Chain | Keyless


@dataclass(frozen=True, slots=True)
class Bundle:
    """A signed payload, and what its signer gives to check it by.

    ``evidence`` names what else it carries (log entries, timestamps), ``data`` is all its bytes.
    """

    envelope: Envelope
    material: Material
    evidence: tuple[str, ...]
    data: bytes


def parse(data: bytes) -> Bundle:
    """Read a bundle.

    Raises `InputError` for another media type, members unknown or twice, base64 in another
    spelling, no signature or over 16, and material of no or of two methods.
    """
    if len(data) > LARGEST:
        raise InputError(f"bundle: at most {LARGEST} bytes expected, {len(data)} found")
    wire = strict.convert(strict.loads(data, "bundle"), _Bundle, "bundle")
    if wire.media_type != MEDIA_TYPE:
        raise InputError(f"bundle: media type {MEDIA_TYPE} expected, {wire.media_type!r} found")
    found = wire.dsse_envelope
    if found.payload_type != IN_TOTO:
        raise InputError(f"bundle: payload {IN_TOTO} expected, {found.payload_type!r} found")
    if not 1 <= len(found.signatures) <= MOST_SIGNATURES:
        count = len(found.signatures)
        raise InputError(f"bundle: 1 to {MOST_SIGNATURES} signatures expected, {count} found")
    signatures = tuple(
        Signature(s.keyid or "", strict.unbase64(s.sig, "signature")) for s in found.signatures
    )
    envelope = Envelope(strict.unbase64(found.payload, "payload"), IN_TOTO, signatures)
    material = wire.verification_material
    carried = []
    if material.tlog_entries:
        carried.append("transparency log entries")
    if material.timestamp_verification_data:
        carried.append("timestamps")
    return Bundle(envelope, _material(material), tuple(carried), data)


def write(payload: bytes, signature: bytes, material: Material) -> bytes:
    """A bundle with one signature, as the specification's appendix A shows it."""
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": IN_TOTO,
        "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
    }
    return msgspec.json.encode(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {**_spelled(material), "tlogEntries": []},
            "dsseEnvelope": envelope,
        }
    )


def _spelled(material: Material) -> dict[str, Any]:
    if isinstance(material, Chain):
        raw = [{"rawBytes": base64.b64encode(c).decode()} for c in material.certificates]
        return {"x509CertificateChain": {"certificates": raw}}
    if isinstance(material, KeyHint):
        return {"publicKey": {"hint": material.hint}}
    raise InputError("bundle: a key or a certificate chain expected to be written")


def _material(wire: _Material) -> Material:
    found = [m for m in (wire.public_key, wire.x509_certificate_chain, wire.certificate) if m]
    if len(found) != 1:
        raise InputError(
            "bundle: one of publicKey, x509CertificateChain and certificate expected, "
            f"{len(found) or 'none'} found"
        )
    if wire.public_key is not None:
        key = wire.public_key
        raw = strict.unbase64(key.raw_bytes or "", "public key")
        return KeyHint(key.hint or "", raw, key.key_details or "")
    if wire.x509_certificate_chain is not None:
        return Chain(_certificates(wire.x509_certificate_chain.certificates))
    return Keyless()


def _certificates(found: Sequence[_Certificate]) -> tuple[bytes, ...]:
    if not 1 <= len(found) <= _MOST_CERTIFICATES:
        expected = f"1 to {_MOST_CERTIFICATES} certificates expected"
        raise InputError(f"bundle: {expected}, {len(found)} found")
    return tuple(strict.unbase64(c.raw_bytes, "certificate") for c in found)


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class _Signature(_Strict, frozen=True):
    sig: str
    keyid: str | None = None  # absent, empty or null: section 4.1


class _Envelope(_Strict, frozen=True):
    payload: str
    payload_type: str
    signatures: list[_Signature]


class _Certificate(_Strict, frozen=True):
    raw_bytes: str


class _Chain(_Strict, frozen=True):
    certificates: list[_Certificate]


class _PublicKey(_Strict, frozen=True):
    hint: str | None = None
    raw_bytes: str | None = None
    key_details: str | None = None


class _Material(_Strict, frozen=True):
    public_key: _PublicKey | None = None
    x509_certificate_chain: _Chain | None = None
    certificate: _Certificate | None = None
    tlog_entries: list[dict[str, Any]] | None = None
    timestamp_verification_data: dict[str, Any] | None = None


class _Bundle(_Strict, frozen=True):
    media_type: str
    verification_material: _Material
    dsse_envelope: _Envelope
