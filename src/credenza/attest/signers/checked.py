"""What every signer does that does not hold its key itself."""

from __future__ import annotations

from credenza.attest.envelope import Signature
from credenza.attest.keys import PublicKey
from credenza.errors import InputError, UntrustedError


def checked(public: PublicKey, message: bytes, signature: bytes, by: str) -> Signature:
    """The signature, after it was verified with the public half that the signer showed.

    Raises `InputError` where it does not verify: whoever signed used another key, or failed.
    """
    try:
        public.verify(message, signature)
    except UntrustedError as e:
        raise InputError(f"{by}: it signed, and its own public key does not verify that") from e
    return Signature(public.id, signature)
