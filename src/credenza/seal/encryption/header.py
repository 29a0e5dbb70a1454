"""The header of an encrypted model: the data key, wrapped to each recipient.

Specification: docs/formats/encrypted.md, "Header".
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from credenza.errors import AlteredError, InputError, NotRecipientError
from credenza.files import read_whole, write_whole
from credenza.seal.encryption.recipients import Identity, Kem, Recipient
from credenza.seal.encryption.refusals import header_refused
from credenza.seal.encryption.stream import DataKey
from credenza.seal.signing import ENCRYPTED_NAME

FORMAT = "https://credenza.dev/encrypted/v1"
MOST_RECIPIENTS = 256
LARGEST_HEADER = 2**20


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key that one recipient can unwrap. It does not say which."""

    kem: Kem
    data: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Which data key a payload has, as far as its recipients can tell.

    ``Header.parse(bytes(h)) == h``, and ``parse`` accepts nothing that ``bytes`` would not have
    written.
    """

    container: bytes
    recipients: tuple[Wrapped, ...]
    mac: bytes

    @classmethod
    def of(cls, key: DataKey, recipients: Sequence[Recipient]) -> Header:
        """The header that gives ``key`` to each recipient.

        Raises `InputError` where there is none, too many, or one that nothing can be wrapped to.
        """
        if not 1 <= len(recipients) <= MOST_RECIPIENTS:
            raise InputError(f"1 to {MOST_RECIPIENTS} recipients expected, {len(recipients)} given")
        wrapped = tuple(
            Wrapped(r.kem, r.wrap(key.secret, _info(key.container, r.kem))) for r in recipients
        )
        unsigned = cls(key.container, wrapped, b"")
        return cls(key.container, wrapped, key.header_mac(unsigned._authenticated()))

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Read a header. Raises `InputError` for anything but the one spelling of one."""
        try:
            wire = msgspec.json.decode(data, type=_Wire)
            header = cls(
                bytes.fromhex(wire.container),
                tuple(
                    Wrapped(Kem(r.kem), base64.b64decode(r.wrapped, validate=True))
                    for r in wire.recipients
                ),
                bytes.fromhex(wire.mac),
            )
        except (ValueError, RecursionError) as e:
            raise InputError(f"not well-formed: {e}") from e
        if len(header.container) != 32 or len(header.mac) != 32:
            raise InputError("a container id and an authentication code of 32 bytes expected")
        if not 1 <= len(header.recipients) <= MOST_RECIPIENTS:
            raise InputError(f"1 to {MOST_RECIPIENTS} recipients expected")
        if bytes(header) != data:
            raise InputError(f"not in the one spelling of {FORMAT}")
        return header

    @classmethod
    def read(cls, path: Path) -> Header:
        """The header of the encrypted model at ``path``.

        Raises `InputError` where there is none, it cannot be read or is over `LARGEST_HEADER`,
        `AlteredError` where it is not one that could have been written.
        """
        place = path / ENCRYPTED_NAME
        if not place.exists():
            raise InputError(f"{path}: an encrypted model expected, there is no {place}")
        data = read_whole(place, limit=LARGEST_HEADER)
        try:
            return cls.parse(data)
        except InputError as e:
            raise AlteredError(header_refused(path, str(e))) from e

    def write(self, path: Path) -> None:
        """Write it to the encrypted model at ``path``, in one step."""
        write_whole(path / ENCRYPTED_NAME, bytes(self))

    def unwrap(self, identity: Identity, path: Path) -> DataKey:
        """The data key, which the header was checked to belong to.

        Raises `NotRecipientError` where it is not wrapped to ``identity``, `AlteredError` where
        something else of the header is not what whoever has the data key wrote.
        """
        kem = identity.recipient.kem
        info = _info(self.container, kem)
        mine = (identity.unwrap(r.data, info) for r in self.recipients if r.kem is kem)
        secret = next((s for s in mine if s is not None and len(s) == 32), None)
        if secret is None:
            raise NotRecipientError(
                f"{path}: it opens for none of its {len(self.recipients)} recipients with key "
                f"{identity.recipient.id[:16]} ({kem.value})",
                hint="the sender adds a recipient by `credenza rekey`; a header that was altered, "
                "or taken from another model, reads the same",
            )
        key = DataKey(secret, self.container)
        if not hmac.compare_digest(key.header_mac(self._authenticated()), self.mac):
            what = "its authentication code is another than its recipients' data key gives"
            raise AlteredError(header_refused(path, what))
        return key

    def __bytes__(self) -> bytes:
        return self._authenticated()[:-1] + b',"mac":"%s"}\n' % self.mac.hex().encode()

    def _authenticated(self) -> bytes:
        wire = _Unsigned(
            format=FORMAT,
            container=self.container.hex(),
            recipients=[
                _WireRecipient(kem=r.kem.value, wrapped=base64.b64encode(r.data).decode())
                for r in self.recipients
            ],
        )
        return msgspec.json.encode(wire)


def _info(container: bytes, kem: Kem) -> bytes:
    return b"credenza encrypted v1 recipient " + container + kem.value.encode()


class _WireRecipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kem: str
    wrapped: str


class _Unsigned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    container: str
    recipients: list[_WireRecipient]


class _Wire(_Unsigned, frozen=True, forbid_unknown_fields=True):
    mac: str
