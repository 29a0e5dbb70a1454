"""Keys of a cloud's key service or of Vault, through securesystemslib (extra ``kms``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, final

from credenza.attest.asking import Ask
from credenza.attest.envelope import Signature
from credenza.attest.keys import PublicKey
from credenza.attest.kinds import ED25519, P256_KIND
from credenza.attest.kinds.p256 import low_s
from credenza.attest.signers.checked import checked
from credenza.errors import CredenzaError, InputError, MissingExtraError

if TYPE_CHECKING:
    from securesystemslib.signer import Key
    from securesystemslib.signer import Signer as TheirSigner


@final
@dataclass(frozen=True, slots=True)
class KmsSigner:
    """A signer of securesystemslib. Each signature is a call to whoever holds the key."""

    uri: str
    public: PublicKey
    theirs: TheirSigner

    @classmethod
    def open(cls, uri: str, ask: Ask) -> KmsSigner:
        """Ask the service for the public half of the key.

        Raises `InputError` where the service or its client library says no, or the key is neither
        ECDSA P-256 nor Ed25519; `MissingExtraError` without securesystemslib.
        """
        library = _library()
        scheme, _, name = uri.partition(":")
        theirs = library.SIGNER_FOR_URI_SCHEME[scheme.lower()]
        full, key = _theirs(uri, lambda: theirs.import_(*_NAMES[scheme.lower()](name)))
        if full != uri and not full.startswith(uri.rstrip("/") + "/"):
            raise InputError(f"{uri}: {full} is what the service has now")
        return cls.wrap(
            full,
            _theirs(uri, lambda: library.Signer.from_priv_key_uri(full, key, ask)),
        )

    @classmethod
    def wrap(cls, uri: str, theirs: TheirSigner) -> KmsSigner:
        """Our signer of theirs. Raises `InputError` for a key of another kind."""
        return cls(uri, _public(uri, theirs.public_key), theirs)

    def sign(self, message: bytes) -> Signature:
        """A signature over ``message``. Raises `InputError` where the service makes none."""
        signed = _theirs(self.uri, lambda: self.theirs.sign(message))
        try:
            signature = bytes.fromhex(signed.signature)
            if self.public.kind is P256_KIND:
                signature = low_s(signature)
        except ValueError as e:
            raise InputError(f"{self.uri}: its signature is not well-formed: {e}") from e
        return checked(self.public, message, signature, self.uri)


def _library() -> ModuleType:
    try:
        from securesystemslib import signer
    except ImportError as e:
        raise MissingExtraError("a key of a key service", "kms") from e
    return signer


def _azure(name: str) -> tuple[str, ...]:
    """Vault and key of ``//VAULT.vault.azure.net/keys/KEY[/VERSION]``."""
    host, keys, key, *version = name.removeprefix("//").split("/") + [""] * 3
    if not host.endswith(".vault.azure.net") or keys != "keys" or not key or any(version[1:]):
        raise InputError("azurekms: azurekms://VAULT.vault.azure.net/keys/KEY expected")
    return host.removesuffix(".vault.azure.net"), key


_NAMES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "awskms": lambda name: (name,),
    "gcpkms": lambda name: (name,),
    "azurekms": _azure,
    "hv": lambda name: (name.partition("/")[0],),
}
"""What securesystemslib's ``import_`` of each scheme takes."""


def _theirs(uri: str, call: Callable[[], Any]) -> Any:
    """The result of a call into their library, which raises whatever a client library raises."""
    try:
        return call()
    except CredenzaError:
        raise
    except Exception as e:
        scheme = uri.partition(":")[0]
        missing = type(e).__name__ == "UnsupportedLibraryError"
        extra = {"hv": "vault"}.get(scheme, scheme)
        hint = f"pip install 'securesystemslib[{extra}]'" if missing else ""
        raise InputError(f"{uri}: {type(e).__name__}: {e}", hint=hint) from e


def _public(uri: str, key: Key) -> PublicKey:
    """Our public key of theirs. ML-DSA is refused too: they sign another message with it."""
    value = key.keyval.get("public", "")
    try:
        if key.scheme == "ed25519":
            return PublicKey(bytes.fromhex(value), ED25519)
        if key.scheme == "ecdsa-sha2-nistp256":
            return PublicKey.parse(value.encode(), name=uri)
    except ValueError as e:
        raise InputError(f"{uri}: its public key is not well-formed: {e}") from e
    raise InputError(f"{uri}: a key of ECDSA P-256 or Ed25519 expected, {key.scheme} found")
