"""What holds a key to sign with."""

from __future__ import annotations

from typing import Protocol

from credenza.attest.keys import PublicKey
from credenza.attest.statement import Signer


class KeySigner(Signer, Protocol):
    """A signer whose public half is known: a key file, a token, a cloud's key service."""

    @property
    def public(self) -> PublicKey:
        """What its signatures verify with."""
        ...
