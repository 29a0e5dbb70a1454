"""Reading a header piece by piece without a system call for each, and without its tensor bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, final

from credenza.artifact.interface import Bytes

WIDTH: Final = 1 << 14
"""In bytes: how much is read at once, and how much is kept."""


@final
class Window:
    """A stretch of a file that is held in memory and moves to where something is read.

    ``steps`` is for who walks the file to count in, against one that is made to take forever.
    """

    __slots__ = ("_held", "_start", "file", "size", "steps")

    def __init__(self, file: Bytes) -> None:
        self.file = file
        self.size = file.size
        self.steps = 0
        self._start = 0
        self._held = b""

    def read(self, start: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``start``: fewer where the file ends before.

        Raises `InputError` as `Bytes.pread` does.
        """
        at = start - self._start
        if at >= 0 and at + length <= len(self._held):
            return self._held[at : at + length]
        wanted = max(0, min(length, self.size - start))
        if wanted > WIDTH:
            return self.file.pread(start, wanted)
        self._held = self.file.pread(start, max(0, min(WIDTH, self.size - start)))
        self._start = start
        return self._held[:wanted]

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """The bytes of a range in pieces of up to `WIDTH`, each with its place."""
        for at in range(start, stop, WIDTH):
            yield at, self.read(at, min(WIDTH, stop - at))

    def sha256(self, start: int, stop: int) -> str:
        """The SHA-256 of a range, in hex."""
        digest = hashlib.sha256()
        for _, piece in self.pieces(start, stop):
            digest.update(piece)
        return digest.hexdigest()

    def first_set(self, start: int, stop: int) -> int | None:
        """The place of the first byte of a range that is not 0; None where all are."""
        for at, piece in self.pieces(start, stop):
            if rest := piece.lstrip(b"\0"):
                return at + len(piece) - len(rest)
        return None


def shown(window: Window, start: int, stop: int, limit: int) -> str:
    """A text of a header as metadata: itself if it is short, else its size and digest.

    Raises `UnicodeDecodeError` where a short one is not UTF-8.
    """
    if stop - start <= limit:
        return window.read(start, stop - start).decode()
    return f"{stop - start} bytes, sha256 {window.sha256(start, stop)}"
