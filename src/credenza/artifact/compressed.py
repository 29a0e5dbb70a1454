"""Compressed pickles, as ``joblib.dump(..., compress=...)`` writes them.

A zlib, gzip, bz2, xz, lzma or lz4 stream with a pickle in it (``joblib/compressor.py``). It is
decompressed piece by piece and never held: what a pickle says is read front to back.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program
from credenza.artifact.pickle_file import SUFFIXES, looks_like_one, read_pickles
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.errors import InputError, MissingExtraError
from credenza.findings import Where

_PIECE: Final = 1 << 20
_KEPT: Final = 1 << 20
"""How far back a reader may go: lines and names of a pickle are shorter."""
_MOST_RATIO: Final = 100
_ALWAYS: Final = 256 << 20
"""Decompressed, a file may be `_MOST_RATIO` times its size, and this many bytes in any case."""
_DICTIONARY: Final = 128 << 20
"""In bytes; the largest preset of xz has 64 MiB."""
_TRIAL: Final = 1 << 20


class _Decompressor(Protocol):
    """One stream; what the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zlib:
    """zlib's decompressor, with the interface of the others: it keeps its own input."""

    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def _lz4() -> _Decompressor:
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError as e:
        raise MissingExtraError("a pickle that is compressed with lz4", "lz4") from e
    return _Lz4(LZ4FrameDecompressor())


class _Lz4:
    """lz4's decompressor, whose errors are `RuntimeError`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._stream.needs_input)

    @property
    def unused_data(self) -> bytes | None:
        return bytes(self._stream.unused_data or b"")

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        try:
            return bytes(self._stream.decompress(data, max_length))
        except RuntimeError as e:
            raise EOFError(str(e)) from e


@dataclass(frozen=True, slots=True)
class _Method:
    """A way to compress, by its first bytes."""

    name: str
    magics: tuple[bytes, ...]
    open: Callable[[], _Decompressor]


_METHODS: Final = (
    _Method("zlib", (b"x\x01", b"x^", b"x\x9c", b"x\xda"), lambda: _Zlib(zlib.MAX_WBITS)),
    _Method("gzip", (b"\x1f\x8b",), lambda: _Zlib(zlib.MAX_WBITS | 16)),
    _Method("bz2", (b"BZh",), bz2.BZ2Decompressor),
    _Method(
        "xz",
        (b"\xfd7zXZ\0",),
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY),
    ),
    _Method(
        "lzma",
        (b"]\0\0",),
        lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_DICTIONARY),
    ),
    _Method("lz4", (b"\x04\x22\x4d\x18",), _lz4),
)
_BROKEN: Final = (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError)


@final
@dataclass(frozen=True, slots=True)
class CompressedPickle:
    """Reads a compressed pickle: its programs, and in words the arrays, which have no region.

    It claims by content: a stream that begins as a pickle does. One that cannot be read is
    claimed by the names that pickles have.
    """

    def claims(self, file: Bytes) -> bool:
        method = _method(file)
        if method is None:
            return False
        if file.path.lower().endswith(SUFFIXES):
            return True
        size, _ = _measured(file, method, _TRIAL)
        return looks_like_one(_Unpacked(file, method, size))

    def read(self, file: Bytes) -> File:
        method = _method(file)
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


def _method(file: Bytes) -> _Method | None:
    head = file.pread(0, min(file.size, 6))
    return next((m for m in _METHODS if head.startswith(m.magics)), None)


@final
class _Unpacked:
    """The first ``size`` bytes of a compressed file's content, as a file.

    It is read front to back, and at most `_KEPT` bytes back.
    """

    def __init__(self, file: Bytes, method: _Method, size: int) -> None:
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
    file: Bytes, method: _Method, most: int | None = None
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


def _pieces(file: Bytes, method: _Method) -> Iterator[bytes]:
    """The content in pieces of at most 1 MiB.

    Raises `BrokenPickleError` where it is not one stream that ends with the file, or becomes too
    large.
    """
    stream, limit = method.open(), max(_ALWAYS, _MOST_RATIO * file.size)
    at = total = 0
    while not stream.eof:
        fed = file.pread(at, min(_PIECE, file.size - at)) if stream.needs_input else b""
        at += len(fed)
        try:
            piece = stream.decompress(fed, _PIECE)
        except _BROKEN as e:
            what = f"the {method.name} stream is broken"
            raise _refused(file, "compressed-stream", what, at, found=str(e)) from e
        total += len(piece)
        if total > limit:
            what = f"the {method.name} stream grows beyond all measure"
            raise _refused(file, "compressed-bomb", what, at, expected=f"up to {limit} bytes")
        if piece:
            yield piece
        elif not fed and not stream.eof:
            what = f"the file ends within its {method.name} stream"
            raise _refused(file, "compressed-stream", what, at, expected="its end")
    left = len(stream.unused_data or b"") + file.size - at
    if left:
        what = f"bytes follow the {method.name} stream"
        at = file.size - left
        raise _refused(file, "compressed-stream", what, at, "the file's end", f"{left} bytes")


def _programs(content: Bytes) -> tuple[Program, ...]:
    """What stands in the part of a content that could be decompressed."""
    try:
        return read_pickles(content, pickle_at=None).programs
    except BrokenPickleError as e:
        return e.programs


def _within(programs: tuple[Program, ...], stream: str) -> tuple[Program, ...]:
    """Programs, whose offsets count in the decompressed stream."""
    return tuple(replace(p, member=stream) for p in programs)


def _refused(
    file: Bytes, rule: str, what: str, at: int, expected: str = "", found: str = ""
) -> BrokenPickleError:
    return broken(rule, what, Where(file=file.path, start=at), expected=expected, found=found)
