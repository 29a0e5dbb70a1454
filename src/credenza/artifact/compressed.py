"""Compressed pickles, as ``joblib.dump(..., compress=...)`` writes them.

A zlib, gzip, bz2, xz, lzma or lz4 stream with a pickle in it (``joblib/compressor.py``). It is
decompressed piece by piece and never held: what a pickle says is read front to back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program
from credenza.artifact.pickle_file import SUFFIXES, looks_like_one, read_pickles
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.artifact.streams import Method, Stream, method_of
from credenza.errors import InputError
from credenza.findings import Where

_KEPT: Final = 1 << 20
"""How far back a reader may go: lines and names of a pickle are shorter."""
_TRIAL: Final = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class CompressedPickle:
    """Reads a compressed pickle: its programs, and in words the arrays, which have no region.

    It claims by content: a stream that begins as a pickle does. One that cannot be read is
    claimed by the names that pickles have.
    """

    def claims(self, file: Bytes) -> bool:
        method = method_of(file)
        if method is None:
            return False
        if file.path.lower().endswith(SUFFIXES):
            return True
        size, _ = _measured(file, method, _TRIAL)
        return looks_like_one(_Unpacked(file, method, size))

    def read(self, file: Bytes) -> File:
        method = method_of(file)
        if method is None:
            raise broken("compressed-stream", "no compressed stream", Where(file=file.path))
        size, error = _measured(file, method)
        content = _Unpacked(file, method, size)
        stream = f"{method.name} stream"
        if error is not None:
            raise error.after(_within(_programs(content), stream)) from error
        try:
            found = read_pickles(content, pickle_at=None)
        except BrokenPickleError as e:
            finding = replace(e.finding, what=f"{e.finding.what}, in the {stream}")
            raise BrokenPickleError(finding, _within(e.programs, stream), e.calls) from e
        return replace(
            found,
            size=file.size,
            format="joblib",
            programs=_within(found.programs, stream),
            metadata=(*found.metadata, ("compression", method.name)),
        )


@final
class _Unpacked:
    """The first ``size`` bytes of a compressed file's content, as a file.

    It is read front to back, and at most `_KEPT` bytes back.
    """

    def __init__(self, file: Bytes, method: Method, size: int) -> None:
        self.path = file.path
        self.size = size
        self._pieces = _pieces(file, method)
        self._start = 0
        self._held = b""

    def pread(self, start: int, length: int) -> bytes:
        if start < 0 or length < 0 or start + length > self.size:
            raise InputError(f"{self.path}: {length} bytes at {start} of {self.size}")
        if start < self._start:
            what = "a compressed pickle that refers too far back"
            raise broken("pickle-limit", what, Where(file=self.path, start=start))
        while self._start + len(self._held) < start + length:
            self._held += next(self._pieces)
            cut = min(start, self._start + len(self._held) - _KEPT) - self._start
            if cut > 0:
                self._held = self._held[cut:]
                self._start += cut
        offset = start - self._start
        return self._held[offset : offset + length]


def _measured(
    file: Bytes, method: Method, most: int | None = None
) -> tuple[int, BrokenPickleError | None]:
    """How many bytes the content has, and what broke it off, if something did.

    Decompresses all of it, or until it has ``most`` bytes.
    """
    size = 0
    try:
        for piece in _pieces(file, method):
            size += len(piece)
            if most is not None and size >= most:
                return most, None
    except BrokenPickleError as e:
        return size, e
    return size, None


def _pieces(file: Bytes, method: Method) -> Iterator[bytes]:
    """The content in pieces.

    Raises `BrokenPickleError` where it is not one stream that ends with the file, or becomes too
    large.
    """
    stream = Stream(file, method)
    yield from stream.pieces()
    if stream.stop != file.size:
        what = f"bytes follow the {method.name} stream"
        where = Where(file=file.path, start=stream.stop)
        left = f"{file.size - stream.stop} bytes"
        raise broken("compressed-stream", what, where, expected="the file's end", found=left)


def _programs(content: Bytes) -> tuple[Program, ...]:
    """What stands in the part of a content that could be decompressed."""
    try:
        return read_pickles(content, pickle_at=None).programs
    except BrokenPickleError as e:
        return e.programs


def _within(programs: tuple[Program, ...], stream: str) -> tuple[Program, ...]:
    """Programs, whose offsets count in the decompressed stream."""
    return tuple(replace(p, member=stream) for p in programs)
