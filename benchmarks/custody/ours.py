"""Our side of each comparison: ``python -m benchmarks.custody.ours NAME ARGUMENTS``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import blake3

import credenza
from benchmarks.custody.worker import Prepare, every_page_read, serve
from credenza.attest import PrivateKey, Trust
from credenza.seal import load_torch, read

if TYPE_CHECKING:
    import torch

Work = Callable[[], object]


# Adapters: one function for each call whose name or shape may still change.


def load_mapped(model: Path, trust: Trust) -> dict[str, torch.Tensor]:
    """Torch tensors on the mapped file, verified."""
    return load_torch(model, trust, map_unprotected=True)


def verify_tensor(model: Path, trust: Trust, name: str) -> object:
    """One tensor verified, and nothing else read."""
    return read(model, trust, tensors=[name])


def encrypt(model: Path, trust: Trust, encrypted: Path, key: Path) -> None:
    """Encrypt a sealed model to the recipient whose private key is then written to ``key``."""
    from credenza.seal import encryption

    identity = encryption.new_identity(key)
    encryption.encrypt(model, trust, [identity.recipient], encrypted)


def load_encrypted(encrypted: Path, trust: Trust, key: Path) -> dict[str, torch.Tensor]:
    """Torch tensors, decrypted and verified, in private memory."""
    from credenza.seal.encryption import Identity

    return load_torch(encrypted, trust, identity=Identity.read(key))


def append_all(folder: Path, entries: int) -> object:
    """Append so many entries to a new ledger in batches; each is durable when this returns."""
    from credenza.ledger import Entry, Ledger, SigningKey

    ledger = Ledger.create(folder, "example.com/bench", SigningKey.new("example.com/bench"))
    acts = [Entry.now("sealed", root="", actor="bench", number=str(i)) for i in range(entries)]
    for first in range(0, entries, BATCH):
        ledger.append_many(acts[first : first + BATCH])
    return ledger


BATCH: Final = 1024
"""Entries that a writer hands over at a time."""


# The works.


def _bare(file: str) -> Work:
    every = blake3.blake3.AUTO
    return lambda: blake3.blake3(max_threads=every).update_mmap(file).digest()


def _seal(model: str, key: str) -> Work:
    signer = PrivateKey.read(Path(key))
    return lambda: credenza.seal(credenza.open(model), signer)


def _verify(model: str, trust: str) -> Work:
    whom = Trust.read(Path(trust))
    return lambda: credenza.verify(model, whom)


def _load(model: str, trust: str) -> Work:
    whom = Trust.read(Path(trust))
    import torch  # noqa: F401  a load does not pay for the import

    return lambda: load_torch(model, whom)


def _mapped(model: str, trust: str) -> Work:
    whom = Trust.read(Path(trust))
    import torch  # noqa: F401

    return lambda: every_page_read(load_mapped(Path(model), whom))


def _tensor(model: str, trust: str, tensor: str) -> Work:
    whom = Trust.read(Path(trust))
    return lambda: verify_tensor(Path(model), whom, tensor)


def _encrypted(model: str, trust: str, encrypted: str, key: str) -> Work:
    whom = Trust.read(Path(trust))
    if not Path(encrypted).exists():
        encrypt(Path(model), whom, Path(encrypted), Path(key))
    import torch  # noqa: F401

    return lambda: load_encrypted(Path(encrypted), whom, Path(key))


def _append(folder: str, entries: str) -> Work:
    count = iter(range(10**6))
    return lambda: append_all(Path(folder) / f"ledger-{next(count)}", int(entries))


WORKS: Final[dict[str, Prepare]] = {
    "bare": _bare,
    "seal": _seal,
    "verify": _verify,
    "load": _load,
    "mapped": _mapped,
    "tensor": _tensor,
    "encrypted": _encrypted,
    "append": _append,
}

if __name__ == "__main__":
    serve(WORKS)
