"""What a scan looks at, and who looks: pieces, rules, containers.

A new rule or a new container is one file and one line: in `credenza.scan.rules.RULES` or in
`credenza.scan.containers.CONTAINERS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias, final, runtime_checkable

from credenza.artifact.interface import Bytes
from credenza.findings import Finding, Unread, Where

_PAGE: Final = 4096


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes that are looked at as one file: a file on disk, or one inside of another.

    It is a `Bytes`, so every reader of `credenza.artifact` takes it. ``path`` is the name that it
    goes by where it lies: relative to what is scanned, or a member's name. ``file`` is the file on
    disk and ``inside`` the names from there to it, outermost first. ``said`` is what its
    surroundings say that it is, in the words of `Said`; empty where they say nothing.
    """

    path: str
    content: Bytes
    file: str
    inside: tuple[str, ...] = ()
    said: str = ""
    first: bytes = field(default=b"", repr=False, compare=False)
    """The first of its bytes, where they are at hand: every rule asks for them."""

    @property
    def size(self) -> int:
        return self.content.size

    def pread(self, start: int, length: int) -> bytes:
        if start >= 0 and start + length <= len(self.first):
            return self.first[start : start + length]
        return self.content.pread(start, length)

    def head(self, length: int) -> bytes:
        """Its first bytes, up to ``length``."""
        return self.pread(0, min(length, self.size))

    def at_hand(self) -> Piece:
        """The same with its first page read. Raises `InputError` as `Bytes` does."""
        return replace(self, first=self.content.pread(0, min(_PAGE, self.size)))

    def member(self, name: str, content: Bytes, *, said: str = "") -> Piece:
        """A file inside of this one."""
        inside = (*self.inside, name)
        return replace(self, path=name, content=content, inside=inside, said=said, first=b"")

    @property
    def where(self) -> Where:
        """The place of the whole piece."""
        return Where(file=self.file, member="!".join(self.inside) or None)


class Said:
    """What a container can say of its members."""

    PICKLE = "pickle"
    """A loader will unpickle it: where it cannot be read, that is said, whatever its bytes are."""
    DATA = "data"
    """The elements of arrays, which are no file: their bytes may look like anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file on disk may cost. Each stands far above what honest files need.

    ``depth`` counts files inside of files, ``pieces`` all of them, ``unpacked`` the bytes that
    come out of all compression, for files up to a hundredth of it; ``ratio`` of its size for
    larger ones. ``held`` of those may be in memory; the rest is on disk.
    """

    depth: int = 12
    pieces: int = 50_000
    unpacked: int = 1 << 30
    ratio: int = 100
    held: int = 24 << 20


class OverBudgetError(Exception):
    """A file unpacks to more than `Limits` allow."""


@final
class Budget:
    """What may still be unpacked of one file on disk."""

    def __init__(self, size: int, limits: Limits) -> None:
        self.left = max(limits.unpacked, limits.ratio * size)
        self.pieces = limits.pieces
        self.held = limits.held
        self._depths: dict[tuple[Bytes, str, str], int] = {}

    def is_new(self, piece: Piece) -> bool:
        """Whether these bytes were not looked at before under that name, as deep or less deep.

        Its content must be one that compares with others by its bytes or its place.
        """
        key = piece.content, piece.path, piece.said
        depth = len(piece.inside)
        if self._depths.get(key, depth + 1) <= depth:
            return False
        self._depths[key] = depth
        return True

    def take(self, count: int) -> None:
        """Note that ``count`` bytes were unpacked, or are about to be.

        Raises `OverBudgetError` where there is not so much left.
        """
        if count > self.left:
            raise OverBudgetError
        self.left -= count


Seen: TypeAlias = Finding | Unread | Piece
"""What a rule or a container yields. Where in the piece, it says by offsets, tensors or rows; the
file and the member are filled in for it. A piece that is yielded is looked at in turn."""


class Rule(Protocol):
    """Looks at one kind of content, and yields what speaks against it.

    ``name`` is what a report says was looked for. ``claims`` decides by content first, reads a few
    bytes and raises nothing. ``examine`` yields; where it raises a `MalformedError` its finding is
    kept and the piece is unread, so what was found before must have been yielded before. It runs,
    imports and looks up nothing that the piece names.
    """

    @property
    def name(self) -> str: ...

    def claims(self, piece: Piece) -> bool: ...

    def examine(self, piece: Piece) -> Iterator[Seen]: ...


@runtime_checkable
class Container(Protocol):
    """Finds the files inside of a file, by every way in which some loader would find them.

    As a `Rule`; what it unpacks it takes from the ``budget`` first.
    """

    @property
    def name(self) -> str: ...

    def claims(self, piece: Piece) -> bool: ...

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]: ...
