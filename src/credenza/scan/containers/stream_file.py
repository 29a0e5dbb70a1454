"""Compressed streams: one behind the other, and what could be decompressed of a broken one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.interface import Held
from credenza.artifact.pickle_file import SUFFIXES
from credenza.artifact.streams import METHODS, ZSTD, Method, Stream, method_of
from credenza.artifact.zips import Slice
from credenza.errors import MalformedError, MissingExtraError
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.containers.spooled import Spool
from credenza.scan.interface import Budget, Piece, Said, Seen

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
    spool = Spool(piece.content.path, budget)
    at, why = 0, ""
    stops: list[int] = []
    size = 0
    while at < piece.size and not why and len(stops) < _MOST_STREAMS:
        stream = Stream(piece, method, at)
        try:
            for data in stream.pieces():
                size += len(data)
                spool.write(data)
        except MissingExtraError as e:
            yield Unread(where=Where(), why=f"{e} ({e.hint})")
            return
        except MalformedError as e:
            why = e.finding.what
        stops.append(size)
        at = stream.stop
        if method_of(piece, (method,), at) is None or method.name not in _JOINED:
            break
    content = spool.end()
    yield piece.member(_named(piece.path), content)
    for number, start in enumerate(stops[:-1], 2):
        part = Slice(content, start, stops[number - 1] - start)
        yield piece.member(f"(stream {number})", part)
    yield from _judged(piece, method, at, len(stops), why)


def _judged(piece: Piece, method: Method, at: int, streams: int, why: str) -> Iterator[Seen]:
    """What is to be said of the streams, of which the last ended at byte ``at``."""
    if streams > 1:
        yield _finding(
            Severity.LOW, f"{streams} {method.name} streams stand one behind the other", 0
        )
    if why:
        yield Unread(where=Where(start=at), why=why)
    elif at < piece.size:
        left = piece.size - at
        zeros = left <= _LONGEST_ZEROS and not piece.pread(at, left).strip(b"\0")
        severity = Severity.LOW if zeros else Severity.HIGH
        yield _finding(severity, f"{left} bytes follow the {method.name} stream", at)
        if not zeros:
            yield piece.member(f"(bytes at {at})", Slice(piece, at, left))


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
