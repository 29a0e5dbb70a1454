"""DSSE: a payload with its type, and signatures over both.

https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md, version 1.0.2.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import msgspec

from credenza.errors import InputError

MOST_SIGNATURES = 16
"""Each may cost a pass over the payload for each trusted key."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature, and a hint at the key that made it."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed payload. Its payload is not to be parsed before a signature was verified.

    ``Envelope.parse(bytes(e)) == e``, and ``parse`` accepts nothing that ``bytes`` would not have
    written: one envelope has one spelling.
    """

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What the signatures are over: DSSE's pre-authentication encoding (PAE)."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)

    @classmethod
    def parse(cls, data: bytes) -> Envelope:
        """Read an envelope.

        Raises `InputError` for anything but the one spelling of an envelope.
        """
        try:
            wire = msgspec.json.decode(data, type=_Wire)
            envelope = cls(
                base64.b64decode(wire.payload, validate=True),
                wire.payload_type,
                tuple(
                    Signature(s.keyid, base64.b64decode(s.sig, validate=True))
                    for s in wire.signatures
                ),
            )
        except (ValueError, RecursionError) as e:
            raise InputError(f"envelope: not a DSSE envelope: {e}") from e
        if len(envelope.signatures) > MOST_SIGNATURES:
            raise InputError(
                f"envelope: at most {MOST_SIGNATURES} signatures expected, "
                f"{len(envelope.signatures)} found"
            )
        _check_once(envelope.signatures)
        if bytes(envelope) != data:
            raise InputError("envelope: not in its one spelling (member order, spaces or base64)")
        return envelope

    def __bytes__(self) -> bytes:
        wire = _Wire(
            payload=base64.b64encode(self.payload).decode(),
            payload_type=self.payload_type,
            signatures=[
                _WireSignature(keyid=s.keyid, sig=base64.b64encode(s.sig).decode())
                for s in self.signatures
            ],
        )
        return msgspec.json.encode(wire) + b"\n"


def _check_once(signatures: tuple[Signature, ...]) -> None:
    """A signature says one thing once: nobody is to be counted twice, by whatever name."""
    for what, values in (
        ("signature", [s.sig for s in signatures]),
        ("key id", [s.keyid for s in signatures]),
    ):
        if len(set(values)) != len(values):
            raise InputError(f"envelope: each {what} once expected, one found twice")


class _WireSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: list[_WireSignature]
