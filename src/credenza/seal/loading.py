"""Verifying a model, and loading it from the bytes that were verified."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credenza.attest import Trust, Verified
from credenza.seal.contents import Sealed, VerifiedBytes
from credenza.seal.reading import Progress
from credenza.seal.signing import read_seal
from credenza.seal.verifying import Keep, compare, who_sealed

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from credenza.seal.cache import Cache


def verify(
    path: Path | str,
    trust: Trust,
    *,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Verified[Sealed]:
    """Check that every byte of a model is what a trusted key sealed, and nothing else is there.

    Says who sealed what, and when. Raises `UnsealedError` where there is no seal, `UntrustedError`
    where no trusted key signed it, `AlteredError` where the model is not the sealed one,
    `InputError` where something cannot be read. Nothing of the model is parsed.

    With a ``cache``, a file whose size and times are those of the last time is not read again: that
    is less than verifying it, so a strict policy goes without.
    """
    sealed = read_seal(path, trust)
    check(sealed, cache=cache, progress=progress)
    return sealed


def check(
    sealed: Verified[Sealed], *, cache: Cache | None = None, progress: Progress | None = None
) -> None:
    """The second half of `verify`: hold the model against a seal that was read from beside it.

    Raises `AlteredError`, or `InputError` where something cannot be read.
    """
    compare(sealed.value, sealer=who_sealed(sealed), cache=cache, progress=progress)


def read(
    path: Path | str,
    trust: Trust,
    *,
    tensors: Collection[str] | None = None,
    map_unprotected: bool = False,
    progress: Progress | None = None,
) -> Verified[VerifiedBytes]:
    """Verify a model, and keep the very bytes that were verified, in private memory.

    The model's files are read once; what happens to them afterwards does not matter to what was
    read. With ``tensors`` only the bytes of the tensors of these names are read, verified and kept:
    the digests of all others are in the seal. With ``map_unprotected`` the bytes stay in the files,
    which are mapped: that is faster, takes no memory of its own, and **protects against nothing
    that happens afterwards**: whoever writes to a file changes what was loaded, and whoever cuts
    one short kills the process.

    Raises as `verify` does, and `InputError` for a tensor that the seal does not know.
    """
    sealed = read_seal(path, trust)
    kept = compare(
        sealed.value,
        keep=Keep.MAPPED if map_unprotected else Keep.PRIVATE,
        tensors=tensors,
        sealer=who_sealed(sealed),
        progress=progress,
    )
    names = None if tensors is None else frozenset(tensors)
    return sealed.replaced(VerifiedBytes(sealed.value, kept, names))


def load(
    path: Path | str,
    trust: Trust,
    *,
    tensors: Collection[str] | None = None,
    map_unprotected: bool = False,
    progress: Progress | None = None,
) -> dict[str, NDArray[Any]]:
    """A model's tensors as numpy arrays, in bytes that were verified as they were read.

    bf16 and smaller floats, which numpy lacks, come as float32 of the same value. ``tensors`` and
    ``map_unprotected`` are as for `read`. Raises as that does, and `InputError` where two files
    hold a tensor of the same name.
    """
    contents = read(
        path, trust, tensors=tensors, map_unprotected=map_unprotected, progress=progress
    )
    return contents.value.arrays()


def load_torch(
    path: Path | str,
    trust: Trust,
    *,
    into: torch.nn.Module | None = None,
    device: torch.device | str = "cpu",
    tensors: Collection[str] | None = None,
    map_unprotected: bool = False,
    progress: Progress | None = None,
) -> dict[str, torch.Tensor]:
    """A model's tensors as torch tensors, each in its own type: a state dict.

    They are moved to ``device``, and with ``into`` become that module's parameters and buffers; a
    module whose names or shapes are others is an `InputError`, and left as it was. ``tensors`` and
    ``map_unprotected`` are as for `read`.

    Raises as `load` does, and `MissingExtraError` without torch.
    """
    from credenza.seal import torch_tensors

    contents = read(
        path, trust, tensors=tensors, map_unprotected=map_unprotected, progress=progress
    )
    state = torch_tensors.tensors(contents.value, device)
    if into is not None:
        torch_tensors.put_into(into, state)
    return state
