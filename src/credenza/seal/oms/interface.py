"""Who signed, and the interface of whatever decides whether they are believed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from credenza.seal.oms.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Signer:
    """The id of a key (SHA-256 of its SubjectPublicKeyInfo, in hex), and the names that a trusted
    issuer gave its owner; none for a bare key.
    """

    key: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{', '.join(self.names)} (key {self.key[:16]})" if self.names else f"key {self.key}"


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who signed an envelope, and what was not looked at on the way to them."""

    signers: tuple[Signer, ...]
    unchecked: tuple[str, ...] = ()


class Trust(Protocol):
    """Whom the user believes. A bundle of one method is never believed by another's trust."""

    def vouch(self, bundle: Bundle, now: dt.datetime) -> Vouched:
        """Who signed it. Raises `UntrustedError` unless every signature in it is a trusted one."""
        ...
