"""Compressed streams: zlib, gzip, bz2, xz, lzma, lz4, zstd, ZF; in pieces and never held."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.errors import MissingExtraError
from credenza.findings import Where

PIECE: Final = 1 << 20
"""The most bytes that are decompressed at once."""
_FED: Final = 1 << 16
"""The most bytes that a decompressor is fed at once."""
_MOST_RATIO: Final = 100
_ALWAYS: Final = 256 << 20
"""Decompressed, a file may be `_MOST_RATIO` times its size, and this many bytes in any case."""
_DICTIONARY: Final = 128 << 20
"""In bytes; the largest preset of xz has 64 MiB."""
_WINDOW_LOG: Final = 27
"""Of zstd: 128 MiB, the most that its own tool takes without being asked."""


_Z_HEAD: Final = len("ZF") + len("0x10000000000000000")


class Decompressor(Protocol):
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


class _ZFile:
    """What joblib wrote before 0.10: ``ZF``, a length in hexadecimal digits, and zlib.

    The length is padded to 19 characters, and by Python 2 to 20 (`joblib/numpy_pickle_compat.py`,
    ``read_zfile``). It is ignored: with Python's -O, joblib takes a wrong one.
    """

    def __init__(self) -> None:
        self._stream = _Zlib(zlib.MAX_WBITS)
        self._head = b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return self._stream.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        more = _Z_HEAD + 1 - len(self._head)
        if more > 0:
            self._head += data[:more]
            if len(self._head) <= _Z_HEAD:
                return b""
            data = self._head[_Z_HEAD:].removeprefix(b" ") + data[more:]
        return self._stream.decompress(data, max_length)


def _lz4() -> Decompressor:
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError as e:
        raise MissingExtraError("a file that is compressed with lz4", "lz4") from e
    return _Foreign(LZ4FrameDecompressor(), RuntimeError)


class _Foreign:
    """A decompressor that says with an ``error`` of its own what the others say otherwise."""

    def __init__(self, stream: Any, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._stream.needs_input)

    @property
    def unused_data(self) -> bytes | None:
        unused: bytes | None = self._stream.unused_data
        return unused

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        try:
            return bytes(self._stream.decompress(data, max_length))
        except self._error as e:
            raise EOFError(str(e)) from e


def _zstd() -> Decompressor:
    """That of Python 3.14, or the same for older ones."""
    try:
        from compression import zstd
    except ImportError:
        try:
            from backports import zstd
        except ImportError as e:
            raise MissingExtraError("a file that is compressed with zstd", "zstd") from e
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    return _Foreign(zstd.ZstdDecompressor(options=options), zstd.ZstdError)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to compress, by its first bytes.

    A ``weak`` one has so few of them that other files begin with them by chance.
    """

    name: str
    magics: tuple[bytes, ...]
    open: Callable[[], Decompressor]
    weak: bool = False


_BZ2: Final = tuple(b"BZh%d" % level for level in range(1, 10))

METHODS: Final = (
    Method(
        "zlib",
        (b"x\x01", b"x^", b"x\x9c", b"x\xda"),
        lambda: _Zlib(zlib.MAX_WBITS),
        weak=True,
    ),
    Method("gzip", (b"\x1f\x8b",), lambda: _Zlib(zlib.MAX_WBITS | 16)),
    Method("bz2", _BZ2, bz2.BZ2Decompressor),
    Method(
        "xz",
        (b"\xfd7zXZ\0",),
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY),
    ),
    Method(
        "lzma",
        (b"]\0\0",),
        lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_DICTIONARY),
        weak=True,
    ),
    Method("lz4", (b"\x04\x22\x4d\x18",), _lz4),
    Method("joblib's ZF", (b"ZF",), _ZFile, weak=True),
)
"""Those that joblib writes."""
ZSTD: Final = Method("zstd", (b"\x28\xb5\x2f\xfd",), _zstd)
DEFLATE: Final = Method("deflate", (), lambda: _Zlib(-zlib.MAX_WBITS))
BZIP2: Final = METHODS[2]
BROKEN: Final = (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError)
"""What decompressors raise for a stream that is none."""


def method_of(file: Bytes, methods: tuple[Method, ...] = METHODS, at: int = 0) -> Method | None:
    """What the bytes from ``at`` on are compressed with, by the first of them."""
    head = file.pread(at, max(0, min(file.size - at, 6)))
    return next((m for m in methods if head.startswith(m.magics)), None)


def zip_lzma(head: bytes, size: int) -> Method:
    """LZMA in a ZIP archive, whose member begins with ``head``, 9 bytes (APPNOTE.TXT 5.8.8).

    ``size`` is what comes out. Only the decoder is told; a header is what `FORMAT_ALONE` wants.
    """

    def opened() -> Decompressor:
        stream = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_DICTIONARY)
        stream.decompress(head[4:9] + size.to_bytes(8, "little"))
        return stream

    return Method("lzma", (), opened)


@final
class Stream:
    """One stream, from byte ``start`` of a file on, of up to ``limit`` bytes once decompressed.

    ``stop`` is where it ended, once all its pieces were taken.
    """

    def __init__(
        self, file: Bytes, method: Method, start: int = 0, limit: int | None = None
    ) -> None:
        self.file = file
        self.method = method
        self.start = self.stop = self._fed = self._at = start
        self._limit = max(_ALWAYS, _MOST_RATIO * file.size) if limit is None else limit

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most `PIECE` bytes: all that comes before a break, too.

        Raises `BrokenPickleError` where it breaks off or becomes too large, `MissingExtraError`
        where nothing here can decompress it.
        """
        total = 0
        try:
            for piece in self._whole():
                total += len(piece)
                if total > self._limit:
                    what = f"the {self.method.name} stream grows beyond all measure"
                    raise self._refused("compressed-bomb", what, f"up to {self._limit} bytes")
                yield piece
        except BrokenPickleError as e:
            if isinstance(e.__cause__, BROKEN):
                yield from self._salvaged(total)
            raise

    def _whole(self) -> Iterator[bytes]:
        stream = self._opened()
        while not stream.eof:
            piece, fed = self._next(stream)
            if piece:
                yield piece
            elif not fed and not stream.eof:
                what = f"the file ends within its {self.method.name} stream"
                raise self._refused("compressed-stream", what, "its end")
        self.stop = self._at - len(stream.unused_data or b"")

    def _salvaged(self, total: int) -> Iterator[bytes]:
        """What comes out before the break, behind the first ``total`` bytes.

        A decompressor that fails keeps to itself what it has made of that piece of input. A loader
        that reads in smaller pieces has seen it, and has run it.
        """
        stream = self._opened()
        last = range(self._fed, self._at)
        fed = (*range(self.start, self._fed, _FED), *last)
        seen = 0
        try:
            for at in fed:
                step = 1 if at in last else min(_FED, self._fed - at)
                for piece in _drained(stream, self.file.pread(at, step)):
                    seen += len(piece)
                    if total < seen <= self._limit:
                        yield piece[-(seen - total) :]
                        total = seen
        except BROKEN:
            return

    def _opened(self) -> Decompressor:
        try:
            return self.method.open()
        except BROKEN as e:
            raise self._broken(e) from e

    def _next(self, stream: Decompressor) -> tuple[bytes, int]:
        """The next piece, and how many bytes were fed for it."""
        fed = b""
        if stream.needs_input:
            self._fed = self._at
            fed = self.file.pread(self._at, min(_FED, self.file.size - self._at))
            self._at += len(fed)
        try:
            return stream.decompress(fed, PIECE), len(fed)
        except BROKEN as e:
            raise self._broken(e) from e

    def _broken(self, e: Exception) -> BrokenPickleError:
        what = f"the {self.method.name} stream is broken"
        return self._refused("compressed-stream", what, found=str(e))

    def _refused(
        self, rule: str, what: str, expected: str = "", found: str = ""
    ) -> BrokenPickleError:
        where = Where(file=self.file.path, start=self._at)
        return broken(rule, what, where, expected=expected, found=found)


def _drained(stream: Decompressor, data: bytes) -> Iterator[bytes]:
    """All that comes out when ``data`` is fed."""
    piece = stream.decompress(data, PIECE)
    while piece:
        yield piece
        if stream.needs_input or stream.eof:
            return
        piece = stream.decompress(b"", PIECE)
