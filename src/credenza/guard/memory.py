"""The memory of a module's tensors, as bits: hashed, compared and put back where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import blake3
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from credenza.errors import InputError

Bits = NDArray[Any]
"""A tensor's elements as integers of the same width, so that no value is ever converted."""

Sealed = Mapping[str, torch.Tensor | NDArray[Any] | bytes]
"""Verified values by tensor name, as `credenza.seal.load_torch` gives them. Read when needed."""

_PIECE = 1 << 20  # bytes hashed between two pauses
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """One parameter or buffer as it is to stay: object, holder, and the memory it had at the start.

    ``bits`` and ``alias`` share that memory and keep it alive. ``source`` is the name of its sealed
    value: another than ``name`` where the module holds one tensor under both, and one was sealed.
    """

    name: str
    source: str
    owner: nn.Module
    tensor: torch.Tensor
    alias: torch.Tensor
    bits: Bits
    persistent: bool

    @classmethod
    def of(
        cls, name: str, source: str, owner: nn.Module, tensor: torch.Tensor, *, persistent: bool
    ) -> Resident:
        """Raises `InputError` for a tensor that is not plain memory of the CPU."""
        bits = bits_of(name, tensor)
        return cls(name, source, owner, tensor, tensor.detach(), bits, persistent)

    @property
    def path(self) -> str:
        """The path of the submodule that holds it."""
        return self.name.rpartition(".")[0]

    def is_in_place(self, found: torch.Tensor) -> bool:
        """Whether ``found`` is this very object, at its address, in its layout and type."""
        return (
            found is self.tensor
            and found.data_ptr() == self.alias.data_ptr()
            and found.shape == self.alias.shape
            and found.stride() == self.alias.stride()
            and found.dtype == self.alias.dtype
            and found.is_neg() == self.alias.is_neg()
            and found.is_conj() == self.alias.is_conj()
        )


def bits_of(name: str, tensor: torch.Tensor) -> Bits:
    """The memory of ``tensor`` as integers, shared with it, of its shape and strides.

    A complex element is two. Raises `InputError` for a tensor that is not plain memory of the CPU.
    """
    if tensor.device.type != "cpu":
        raise InputError(f"guard: tensor {name!r} on the CPU expected, on {tensor.device} given")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise InputError(f"guard: tensor {name!r} of plain layout expected, {tensor.layout} given")
    if any(n > 1 and stride == 0 for n, stride in zip(tensor.shape, tensor.stride(), strict=True)):
        raise InputError(f"guard: tensor {name!r} is expanded, so its elements share memory")
    plain = tensor.detach()
    if plain.is_complex():
        plain = torch.view_as_real(plain)
    return plain.view(_INTEGERS[plain.itemsize]).numpy()


def sealed_bits(resident: Resident, sealed: Sealed) -> Bits:
    """The sealed value of a tensor, as bits of its shape.

    Raises `InputError` where shape, type or size is another than the tensor's.
    """
    value = sealed[resident.source]
    if isinstance(value, torch.Tensor):
        if value.dtype != resident.alias.dtype or value.shape != resident.alias.shape:
            raise _unlike(resident, f"{value.dtype} of shape {tuple(value.shape)}")
        return bits_of(resident.name, value)
    array = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
    if array.nbytes != resident.bits.nbytes:
        raise _unlike(resident, f"{array.nbytes} bytes")
    flat = np.ascontiguousarray(array).reshape(-1).view(resident.bits.dtype)
    return flat.reshape(resident.bits.shape)


def _unlike(resident: Resident, sealed: str) -> InputError:
    shape = tuple(resident.alias.shape)
    return InputError(
        f"guard: tensor {resident.name!r} is {resident.alias.dtype} of shape {shape} "
        f"({resident.bits.nbytes} bytes) in the module, {sealed} in the seal"
    )


def digest(bits: Bits, key: bytes, pause: Callable[[], None]) -> bytes:
    """Keyed BLAKE3 over the bits in row-major order; ``pause`` is called between pieces.

    The key (32 bytes) is fresh for each guard, so that nobody can prepare two contents of one
    digest. BLAKE3 holds no lock of Python's while it works on a piece.
    """
    hasher = blake3.blake3(key=key)
    for piece in _pieces(bits):
        hasher.update(piece)
        pause()
    return hasher.digest()


def _pieces(bits: Bits) -> Iterator[memoryview]:
    """Row-major bytes, in pieces of about 1 MiB. What is not contiguous is copied by the piece."""
    if bits.flags.c_contiguous:
        flat = bits.reshape(-1).view(np.uint8).data
        yield from (flat[i : i + _PIECE] for i in range(0, len(flat), _PIECE))
        return
    rows = max(1, _PIECE * len(bits) // bits.nbytes)
    for i in range(0, len(bits), rows):
        yield np.ascontiguousarray(bits[i : i + rows]).reshape(-1).view(np.uint8).data


@dataclass(frozen=True, slots=True)
class Difference:
    """Which rows along the first axis differ, and how many bytes and bits do."""

    rows: tuple[int, ...]
    changed_bytes: int
    changed_bits: int


def difference(found: Bits, sealed: Bits) -> Difference:
    """What differs between two arrays of bits of one shape. A scalar has no rows."""
    changed = np.asarray(np.bitwise_xor(found, sealed))
    as_bytes = np.ascontiguousarray(changed).reshape(-1).view(np.uint8)
    by_row = as_bytes.reshape(len(changed), -1) if changed.ndim else as_bytes[:0, None]
    return Difference(
        rows=tuple(np.flatnonzero(by_row.any(axis=1)).tolist()),
        changed_bytes=int(np.count_nonzero(as_bytes)),
        changed_bits=int(np.unpackbits(as_bytes).sum()),
    )


def tensors_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter and buffer that the module holds now, a shared one under each name."""
    named: dict[str, torch.Tensor] = dict(module.named_parameters(remove_duplicate=False))
    return named | dict(module.named_buffers(remove_duplicate=False))


def shadowed(module: nn.Module) -> list[str]:
    """Parameters, buffers and submodules that a plain attribute hides: Python finds that first."""
    return [
        f"{path}.{name}".lstrip(".")
        for path, owner in module.named_modules()
        for name in (
            *(name for name, _ in owner.named_parameters(recurse=False)),
            *(name for name, _ in owner.named_buffers(recurse=False)),
            *(name for name, _ in owner.named_children()),
        )
        if name in vars(owner)
    ]


def owners_of(module: nn.Module) -> dict[str, nn.Module]:
    """Every submodule by its path, a shared one under each; the module itself is at ``""``."""
    return dict(module.named_modules(remove_duplicate=False))


def put_back(module: nn.Module, resident: Resident) -> bool:
    """Make the module hold the tensor at its place and in its memory again.

    A parameter is exchanged in one step, so that a thread that is serving never misses it.
    False where another submodule stands in place of the one that held it: what that one computes
    is not known, and a sealed tensor in it would prove nothing.
    """
    if owners_of(module).get(resident.path) is not resident.owner:
        return False
    attribute = resident.name.rpartition(".")[2]
    if not resident.is_in_place(resident.tensor):
        resident.tensor.data = resident.alias
    buffers = dict(resident.owner.named_buffers(recurse=False))
    if isinstance(resident.tensor, nn.Parameter) or attribute in buffers:
        setattr(resident.owner, attribute, resident.tensor)
    else:
        take_out(module, resident.name)
        resident.owner.register_buffer(attribute, resident.tensor, persistent=resident.persistent)
    return True


def take_out(module: nn.Module, name: str) -> None:
    """Remove what the module holds under that name, if anything."""
    path, _, attribute = name.rpartition(".")
    owner = module.get_submodule(path)
    if hasattr(owner, attribute):
        delattr(owner, attribute)
