"""What a seal is for, and a model's bytes once they were verified."""

from __future__ import annotations

import contextlib
import datetime as dt
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credenza.artifact.model import Buffer, Region, Tensor
from credenza.errors import InputError
from credenza.seal.tree import Seal

if TYPE_CHECKING:
    from numpy.typing import NDArray

Contents = dict[tuple[str, int], memoryview]
"""Verified bytes by file and by the segment's first byte in it."""

_LARGE_PAGES = 2 * 2**20
"""In bytes: the size of a large page, where a system has them."""


def private_memory(size: int) -> memoryview:
    """Zeroed memory that no other process shares, in large pages where that may be.

    In pages of 4 KiB the system takes as long to hand them out as we to hash what is put there.
    """
    if size < _LARGE_PAGES:
        return memoryview(bytearray(size))
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError, AttributeError):  # a system without large pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal, the model that it is for, and when it was made as its signer says."""

    path: Path
    name: str
    seal: Seal
    sealed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class VerifiedBytes:
    """A model's bytes, which are the sealed ones: all of them, or those of some tensors.

    ``tensors`` names those; None means all. They are in private memory, unless they were read with
    ``map_unprotected``.
    """

    sealed: Sealed
    contents: Contents
    tensors: frozenset[str] | None = None

    def file(self, path: str) -> bytes:
        """All bytes of one file. Raises `InputError` where they were not read."""
        for file in self.sealed.seal.files:
            if file.path == path and all((path, s.start) in self.contents for s in file.segments):
                return b"".join(self.contents[path, s.start] for s in file.segments)
        raise InputError(f"{self.sealed.path}: file {path!r} was not read, or is none of the model")

    def regions(self) -> dict[str, tuple[Tensor, Buffer]]:
        """Each tensor that was read by its name, with the decoded region that it views.

        Raises `InputError` where two files hold a tensor of the same name.
        """
        from credenza.artifact import decoded  # with numpy, which verifying alone does not need

        found: dict[str, tuple[Tensor, Buffer]] = {}
        inflated: dict[tuple[str, Region], Buffer] = {}
        for tensor in self._read():
            if tensor.name in found:
                other = found[tensor.name][0].file
                raise InputError(f"tensor {tensor.name!r} is in {other} and in {tensor.file}")
            place = tensor.file, tensor.region
            if place not in inflated:
                inflated[place] = decoded(tensor, self._bytes(tensor))
            found[tensor.name] = tensor, inflated[place]
        return found

    def _read(self) -> Iterator[Tensor]:
        tensors = (t for file in self.sealed.seal.files for t in file.tensors)
        return (t for t in tensors if self.tensors is None or t.name in self.tensors)

    def _bytes(self, tensor: Tensor) -> Buffer:
        region = tensor.region
        if region.start == region.stop:
            return bytearray()
        return self.contents[tensor.file, region.start]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Each tensor's values by its name; see `load`."""
        from credenza.artifact import from_region

        return {name: from_region(t, data) for name, (t, data) in self.regions().items()}
