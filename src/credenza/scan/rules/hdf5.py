"""HDF5: Keras' models and weights, and what leads out of a file.

The reader of `credenza.artifact` walks it without libhdf5; here it goes on behind what is wrong.
Every file is asked whether it is one, so the reader is imported for the first that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.slices import Slice
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Said, Seen

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
SUFFIXES: Final = (".h5", ".hdf5")
_FIRST_USER_BLOCK: Final = 512
_MATLAB: Final = b"MATLAB 7."
_ACCUSES: Final = frozenset({"artifact.hdf5-external"})
"""What no writer does by mistake. A file that breaks off or is damaged is unread, and no more."""
_TWICE: Final = "twice"
_PYTABLES: Final = b"PYTABLES_FORMAT_VERSION"
_SEARCHED: Final = 16 << 20


@final
@dataclass(frozen=True, slots=True)
class Hdf5:
    """A file with HDF5's signature where libhdf5 looks for it, or with its name."""

    name: str = "hdf5"

    def claims(self, piece: Piece) -> bool:
        return _begins(piece) is not None or piece.path.lower().endswith(SUFFIXES)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        from credenza.artifact.hdf5 import examined
        from credenza.scan.rules.keras_config import configuration

        start = _begins(piece)
        if start is None:
            yield Unread(where=Where(), why="it is called HDF5, and has no signature of it")
            return
        if start:
            yield from _front(piece, start)
        inner: Bytes = Slice(piece, start, piece.size - start) if start else piece
        found = examined(inner, start)
        for broken in found.broken:
            yield from _broken(broken.finding, start, piece.size)
        yield from _pickles(piece)
        for text, at in found.configs:
            if text is None:
                why = "the configuration of a model is no single text"
                yield Unread(where=Where(start=start + at), why=why)
            else:
                yield from configuration(text, start + at)


def _pickles(piece: Piece) -> Iterator[Piece]:
    """The pickles in a file of PyTables, which pandas writes: reading a node unpickles them.

    Attributes (``tables/attributeset.py``) and the rows of ``VLArray`` of objects.
    """
    if _PYTABLES not in piece.head(_SEARCHED):
        return
    from credenza.scan.pickles import PickleNames
    from credenza.scan.pickles.streams import hidden

    for at in hidden(piece, 0, PickleNames()):
        rest = Slice(piece.content, at, piece.size - at)
        yield piece.member(f"bytes at {at}", rest, said=Said.DATA)


def _begins(piece: Piece) -> int | None:
    """Where its signature is: at 0, 512, 1024 and so on (section II.A, "User block")."""
    at = 0
    while at + len(SIGNATURE) <= piece.size:
        if piece.pread(at, len(SIGNATURE)) == SIGNATURE:
            return at
        at = max(_FIRST_USER_BLOCK, 2 * at)
    return None


def _front(piece: Piece, start: int) -> Iterator[Finding]:
    """What stands before the signature, and is another file to whoever reads from the front."""
    head = piece.head(min(start, 1 << 16))
    if not head.strip(b"\0 "):
        return
    matlab = head.startswith(_MATLAB)
    yield Finding(
        rule="scan.hdf5-front",
        severity=Severity.LOW if matlab else Severity.HIGH,
        what="bytes of another kind stand before an HDF5 file",
        where=Where(start=0, stop=start),
        found=ascii(head[:16])[2:-1],
    )


def _broken(finding: Finding, base: int, size: int) -> Iterator[Seen]:
    """As a finding where it speaks of intent, and as unread where it kept from reading on."""
    at = (finding.where.start or 0) + base
    accused = finding.rule in _ACCUSES or _TWICE in finding.what or _is_longer(finding, size)
    if accused:
        yield replace(finding, where=Where(start=at))
    if finding.rule != "artifact.hdf5-external":  # it was read: what it leads to is not of the file
        yield Unread(where=Where(start=at), why=finding.what)


def _is_longer(finding: Finding, size: int) -> bool:
    """Whether bytes follow the end of the HDF5 file, and it is not the file that was cut."""
    said = finding.expected.partition(" ")[0]
    return finding.rule == "artifact.hdf5-size" and said.isdigit() and int(said) < size
