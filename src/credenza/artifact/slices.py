"""Parts of files. Every scan needs them, and few the archives that they are parts of."""

from __future__ import annotations

from dataclasses import dataclass

from credenza.artifact.interface import Bytes
from credenza.errors import InputError


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of another file's bytes, as a file of its own."""

    file: Bytes
    start: int
    size: int

    @property
    def path(self) -> str:
        return self.file.path

    def pread(self, start: int, length: int) -> bytes:
        if start < 0 or length < 0 or start + length > self.size:
            raise InputError(f"{self.path}: {length} bytes at {start} of a part of {self.size}")
        return self.file.pread(self.start + start, length)
