"""What a model on disk is, as values: files, the tensors in them, the programs in them."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from credenza.errors import InputError

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes in memory; a loader's private ones are writable, those of a file are not."""


class Dtype(enum.Enum):
    """An element type, by its safetensors name, with its size in bits."""

    BOOL = ("BOOL", 8)
    F4 = ("F4", 4)
    F6_E2M3 = ("F6_E2M3", 6)
    F6_E3M2 = ("F6_E3M2", 6)
    U8 = ("U8", 8)
    I8 = ("I8", 8)
    F8_E5M2 = ("F8_E5M2", 8)
    F8_E4M3 = ("F8_E4M3", 8)
    F8_E8M0 = ("F8_E8M0", 8)
    F8_E4M3FNUZ = ("F8_E4M3FNUZ", 8)
    F8_E5M2FNUZ = ("F8_E5M2FNUZ", 8)
    I16 = ("I16", 16)
    U16 = ("U16", 16)
    F16 = ("F16", 16)
    BF16 = ("BF16", 16)
    I32 = ("I32", 32)
    U32 = ("U32", 32)
    F32 = ("F32", 32)
    I64 = ("I64", 64)
    U64 = ("U64", 64)
    F64 = ("F64", 64)
    C64 = ("C64", 64)
    C128 = ("C128", 128)

    def __init__(self, label: str, bits: int) -> None:
        self.label = label
        self.bits = bits

    @classmethod
    def of(cls, label: str) -> Dtype:
        """The type of that safetensors name. Raises `KeyError` for any other."""
        return cls[label]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A run of bytes of a file that holds tensor data: ``start`` inclusive, ``stop`` exclusive.

    ``encoding`` is ``raw``, or ``deflate`` where the bytes on disk are compressed (RFC 1951);
    ``nbytes`` is their size once decoded. Two regions of a file are the same or disjoint.
    """

    start: int
    stop: int
    nbytes: int
    encoding: str = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A view of a tensor: where its bytes are, and how to read them. It holds none of them.

    Its first element is ``offset`` bytes into its decoded region. ``strides`` count elements;
    empty means contiguous in row-major order. Several tensors may view one region.
    """

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    file: str
    region: Region
    offset: int = 0
    strides: tuple[int, ...] = ()
    byteorder: str = "little"

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The size of its elements in bytes, laid out without gaps."""
        return (self.size * self.dtype.bits + 7) // 8

    @property
    def reach(self) -> int:
        """The byte of its decoded region after the last that it reads; 0 where it is empty."""
        if self.size == 0:
            return 0
        if not self.strides:
            return self.offset + self.nbytes
        steps = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        return self.offset + ((steps + 1) * self.dtype.bits + 7) // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Something in a file that would run, or be called by name, when the file is loaded.

    ``kind`` says what it is (``pickle global``, ``python source``), ``name`` which one,
    ``start`` at which byte of the file (of the member, for an archive named in ``member``).
    ``allowed`` is true for the few names that rebuild plain tensors and containers.
    """

    kind: str
    name: str
    start: int
    member: str = ""
    allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of an artefact, by its path relative to it (``/`` between parts).

    ``metadata`` holds the strings that the format carries beside its tensors. ``unread`` says
    in words what of the file was not understood, and is empty where all of it was.
    """

    path: str
    size: int
    format: str
    tensors: tuple[Tensor, ...] = ()
    programs: tuple[Program, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model on disk. ``path`` is the file or the folder; ``files`` are sorted by path.

    ``ignored`` are the paths that were left out of it, sorted (`credenza.artifact.files`).
    """

    path: Path
    files: tuple[File, ...]
    ignored: tuple[str, ...] = ()

    @property
    def tensors(self) -> Iterator[Tensor]:
        """Every tensor of every file, in order."""
        return (t for f in self.files for t in f.tensors)

    @property
    def programs(self) -> Iterator[tuple[File, Program]]:
        """Everything that would run if the artefact were loaded, with its file."""
        return ((f, p) for f in self.files for p in f.programs)

    def tensor(self, name: str, file: str | None = None) -> Tensor:
        """The tensor of that name.

        Raises `InputError` where there is none, or where several files have one and ``file``
        does not say which.
        """
        found = [t for t in self.tensors if t.name == name and file in (None, t.file)]
        if len(found) == 1:
            return found[0]
        if found:
            files = ", ".join(t.file for t in found)
            raise InputError(f"tensor {name!r} is in several files ({files}); say which")
        raise InputError(f"no tensor {name!r} in {self.path}")
