"""What containers unpack: in memory while it is little, and in a file without a name beyond."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import IO, Final, final

from credenza.artifact.interface import Bytes, Held
from credenza.artifact.zips import Slice
from credenza.errors import InputError
from credenza.scan.interface import Budget

_MOST_HELD: Final = 8 << 20
"""The most bytes of one file that are held in memory."""


@final
@dataclass(frozen=True, slots=True)
class _Disk:
    """A temporary file, which goes when nobody looks at it any more."""

    path: str
    file: IO[bytes]

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def pread(self, start: int, length: int) -> bytes:
        try:
            data = os.pread(self.file.fileno(), length, start)
        except OSError as e:
            raise InputError(f"{self.path}: what was unpacked is lost: {e.strerror}") from e
        if len(data) != length:
            raise InputError(f"{self.path}: {length} bytes expected at {start}, {len(data)} found")
        return data


@final
class Spool:
    """Takes one unpacked file after the other, and their cost from a budget."""

    def __init__(self, path: str, budget: Budget) -> None:
        self._path = path
        self._budget = budget
        self._disk: _Disk | None = None
        self._start = self._written = 0
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """More of the file that is being unpacked.

        Raises `OverBudgetError` where it becomes too much, `InputError` where no disk takes it.
        """
        self._budget.take(len(data))
        self._held += data
        if self._written > self._start or len(self._held) > min(_MOST_HELD, self._budget.held):
            self._flush()

    def end(self) -> Bytes:
        """The file that was written since the last one ended."""
        if self._disk is None or self._written == self._start:
            self._budget.held -= len(self._held)
            held, self._held = bytes(self._held), bytearray()
            return Held(self._path, held)
        start, self._start = self._start, self._written
        return Slice(self._disk, start, self._written - start)

    def _flush(self) -> None:
        if self._disk is None:
            self._disk = _Disk(self._path, _temporary())
        left = memoryview(self._held)
        try:
            while left:
                done = os.pwrite(self._disk.file.fileno(), left, self._written)
                self._written += done
                left = left[done:]
        except OSError as e:
            raise InputError(f"there is no room to unpack it: {e.strerror}") from e
        finally:
            left.release()
        self._held = bytearray()


def _temporary() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(prefix="credenza-")
    except OSError as e:
        raise InputError(f"there is no room to unpack it: {e.strerror}") from e
