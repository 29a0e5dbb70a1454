"""Signatures by a Sigstore identity, verified where the package ``sigstore`` is installed."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credenza.errors import InputError, MissingExtraError, UntrustedError
from credenza.seal.oms import bundle as bundles
from credenza.seal.oms.interface import Signer, Vouched

if TYPE_CHECKING:
    from sigstore.verify import Verifier


@final
@dataclass(frozen=True, slots=True)
class SigstoreTrust:
    """Trust in one identity, as one OpenID Connect issuer vouches for it.

    ``root`` is a Sigstore trusted root (JSON); without one it is the public instance's, as the
    ``sigstore`` package holds it. Nothing is fetched: the log entry in the bundle is the proof.
    """

    identity: str
    issuer: str
    root: Path | None = None

    def vouch(self, bundle: bundles.Bundle, now: dt.datetime) -> Vouched:  # noqa: ARG002
        if not isinstance(bundle.material, bundles.Keyless):
            raise UntrustedError("not signed by a Sigstore identity, and trust is in one")
        try:
            from sigstore.models import Bundle
            from sigstore.verify.policy import Identity
        except ImportError as e:
            raise MissingExtraError("a signature by a Sigstore identity", "sigstore") from e
        verifier = self._verifier()
        policy = Identity(identity=self.identity, issuer=self.issuer)
        try:
            theirs = Bundle.from_json(bundle.data)
            kind, payload = verifier.verify_dsse(theirs, policy)
            certificate = theirs.signing_certificate
        except Exception as e:  # somebody else's parser and verifier
            reason = ascii(str(e))[1:-1]
            raise UntrustedError(f"not signed by {self.identity} of {self.issuer}: {reason}") from e
        envelope = bundle.envelope
        if (kind, payload) != (envelope.payload_type, envelope.payload):
            raise UntrustedError("the bundle reads in two ways")
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Vouched((Signer(hashlib.sha256(key).hexdigest(), (self.identity, self.issuer)),))

    def _verifier(self) -> Verifier:
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier

        try:
            if self.root is None:
                return Verifier.production(offline=True)
            return Verifier(trusted_root=TrustedRoot.from_file(str(self.root)))
        except Exception as e:
            raise InputError(f"{self.root or 'sigstore'}: a Sigstore trusted root expected") from e
