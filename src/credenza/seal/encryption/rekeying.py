"""Other recipients for the same payload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from credenza.seal.encryption.header import Header
from credenza.seal.encryption.recipients import Identity, Recipient


def rekey(path: Path | str, identity: Identity, recipients: Sequence[Recipient]) -> None:
    """Make ``recipients``, and nobody else, those whom an encrypted model opens for from now on.

    The header is exchanged in one step; the payload is not touched. Who could open it before, and
    kept the data key or an old header, still can. Raises `NotRecipientError` where it does not
    open for ``identity``, `AlteredError` where its header was altered, `InputError` where there
    is no recipient or something cannot be read or written; the header is kept then.
    """
    path = Path(path)
    key = Header.read(path).unwrap(identity, path)
    Header.of(key, recipients).write(path)
