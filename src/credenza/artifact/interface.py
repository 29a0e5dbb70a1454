"""How a format is read: one reader a format, one line in the table of `credenza.artifact`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, final

from credenza.artifact.model import File
from credenza.errors import InputError


class Bytes(Protocol):
    """A file's bytes, read where asked for and nowhere else.

    ``path`` is the file's path relative to the artefact, for errors and findings; ``size`` is in
    bytes.
    """

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int: ...

    def pread(self, start: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``start``.

        Raises `InputError` if the file has become shorter than it was when it was opened.
        """
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What can be told of a file before anything is imported to read it.

    It has one of the ``suffixes``, in any case of letters, or one of the ``magics`` at byte
    ``at``. With neither, every file has the signs.
    """

    magics: tuple[bytes, ...] = ()
    at: int = 0
    suffixes: tuple[str, ...] = ()
    longest: int = field(init=False, default=0, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "longest", max(map(len, self.magics), default=0))

    def on(self, file: Bytes) -> bool:
        if self.suffixes and file.path.lower().endswith(self.suffixes):
            return True
        if not self.magics:
            return not self.suffixes
        left = file.size - self.at
        return left > 0 and file.pread(self.at, min(self.longest, left)).startswith(self.magics)


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that are in memory already."""

    path: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def pread(self, start: int, length: int) -> bytes:
        piece = self.data[start : start + length]
        if len(piece) != length:
            raise InputError(f"{self.path}: {length} bytes expected at {start}, {len(piece)} found")
        return piece


class Reader(Protocol):
    """Reads one format. It looks at headers, never at tensor data, and executes nothing.

    ``claims`` decides by content: a file's first bytes, and its name only where the format has
    no magic. ``read`` raises `MalformedError` for bytes that break the format.
    """

    def claims(self, file: Bytes) -> bool: ...

    def read(self, file: Bytes) -> File: ...
