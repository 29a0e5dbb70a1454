"""Verifying a model, and loading it from the bytes that were verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from credenza.attest import Trust, Verified
from credenza.seal import verifying
from credenza.seal.contents import Sealed, VerifiedBytes
from credenza.seal.reading import Progress
from credenza.seal.signing import read_seal

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from credenza.seal.encryption import Identity


def verify(path: Path | str, trust: Trust, *, progress: Progress | None = None) -> Verified[Sealed]:
    """Check that every byte of a model is what a trusted key sealed, and nothing else is there.

    Says who sealed what, and when. Raises `UnsealedError` where there is no seal, `UntrustedError`
    where no trusted key signed it, `AlteredError` where the model is not the sealed one,
    `InputError` where something cannot be read. Nothing of the model is parsed.
    """
    sealed = read_seal(path, trust)
    check(sealed, progress=progress)
    return sealed


def check(sealed: Verified[Sealed], *, progress: Progress | None = None) -> None:
    """The second half of `verify`: hold the model against a seal that was read from beside it.

    Raises `AlteredError`, or `InputError` where something cannot be read.
    """
    verifying.compare(sealed.value.seal, sealed.value.path, progress=progress)


def read(
    path: Path | str,
    trust: Trust,
    *,
    identity: Identity | None = None,
    progress: Progress | None = None,
) -> Verified[VerifiedBytes]:
    """Verify a model, and keep the very bytes that were verified, in private memory.

    The model's files are read once; what happens to them afterwards does not matter to what was
    read. Where ``identity`` is given, the model is an encrypted one, which is decrypted with it.
    Raises as `verify` does, and `NotRecipientError` where it is not encrypted to ``identity``.
    """
    if identity is not None:
        from credenza.seal import encryption

        return encryption.read(path, trust, identity, progress=progress)
    sealed = read_seal(path, trust)
    kept = verifying.compare(sealed.value.seal, sealed.value.path, keep=True, progress=progress)
    return sealed.replaced(VerifiedBytes(sealed.value, kept))


def load(
    path: Path | str,
    trust: Trust,
    *,
    identity: Identity | None = None,
    progress: Progress | None = None,
) -> dict[str, NDArray[Any]]:
    """A model's tensors as numpy arrays, in bytes that were verified as they were read.

    bf16 and smaller floats, which numpy lacks, come as float32 of the same value. ``identity`` is
    as for `read`. Raises as `read` does, and `InputError` where two files hold a tensor of the
    same name.
    """
    return read(path, trust, identity=identity, progress=progress).value.arrays()


def load_torch(
    path: Path | str,
    trust: Trust,
    *,
    identity: Identity | None = None,
    progress: Progress | None = None,
) -> dict[str, torch.Tensor]:
    """A model's tensors as torch tensors on the CPU, each in its own type: a state dict.

    Raises as `load` does, and `MissingExtraError` without torch.
    """
    from credenza.seal.torch_tensors import tensors

    return tensors(read(path, trust, identity=identity, progress=progress).value)
