"""Whom to believe, and the one place that makes a manifest a verified one.

Three ways to sign, three kinds of trust: a bundle of one method is never believed by another's
(ossf/model-signing-spec, sections 4.1 and 8.2).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credenza.attest import Envelope
from credenza.errors import InputError, UntrustedError
from credenza.files import read_whole
from credenza.seal.oms import bundle as bundles
from credenza.seal.oms import certificates, keys, legacy
from credenza.seal.oms.interface import Signer, Trust, Vouched
from credenza.seal.oms.manifest import Manifest
from credenza.seal.oms.statement import parse

_MAKER: Final = object()
_LARGEST_TRUST: Final = 2**20
_KEY_DETAILS: Final = {
    "secp256r1": "PKIX_ECDSA_P256_SHA_256",
    "secp384r1": "PKIX_ECDSA_P384_SHA_384",
    "secp521r1": "PKIX_ECDSA_P521_SHA_512",
}


@final
@dataclass(frozen=True, slots=True)
class VerifiedManifest:
    """A manifest that a trusted signer vouches for. Only `verified` makes one."""

    manifest: Manifest
    signers: tuple[Signer, ...]
    unchecked: tuple[str, ...]
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _MAKER:
            raise TypeError("only credenza.seal.oms.trust.verified makes a VerifiedManifest")


def verified(bundle: bundles.Bundle, trust: Trust, now: dt.datetime) -> VerifiedManifest:
    """The manifest in the bundle, parsed only after its signatures were checked.

    Raises `UntrustedError` where one is not trusted, or what was signed is no OMS statement.
    """
    vouched = trust.vouch(bundle, now)
    try:
        manifest = parse(bundle.envelope.payload)
    except InputError as e:
        raise UntrustedError(f"what was signed is no OMS statement: {e}") from e
    return VerifiedManifest(manifest, vouched.signers, vouched.unchecked, _MAKER)


@final
@dataclass(frozen=True, slots=True)
class KeyTrust:
    """Trust in bare keys. Every signature must be by one of them, and no two by the same."""

    keys: tuple[keys.PublicKey, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise InputError("trust: at least one key expected, none given")

    def vouch(self, bundle: bundles.Bundle, now: dt.datetime) -> Vouched:  # noqa: ARG002
        if not isinstance(bundle.material, bundles.KeyHint):
            raise UntrustedError("signed by a certificate, and trust is in a bare key")
        signers = _all_signed(self.keys, bundle.envelope)
        _check_hint(bundle.material, signers)
        return Vouched(tuple(Signer(keys.key_id(k)) for k in signers), _evidence(bundle))


@final
@dataclass(frozen=True, slots=True)
class CertificateTrust:
    """Trust in issuers, or in a signer's own certificate, and in whom they may vouch for.

    ``identities`` are the names that a signer may have, each whole: an e-mail address, a URI or a
    DNS name of the certificate's alternative names, or its subject as RFC 4514 spells it. Where
    none is given, only a certificate that is itself among ``anchors`` is believed; with
    ``any_identity`` whoever holds a certificate for signing from these issuers is.
    """

    anchors: tuple[x509.Certificate, ...]
    identities: tuple[str, ...] = ()
    any_identity: bool = False

    def __post_init__(self) -> None:
        if not self.anchors:
            raise InputError("trust: at least one certificate expected, none given")
        if self.identities and self.any_identity:
            raise InputError("trust: identities or any identity expected, both given")

    def vouch(self, bundle: bundles.Bundle, now: dt.datetime) -> Vouched:
        if not isinstance(bundle.material, bundles.Chain):
            raise UntrustedError("not signed by a certificate, and trust is in certificates")
        try:
            leaf, *others = map(certificates.load, bundle.material.certificates)
            key = keys.supported(leaf.public_key(), "bundle: the signer's certificate")
        except InputError as e:
            raise UntrustedError(str(e)) from e
        certificates.check_chain(leaf, others, self.anchors, now)
        _all_signed((key,), bundle.envelope)
        names = certificates.names(leaf)
        self._check_identity(leaf, names)
        unchecked = ("whether a certificate was revoked", *_evidence(bundle))
        return Vouched((Signer(keys.key_id(key), names),), unchecked)

    def _check_identity(self, leaf: x509.Certificate, names: Sequence[str]) -> None:
        if self.any_identity or set(self.identities) & set(names):
            return
        found = ascii(", ".join(names))
        if self.identities:
            expected = ascii(", ".join(self.identities))
            raise UntrustedError(f"signed by another (expected {expected}, found {found})")
        if leaf in self.anchors:
            return
        raise UntrustedError(
            f"signed by {found}, and it was not said who may sign",
            hint="name the signer with --identity NAME; --any-identity believes anybody whom "
            "the issuer gave a certificate for signing",
        )


def read_trust(
    path: Path, *, identities: Sequence[str] = (), any_identity: bool = False, issuer: str = ""
) -> Trust:
    """Trust from a file: a public key or certificates in PEM, or a Sigstore trusted root (JSON).

    Sigstore trust takes one identity and the ``issuer`` that vouches for it; ``sigstore`` instead
    of a file is the public instance. Raises `InputError` for anything else, and for names where
    they mean nothing.
    """
    if issuer:
        from credenza.seal.oms.keyless import SigstoreTrust

        if len(identities) != 1 or any_identity:
            raise InputError("trust: one identity expected with an issuer")
        root = None if path == Path("sigstore") else path
        return SigstoreTrust(identities[0], issuer, root)
    data = read_whole(path, limit=_LARGEST_TRUST)
    if b"PRIVATE KEY" in data:
        raise InputError(f"{path}: a public key or certificates expected, a private key found")
    keys_in_it = data.count(b"BEGIN PUBLIC KEY")
    if keys_in_it > 1 or (keys_in_it and b"BEGIN CERTIFICATE" in data):
        raise InputError(f"{path}: one public key, or certificates, expected, more found")
    if b"BEGIN CERTIFICATE" in data:
        return CertificateTrust(_certificates(data, path), tuple(identities), any_identity)
    if identities or any_identity:
        raise InputError(f"{path}: certificates expected where an identity is named")
    return KeyTrust((keys.load_public_key(data, str(path)),))


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file, in its order. Raises `InputError` where there is none."""
    return _certificates(read_whole(path, limit=_LARGEST_TRUST), path)


def _certificates(data: bytes, path: Path) -> tuple[x509.Certificate, ...]:
    try:
        found = x509.load_pem_x509_certificates(data)
    except ValueError as e:
        raise InputError(f"{path}: certificates in PEM expected: {e}") from e
    for certificate in found:
        certificates.load(certificate.public_bytes(Encoding.DER))
    return tuple(found)


def _all_signed(
    trusted: Sequence[keys.PublicKey], envelope: Envelope
) -> tuple[keys.PublicKey, ...]:
    """The key of each signature. One that is by no trusted key, or by one again, is a refusal."""
    message = envelope.signed_bytes
    found: list[keys.PublicKey] = []
    for number, signature in enumerate(envelope.signatures, 1):
        key = next((k for k in trusted if _signed(k, envelope, message, signature.sig)), None)
        which = f"signature {number} of {len(envelope.signatures)}"
        if key is None:
            expected = ", ".join(keys.key_id(k)[:16] for k in trusted)
            raise UntrustedError(f"{which} is by no trusted key (expected {expected})")
        if key in found:
            raise UntrustedError(f"{which} is a second one by key {keys.key_id(key)[:16]}")
        found.append(key)
    return tuple(found)


def _signed(key: keys.PublicKey, envelope: Envelope, message: bytes, signature: bytes) -> bool:
    return keys.is_signed(key, message, signature) or legacy.is_signed(key, envelope, signature)


def _check_hint(material: bundles.KeyHint, signers: Sequence[keys.PublicKey]) -> None:
    """What the bundle says of the key is no evidence, but must not say of another."""
    if not material.hint and not material.raw:
        raise UntrustedError("the bundle names no key")
    known = {name for k in signers for name in (keys.hint(k), keys.key_id(k))}
    if material.hint and material.hint not in known:
        raise UntrustedError(f"the bundle names another key: {material.hint!a}")
    if material.raw:
        try:
            raw = keys.load_public_key(material.raw, "bundle: publicKey")
        except InputError as e:
            raise UntrustedError(str(e)) from e
        if raw not in signers:
            raise UntrustedError(f"the bundle names another key: {keys.key_id(raw)[:16]}")
    if material.details and material.details not in {_KEY_DETAILS[k.curve.name] for k in signers}:
        raise UntrustedError(f"the bundle names another kind of key: {material.details!a}")


def _evidence(bundle: bundles.Bundle) -> tuple[str, ...]:
    return tuple(f"the bundle's {name}" for name in bundle.evidence)
