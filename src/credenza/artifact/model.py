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
    """An element type: its name, and the size in bits of a block of ``block`` elements.

    Most types have blocks of one element. Those that quantise several at a time (GGML's) are as
    they are laid out in ``ggml-common.h``, and a row of them is whole blocks. A name is
    safetensors' own where that has the type, or else the one of the library whose type it is.
    """

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
    # ONNX and TFLite
    I2 = ("I2", 2)
    U2 = ("U2", 2)
    I4 = ("I4", 4)
    U4 = ("U4", 4)
    # GGML: bits and elements of a block
    Q1_0 = ("Q1_0", 144, 128)
    Q4_0 = ("Q4_0", 144, 32)
    Q4_1 = ("Q4_1", 160, 32)
    Q5_0 = ("Q5_0", 176, 32)
    Q5_1 = ("Q5_1", 192, 32)
    Q8_0 = ("Q8_0", 272, 32)
    Q8_1 = ("Q8_1", 288, 32)
    Q2_K = ("Q2_K", 672, 256)
    Q3_K = ("Q3_K", 880, 256)
    Q4_K = ("Q4_K", 1152, 256)
    Q5_K = ("Q5_K", 1408, 256)
    Q6_K = ("Q6_K", 1680, 256)
    Q8_K = ("Q8_K", 2336, 256)
    IQ1_S = ("IQ1_S", 400, 256)
    IQ1_M = ("IQ1_M", 448, 256)
    IQ2_XXS = ("IQ2_XXS", 528, 256)
    IQ2_XS = ("IQ2_XS", 592, 256)
    IQ2_S = ("IQ2_S", 656, 256)
    IQ3_XXS = ("IQ3_XXS", 784, 256)
    IQ3_S = ("IQ3_S", 880, 256)
    IQ4_NL = ("IQ4_NL", 144, 32)
    IQ4_XS = ("IQ4_XS", 1088, 256)
    TQ1_0 = ("TQ1_0", 432, 256)
    TQ2_0 = ("TQ2_0", 528, 256)
    MXFP4 = ("MXFP4", 136, 32)
    NVFP4 = ("NVFP4", 288, 64)

    def __init__(self, label: str, bits: int, block: int = 1) -> None:
        self.label = label
        self.bits = bits
        self.block = block

    @classmethod
    def of(cls, label: str) -> Dtype:
        """The type of that name. Raises `KeyError` for any other."""
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
        return self._bytes(self.size)

    @property
    def reach(self) -> int:
        """The byte of its decoded region after the last that it reads; 0 where it is empty."""
        if self.size == 0:
            return 0
        if not self.strides:
            return self.offset + self.nbytes
        steps = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        return self.offset + self._bytes(steps + 1)

    def _bytes(self, elements: int) -> int:
        """The size of so many elements in a row: whole blocks, in whole bytes."""
        return (-(-elements // self.dtype.block) * self.dtype.bits + 7) // 8


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
