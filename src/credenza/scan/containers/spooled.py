"""What containers unpack: in memory while it is little, and in a file without a name beyond."""

from __future__ import annotations

import os
import weakref
from typing import Final, final

from credenza.artifact.interface import Bytes, Held
from credenza.artifact.slices import Slice
from credenza.errors import InputError
from credenza.scan.interface import Budget

_MOST_HELD: Final = 8 << 20
"""The most bytes of one file that are held in memory."""


@final
class Disk:
    """A temporary file without a name, which goes when nobody looks at it any more."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.handle = _temporary()
        weakref.finalize(self, os.close, self.handle)

    @property
    def size(self) -> int:
        return os.fstat(self.handle).st_size

    def pread(self, start: int, length: int) -> bytes:
        try:
            data = os.pread(self.handle, length, start)
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
        self._disk: Disk | None = None
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
        try:
            if self._disk is None:
                self._disk = Disk(self._path)
            done = 0
            while done < len(self._held):
                done += os.pwrite(self._disk.handle, self._held[done:], self._written + done)
        except OSError as e:
            raise InputError(f"there is no room to unpack it: {e.strerror}") from e
        self._written += done
        self._held = bytearray()


def _temporary() -> int:
    import tempfile  # little is ever unpacked to a disk

    with tempfile.TemporaryFile(prefix="credenza-") as file:
        return os.dup(file.fileno())
