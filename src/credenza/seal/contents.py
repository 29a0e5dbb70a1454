"""What a seal is for, and a model's bytes once they were verified."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credenza.artifact.model import Buffer, Tensor
from credenza.errors import InputError
from credenza.seal.tree import Seal

if TYPE_CHECKING:
    from numpy.typing import NDArray

Contents = dict[tuple[str, int], memoryview]
"""Verified bytes in private memory, by file and by the segment's first byte in it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal, the model that it is for, and when it was made as its signer says."""

    path: Path
    name: str
    seal: Seal
    sealed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class VerifiedBytes:
    """A model's bytes in private memory, which are the sealed ones."""

    sealed: Sealed
    contents: Contents

    def file(self, path: str) -> bytes:
        """All bytes of one file. Raises `InputError` where the model has no such file."""
        for file in self.sealed.seal.files:
            if file.path == path:
                return b"".join(self.contents[path, s.start] for s in file.segments)
        raise InputError(f"{self.sealed.path} has no file {path!r}")

    def regions(self) -> dict[str, tuple[Tensor, Buffer]]:
        """Each tensor by its name, with the decoded region that it views.

        Raises `InputError` where two files hold a tensor of the same name.
        """
        from credenza.artifact import decoded  # with numpy, which verifying alone does not need

        found: dict[str, tuple[Tensor, Buffer]] = {}
        for file in self.sealed.seal.files:
            for tensor in file.tensors:
                if tensor.name in found:
                    other = found[tensor.name][0].file
                    raise InputError(f"tensor {tensor.name!r} is in {other} and in {file.path}")
                data = self.contents.get((file.path, tensor.region.start), memoryview(bytearray()))
                empty = tensor.region.start == tensor.region.stop
                found[tensor.name] = tensor, decoded(tensor, bytearray() if empty else data)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Each tensor's values by its name; see `load`."""
        from credenza.artifact import from_region

        return {name: from_region(t, data) for name, (t, data) in self.regions().items()}
