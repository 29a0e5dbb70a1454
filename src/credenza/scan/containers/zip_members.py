"""The members of a ZIP archive: each reading of one as a piece, and what is wrong with it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.streams import BZIP2, DEFLATE, ZSTD, Method, Stream, zip_lzma
from credenza.artifact.zip_ends import Problem
from credenza.artifact.zips import DEFLATED, ENCRYPTED, STORED
from credenza.errors import MalformedError, MissingExtraError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.names import link
from credenza.scan.containers.parts import once, part
from credenza.scan.containers.spooled import Spool
from credenza.scan.interface import Budget, OverBudgetError, Piece, Said, Seen

PIECE: Final = 1 << 20
PICKLES: Final = (".pkl", ".pickle", ".debug_pkl")
_BZ2: Final = 12
_LZMA: Final = 14
_ZSTD: Final = (20, 93)
_LZMA_HEAD: Final = 9
_SOURCES: Final = (*PICKLES, ".py", ".json")
_STORAGE: Final = re.compile(
    r"(?:^|/)(?:(?:data|constants|xl)/\d+|\.data/\d+\.storage"
    r"|data/weights/weight_\d+|data/constants/tensor_\d+)$"
)
"""Of checkpoints and TorchScript, of torch.package, of torch.export."""
_READ_WHOLE: Final = 8 << 20
_NO_LIMIT: Final = 1 << 62
"""The budget is what limits."""
_SHOWN: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a member: its name, and where and how its bytes are to be read."""

    name: str
    start: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int
    is_link: bool


@final
class Opener:
    """Opens members one after the other, and keeps what is to be said of the archive.

    ``is_torch`` says that its numbered members are storages of PyTorch.
    """

    def __init__(self, piece: Piece, budget: Budget) -> None:
        self.piece = piece
        self.budget = budget
        self.problems: list[Problem] = []
        self.is_torch = False
        self._spool = Spool(piece.content.path, budget)
        self._stored = piece.size

    def told(self) -> Iterator[Finding]:
        """The problems since the last time."""
        for problem in dict.fromkeys(self.problems):
            if problem.severity > Severity.NOTE:
                yield Finding(
                    rule=f"artifact.{problem.rule}",
                    severity=problem.severity,
                    what=f"zip: {problem.what[: 2 * _SHOWN]}",
                    where=Where(start=problem.at),
                    found=problem.what[:_SHOWN],
                )
        self.problems.clear()

    def open(self, member: Reading) -> Iterator[Seen]:
        """A member as a piece, and what is to be said of it or keeps it from being read."""
        if member.name.endswith("/") and not member.size:
            return
        start = min(member.start, self.piece.size)
        packed = part(self.piece, start, max(0, min(member.packed, self.piece.size - start)))
        if member.flags & ENCRYPTED and self._is_encrypted(member, packed):
            yield self._unread(member, "it is encrypted")
            yield self.piece.member(member.name, packed)
            return
        if member.method == STORED:
            yield from self._whole(member, packed)
            return
        method = _method(member, packed)
        if method is None:
            yield self._unread(member, f"compression method {member.method} is not read")
            yield self.piece.member(member.name, packed)
            return
        reachable = member.method != DEFLATED or member.size <= 1032 * member.packed + 64
        if member.size > self.budget.left and reachable:
            raise OverBudgetError
        yield from self._unpacked(member, packed, method)
        yield from self.told()

    def _is_encrypted(self, member: Reading, packed: Bytes) -> bool:
        """Whether it is, or a flag says so that a loader ignores (CVE-2025-1945)."""
        lies = member.packed == member.size  # encryption adds 12 bytes (APPNOTE.TXT 6.1.3)
        if member.method == DEFLATED:
            lies = _inflates(packed)
        what = f"{member.name}: a flag says that it is encrypted, and it is not"
        if lies:
            self.problems.append(Problem("zip-flags", what, member.start))
        return not lies

    def _whole(self, member: Reading, packed: Bytes) -> Iterator[Seen]:
        """A stored member; its CRC is checked where it will be read whole anyway."""
        self._share(packed.size)
        said = self._says(member.name)
        whole = packed.size <= _READ_WHOLE or member.name.lower().endswith(_SOURCES)
        if packed.size < member.packed:
            yield self._unread(member, f"it ends after {packed.size} of {member.packed} bytes")
        elif said != Said.DATA and whole:
            crc = 0
            for at in range(0, packed.size, PIECE):
                crc = zlib.crc32(packed.pread(at, min(PIECE, packed.size - at)), crc)
            self._compare(member, crc)
        yield from self.told()
        yield from self._links(member, packed)
        yield from once(self.piece.member(member.name, packed, said=said), self.budget)

    def _share(self, size: int) -> None:
        """Take from the budget what members share: looked at twice, it grows with each level."""
        self._stored -= size
        if self._stored < 0:
            self.budget.take(size)
        if self._stored < -self.piece.size - PIECE:
            raise OverBudgetError

    def _unpacked(self, member: Reading, packed: Bytes, method: Method) -> Iterator[Seen]:
        """A compressed member: what of it could be decompressed, and why not more."""
        start = _LZMA_HEAD if member.method == _LZMA else 0
        stream = Stream(packed, method, start, limit=_NO_LIMIT)
        crc, why = 0, ""
        try:
            for data in stream.pieces():
                crc = zlib.crc32(data, crc)
                self._spool.write(data)
        except MissingExtraError as e:
            yield self._unread(member, f"{e} ({e.hint})")
            return
        except OverBudgetError:
            yield self.piece.member(member.name, self._spool.end(), said=self._says(member.name))
            raise
        except MalformedError as e:
            why = e.finding.what
        content = self._spool.end()
        if why:
            yield self._unread(member, why)
        else:
            self._compare_size(member, content.size, packed.size - stream.stop)
            self._compare(member, crc)
        yield from self._links(member, content)
        yield self.piece.member(member.name, content, said=self._says(member.name))

    def _links(self, member: Reading, content: Bytes) -> Iterator[Finding]:
        if member.is_link:
            target = content.pread(0, min(content.size, 4096)).decode("utf-8", "backslashreplace")
            yield from link(member.name, target, member.start)

    def _compare_size(self, member: Reading, size: int, left: int) -> None:
        if size != member.size or left:
            what = f"{member.name} does not inflate to the size that is claimed for it"
            self.problems.append(Problem("zip-deflate", what, member.start))

    def _compare(self, member: Reading, crc: int) -> None:
        """PyTorch ignores the CRC, Python does not (CVE-2025-10156)."""
        if crc != member.crc:
            what = f"{member.name} differs from its CRC"
            self.problems.append(Problem("zip-crc", what, member.start))

    def _says(self, name: str) -> str:
        lower = name.lower()
        if lower.endswith(PICKLES):
            return Said.PICKLE
        return Said.DATA if self.is_torch and _STORAGE.search(lower) else ""

    def _unread(self, member: Reading, why: str) -> Unread:
        return Unread(where=Where(start=member.start), why=f"zip: {member.name[:_SHOWN]}: {why}")


def _method(member: Reading, packed: Bytes) -> Method | None:
    if member.method == DEFLATED:
        return DEFLATE
    if member.method == _BZ2:
        return BZIP2
    if member.method in _ZSTD:
        return ZSTD
    if member.method == _LZMA and packed.size >= _LZMA_HEAD:
        return zip_lzma(packed.pread(0, _LZMA_HEAD), member.size)
    return None


def _inflates(packed: Bytes) -> bool:
    """Whether the first bytes are deflate, which encrypted ones are by no chance worth naming."""
    fed = packed.pread(0, min(packed.size, 1 << 16))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return len(inflater.decompress(fed, 1 << 16)) >= min(64, packed.size // 2)
    except zlib.error:
        return False
