"""Our side of each comparison: ``python -m benchmarks.custody.ours NAME ARGUMENTS``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import blake3

import credenza
from benchmarks.custody.worker import Prepare, every_page_read, serve
from credenza.attest import PrivateKey, Trust
from credenza.seal import load_torch, read

if TYPE_CHECKING:
    import torch

Work = Callable[[], object]


class NotThereYetError(Exception):
    """What is to be measured has not been written."""


# Adapters: one function for each call whose name or shape may still change.


def load_mapped(model: Path, trust: Trust) -> dict[str, torch.Tensor]:
    """Torch tensors on the mapped file, verified."""
    return load_torch(model, trust, map_unprotected=True)


def verify_tensor(model: Path, trust: Trust, name: str) -> object:
    """One tensor verified, and nothing else read."""
    return read(model, trust, tensors=[name])


def encrypt(model: Path, encrypted: Path, key: Path) -> object:
    """Encrypt a sealed model to the recipient whose private key is then written to ``key``."""
    return _not_there_yet("encrypting", model, encrypted, key)


def load_encrypted(encrypted: Path, trust: Trust, key: Path) -> object:
    """Torch tensors, decrypted and verified, in private memory."""
    return _not_there_yet("loading what is encrypted", encrypted, trust, key)


def append_all(ledger: Path, entries: int) -> object:
    """Append so many entries to a new ledger in batches; each is durable when this returns."""
    return _not_there_yet("appending to a ledger in batches", ledger, entries)


MISSING: Final = frozenset({"encrypted", "append"})
"""Works whose adapters are not there yet."""


def _not_there_yet(what: str, *_: object) -> NoReturn:
    raise NotThereYetError(what)


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
        encrypt(Path(model), Path(encrypted), Path(key))
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
