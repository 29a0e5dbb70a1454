"""7z archives, by py7zr (the extra `7z`).

Attackers use 7z because scanners look for ZIP ("nullifAI", ReversingLabs 2025). The format's
filters are too many to write again; py7zr hands each file to a writer of ours and writes nothing
to disk itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

from credenza.artifact.interface import Bytes
from credenza.errors import CredenzaError, MissingExtraError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.names import is_outside, link, sparing
from credenza.scan.containers.spooled import Spool
from credenza.scan.interface import Budget, OverBudgetError, Piece, Said, Seen

_MAGIC: Final = b"7z\xbc\xaf\x27\x1c"
_ALWAYS: Final = 32 << 20
_MOST_RATIO: Final = 100
"""py7zr takes up to 128 MB at once out of its decompressors: what grows beyond this, none are."""


@final
@dataclass(frozen=True, slots=True)
class SevenZip:
    """Opens what begins as a 7z archive; without the extra it is said that nobody looked."""

    name: str = "7z"

    def claims(self, piece: Piece) -> bool:
        return piece.said != Said.DATA and piece.head(len(_MAGIC)) == _MAGIC

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        try:
            import py7zr
        except ImportError:
            missing = MissingExtraError("a 7z archive", "7z")
            yield Unread(where=Where(), why=f"{missing} ({missing.hint})")
            return
        files = _Files(piece, budget)
        try:
            with py7zr.SevenZipFile(_Reading(piece)) as archive:
                yield from sparing(_listed(archive.list(), piece, budget))
                files.links = {file.filename for file in archive.list() if file.is_symlink}
                archive.extractall(factory=files)
        except (OverBudgetError, CredenzaError, MemoryError, RecursionError):
            yield from files.seen()
            raise
        except Exception as e:  # noqa: BLE001  py7zr raises many types for bytes that are no 7z
            yield Unread(where=Where(), why=f"7z: it cannot be read to its end: {e!r:.100}")
        yield from files.seen()


def _listed(files: list[Any], piece: Piece, budget: Budget) -> Iterator[Seen]:
    """What is to be said of the names. Raises `OverBudgetError` before too much comes out."""
    size = sum(file.uncompressed or 0 for file in files)
    if len(files) > budget.pieces or size > max(_ALWAYS, _MOST_RATIO * piece.size):
        raise OverBudgetError
    for file in files:
        if is_outside(file.filename):
            yield Finding(
                rule="scan.archive-name",
                severity=Severity.HIGH,
                what="7z: a name that leads out of the archive",
                found=file.filename[:120],
            )


@final
class _Files:
    """Makes a piece of each file that py7zr unpacks: a ``WriterFactory`` of its."""

    def __init__(self, piece: Piece, budget: Budget) -> None:
        self.piece = piece
        self.spool = Spool(piece.content.path, budget)
        self.links: set[str] = set()
        self._pieces: list[Piece] = []
        self._name: str | None = None

    def create(self, filename: str) -> _Writer:
        """Called for each file in turn, when the one before is at its end."""
        self._finish()
        self._name = filename
        return _Writer(self.spool)

    def seen(self) -> Iterator[Seen]:
        """The files so far; of the last one, what came."""
        self._finish()
        for found in self._pieces:
            if found.path in self.links:
                target = found.head(4096).decode("utf-8", "backslashreplace")
                yield from link(found.path, target, 0)
            yield found

    def _finish(self) -> None:
        content = self.spool.end()
        if self._name is not None:
            self._pieces.append(self.piece.member(self._name, content))
        self._name = None


@final
class _Writer:
    """One file that is being unpacked, in the way of ``py7zr.io.Py7zIO``: front to back."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._size = 0

    def write(self, data: bytes | bytearray) -> int:
        self._spool.write(bytes(data))
        self._size += len(data)
        return len(data)

    def read(self, _size: int | None = None) -> bytes:
        return b""

    def seek(self, _offset: int, _whence: int = 0) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""

    def size(self) -> int:
        return self._size

    def close(self) -> None:
        """`_Files` knows by the next file, or by none, that this one is at its end."""


@final
class _Reading(io.RawIOBase):
    """A file as Python's libraries read them."""

    def __init__(self, file: Bytes) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._file.size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = max(0, min(len(buffer), self._file.size - self._at))
        buffer[:length] = self._file.pread(min(self._at, self._file.size), length)
        self._at += length
        return length
