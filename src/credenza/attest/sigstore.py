"""Signatures of a sigstore identity: somebody who logged in somewhere, instead of a key.

A signature here is a whole sigstore bundle (its JSON, media type
``application/vnd.dev.sigstore.bundle.v0.3+json`` or an older one): certificate, signature, and the
entry in the transparency log. Verified by the package ``sigstore`` (extra ``sigstore``), offline.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, final

import msgspec

from credenza.attest.envelope import Envelope, Signature
from credenza.errors import InputError, MissingExtraError, UntrustedError

if TYPE_CHECKING:
    from sigstore.verify import Verifier

_LARGEST_BUNDLE = 2**24
_SHIPPED = ("_store", "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev", "trusted_root.json")


@final
@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as an issuer of identities knows them: a trusted "key" that has no key.

    ``trusted_root`` is a file with the keys of certificate authority and log (sigstore's
    ``trusted_root.json``); without it, those that the installed ``sigstore`` was shipped with.
    Raises `InputError` where identity or issuer is empty.
    """

    identity: str
    issuer: str
    trusted_root: Path | None = None

    def __post_init__(self) -> None:
        if not self.identity or not self.issuer:
            raise InputError("sigstore: an identity and its issuer expected")

    @property
    def id(self) -> str:
        """SHA-256 of the issuer, a line feed and the identity, in hex."""
        return hashlib.sha256(f"{self.issuer}\n{self.identity}".encode()).hexdigest()

    def envelope(self, bundle: bytes) -> Envelope:
        """The envelope in a sigstore bundle, said to be this identity's: what a trust verifies.

        Raises as `enveloped` does.
        """
        held = enveloped(bundle)
        return Envelope(held.payload, held.payload_type, (Signature(self.id, bundle),))

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises `UntrustedError` unless this identity signed ``message``.

        ``signature`` is a bundle: either over the message itself, or with a DSSE envelope of which
        the message is the pre-authentication encoding. `MissingExtraError` without ``sigstore``,
        `InputError` where the trusted root cannot be read.
        """
        verifier = self._verifier()
        from sigstore.models import Bundle
        from sigstore.verify import policy

        try:
            bundle = Bundle.from_json(signature)
            whom = policy.Identity(identity=self.identity, issuer=self.issuer)
            if not _has_envelope(signature):
                verifier.verify_artifact(message, bundle, whom)
                return
            kind, payload = verifier.verify_dsse(bundle, whom)
        except Exception as e:  # of a parser that is not ours, and of those below it
            raise UntrustedError(f"the signature is not by {self.identity}: {e}") from e
        if Envelope(payload, kind, ()).signed_bytes != message:
            raise UntrustedError(f"{self.identity} signed something else")

    def _verifier(self) -> Verifier:
        try:
            from sigstore.models import TrustedRoot
            from sigstore.verify import Verifier
        except ImportError as e:
            raise MissingExtraError("a signature of a sigstore identity", "sigstore") from e
        path = self.trusted_root or Path(str(resources.files("sigstore").joinpath(*_SHIPPED)))
        try:
            return Verifier(trusted_root=TrustedRoot.from_file(str(path)))
        except Exception as e:  # as above
            raise InputError(f"{path}: sigstore's trusted root expected: {e}") from e


def enveloped(bundle: bytes) -> Envelope:
    """The envelope in a sigstore bundle, with the whole bundle as its signature. Nothing of it is
    verified: that is `Identity.verify`'s to do, or that of a trust that holds one.

    Raises `InputError` where the bundle holds no DSSE envelope.
    """
    if len(bundle) > _LARGEST_BUNDLE:
        raise InputError(f"sigstore: a bundle of at most {_LARGEST_BUNDLE} bytes expected")
    try:
        inner = msgspec.json.decode(bundle, type=_WireBundle).dsse_envelope
        payload = base64.b64decode(inner.payload, validate=True)
    except (ValueError, RecursionError) as e:
        raise InputError(f"sigstore: no bundle with a DSSE envelope: {e}") from e
    return Envelope(payload, inner.payload_type, (Signature("", bundle),))


def _has_envelope(bundle: bytes) -> bool:
    try:
        enveloped(bundle)
    except InputError:
        return False
    return True


class _WireEnvelope(msgspec.Struct, frozen=True, rename="camel"):
    payload: str
    payload_type: str


class _WireBundle(msgspec.Struct, frozen=True, rename="camel"):
    dsse_envelope: _WireEnvelope
