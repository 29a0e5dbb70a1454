"""Compressed streams: one behind the other, and what could be decompressed of a broken one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.interface import Held
from credenza.artifact.pickle_file import SUFFIXES
from credenza.artifact.streams import METHODS, ZSTD, Method, Stream, method_of
from credenza.errors import MalformedError, MissingExtraError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.parts import part
from credenza.scan.containers.spooled import Spool
from credenza.scan.interface import Budget, OverBudgetError, Piece, Said, Seen

_METHODS: Final = (*METHODS, ZSTD)
_TRIAL: Final = 4096
_ENOUGH: Final = 64
_MOST_STREAMS: Final = 64
_JOINED: Final = ("gzip", "bz2", "xz", "lz4", "zstd")
_SUFFIXES: Final = (".gz", ".tgz", ".bz2", ".xz", ".lzma", ".lz4", ".zst", ".zstd", ".zlib", ".z")
_LONGEST_ZEROS: Final = 1 << 16


@final
@dataclass(frozen=True, slots=True)
class Streams:
    """Opens what begins as a compressed stream.

    A magic of two or three bytes is taken for one where something comes out of what follows, or
    where the name is that of a pickle, which may be compressed.
    """

    name: str = "compressed stream"

    def claims(self, piece: Piece) -> bool:
        method = method_of(piece, _METHODS)
        if method is None or piece.said == Said.DATA:
            return False
        if not method.weak or piece.path.lower().endswith((*SUFFIXES, *_SUFFIXES)):
            return True
        return _begins(piece, method)

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        method = method_of(piece, _METHODS)
        if method is not None:
            yield from _opened(piece, method, budget)


def _begins(piece: Piece, method: Method) -> bool:
    """Whether something comes out of the first bytes, and nothing goes wrong before enough has."""
    head = Held(piece.path, piece.head(_TRIAL))
    out = 0
    try:
        for data in Stream(head, method, limit=_TRIAL << 10).pieces():
            out += len(data)
    except MalformedError as e:
        return out >= _ENOUGH or (bool(out) and "ends within" in e.finding.what)
    return True


def _opened(piece: Piece, method: Method, budget: Budget) -> Iterator[Seen]:
    """All streams of a kind that stand one behind the other, and what stands behind those.

    `gzip` reads them all as one, joblib and `zlib` the first alone: the whole is looked at, and
    each but the first by itself.
    """
    found = _Unpacked(piece, method, budget)
    try:
        found.unpack()
    except MissingExtraError as e:
        yield Unread(where=Where(), why=f"{e} ({e.hint})")
        return
    except MalformedError as e:
        found.why = e.finding.what
        found.is_over = e.finding.rule == "artifact.compressed-bomb"
    except OverBudgetError:
        found.is_over = True
    yield from found.seen()
    if found.is_over:
        raise OverBudgetError


@final
class _Unpacked:
    """Streams that are being unpacked into one content, and how that went."""

    def __init__(self, piece: Piece, method: Method, budget: Budget) -> None:
        self.piece = piece
        self.method = method
        self.budget = budget
        self.spool = Spool(piece.content.path, budget)
        self.at = self.size = 0
        self.starts: list[int] = []
        self.why = ""
        self.is_over = False

    def unpack(self) -> None:
        """Raises as `Stream.pieces` and `Spool.write` do; what came before is kept."""
        while len(self.starts) < _MOST_STREAMS:
            self.starts.append(self.size)
            stream = Stream(self.piece, self.method, self.at)
            for data in stream.pieces():
                self.spool.write(data)
                self.size += len(data)
            self.at = stream.stop
            if self.method.name not in _JOINED:
                return
            if method_of(self.piece, (self.method,), self.at) is None:
                return

    def seen(self) -> Iterator[Seen]:
        content = self.spool.end()
        yield self.piece.member(_named(self.piece.path), content)
        ends = [*self.starts[1:], content.size]
        for number, start in enumerate(self.starts[1:], 1):
            one = part(content, start, max(0, ends[number] - start))
            self.budget.take(one.size)  # these bytes are looked at twice
            yield self.piece.member(f"(stream {number + 1})", one)
        if len(self.starts) > 1:
            what = f"{len(self.starts)} {self.method.name} streams stand one behind the other"
            yield _finding(Severity.LOW, what, 0)
        if self.why and not self.is_over:
            yield Unread(where=Where(start=self.at), why=self.why)
        elif self.at < self.piece.size and not self.is_over:
            yield from self._behind(self.piece.size - self.at)

    def _behind(self, left: int) -> Iterator[Seen]:
        zeros = left <= _LONGEST_ZEROS and not self.piece.pread(self.at, left).strip(b"\0")
        what = f"{left} bytes follow the {self.method.name} stream"
        yield _finding(Severity.LOW if zeros else Severity.HIGH, what, self.at)
        if not zeros:
            rest = part(self.piece, self.at, left)
            yield self.piece.member(f"(bytes at {self.at})", rest)


def _finding(severity: Severity, what: str, at: int) -> Finding:
    return Finding(
        rule="scan.stream", severity=severity, what=what, where=Where(start=at), found=what
    )


def _named(path: str) -> str:
    """What the content is called: ``model.tar`` for ``model.tgz``, ``a.npy`` for ``a.npy.gz``."""
    name = path.rsplit("/", 1)[-1]
    if name.lower().endswith(".tgz"):
        return name[:-4] + ".tar"
    suffix = next((s for s in _SUFFIXES if name.lower().endswith(s)), "")
    return name.removesuffix(name[len(name) - len(suffix) :]) if suffix else name
