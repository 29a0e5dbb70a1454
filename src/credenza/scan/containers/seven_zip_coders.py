"""How the folders of a 7z archive are unpacked: Copy, LZMA, LZMA2, Deflate, BZip2, and filters.

All by the standard library, whose decoders have been fuzzed for years. Its raw decoders do not
know where a stream ends, and its filters hold back the last bytes of what has no end: here each
coder is told how much comes out of it, and a filter gets its bytes as LZMA2 without compression.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import Any, Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import broken
from credenza.artifact.streams import BROKEN, DEFLATE, PIECE, ZSTD, Decompressor, Method, Stream
from credenza.findings import Where
from credenza.scan.containers.seven_zip_records import Coder, Folder
from credenza.scan.interface import Budget

_COPY: Final = b"\0"
_DELTA: Final = b"\3"
LZMA: Final = bytes.fromhex("030101")
LZMA2: Final = b"\x21"
_DEFLATE: Final = bytes.fromhex("040108")
BZIP2: Final = bytes.fromhex("040202")
_ZSTD: Final = bytes.fromhex("04f71101")
_BRANCHES: Final = {
    bytes.fromhex("03030103"): lzma.FILTER_X86,
    bytes.fromhex("03030205"): lzma.FILTER_POWERPC,
    bytes.fromhex("03030401"): lzma.FILTER_IA64,
    bytes.fromhex("03030501"): lzma.FILTER_ARM,
    bytes.fromhex("03030701"): lzma.FILTER_ARMTHUMB,
    bytes.fromhex("03030805"): lzma.FILTER_SPARC,
    b"\4": lzma.FILTER_X86,
    b"\5": lzma.FILTER_POWERPC,
    b"\6": lzma.FILTER_IA64,
    b"\7": lzma.FILTER_ARM,
    b"\x08": lzma.FILTER_ARMTHUMB,
    b"\x09": lzma.FILTER_SPARC,
}
_NAMES: Final = {
    b"\x0a": "ARM64",
    b"\x0b": "RISCV",
    bytes.fromhex("0303011b"): "BCJ2",
    bytes.fromhex("020302"): "Swap2",
    bytes.fromhex("020304"): "Swap4",
    bytes.fromhex("030401"): "PPMd",
    bytes.fromhex("040109"): "Deflate64",
    bytes.fromhex("04f71102"): "Brotli",
    bytes.fromhex("04f71104"): "LZ4",
    bytes.fromhex("06f10701"): "AES (it is encrypted)",
}
"""Of what is not read (DOC/Methods.txt)."""
_DICTIONARY: Final = 128 << 20
_LEAST_DICTIONARY: Final = 4096
_CHUNK: Final = 1 << 16
"""The most bytes of a chunk of LZMA2 that is not compressed."""
_MOST_CODERS: Final = 4
"""As 7-Zip's own decoder has it for chains."""


class UnreadCoderError(Exception):
    """Nothing here unpacks it; the message says what it is."""


def unpacked(archive: Bytes, folder: Folder, budget: Budget) -> Iterator[bytes]:
    """What comes out of a folder whose bytes are those of ``archive``, in pieces.

    All that comes before a break comes, too. Raises `UnreadCoderError` before anything does, a
    `MalformedError` where it breaks off, `OverBudgetError` for what goes from coder to coder.
    """
    methods = _methods(folder)
    pieces = Stream(archive, methods[0], limit=folder.coders[0].size).pieces()
    for method in methods[1:]:
        pieces = _through(method, pieces, archive, budget)
    total = 0
    for piece in pieces:
        total += len(piece)
        yield piece
    if total != folder.size:
        what = f"{total} bytes come out where the header says {folder.size}"
        raise broken("compressed-stream", what, Where(file=archive.path))


def _methods(folder: Folder) -> list[Method]:
    unknown = [m for m in folder.methods if m in _NAMES or _opening(Coder(m, b"", 0)) is None]
    if unknown or not folder.is_chain or len(folder.coders) > _MOST_CODERS:
        names = ", ".join(dict.fromkeys(_NAMES.get(m, f"method {m.hex()}") for m in unknown))
        raise UnreadCoderError(f"{names or 'its chain of coders'} is not read")
    return [_method(coder) for coder in folder.coders]


def _method(coder: Coder) -> Method:
    opening = _opening(coder)
    if opening is None or _dictionary(coder) > _DICTIONARY:
        raise UnreadCoderError("a dictionary of over 128 MiB is not read")
    return Method("7z", (), lambda: _Sized(opening(), coder.size))


def _opening(coder: Coder) -> Callable[[], Decompressor] | None:
    """What opens a decoder, and raises one of `BROKEN` for settings that are none."""
    method = coder.method
    if method in (LZMA, LZMA2):
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_settings(coder)])
    if method == _DELTA:
        distance = (coder.properties or b"\0")[0] + 1
        return lambda: _Filter({"id": lzma.FILTER_DELTA, "dist": distance}, coder.size)
    if method in _BRANCHES:
        start = int.from_bytes(coder.properties[:4], "little")
        return lambda: _Filter({"id": _BRANCHES[method], "start_offset": start}, coder.size)
    plain: dict[bytes, Callable[[], Decompressor]] = {
        _COPY: _Copy,
        _DEFLATE: DEFLATE.open,
        BZIP2: bz2.BZ2Decompressor,
        _ZSTD: ZSTD.open,
    }
    return plain.get(method)


def _settings(coder: Coder) -> dict[str, Any]:
    """A filter of liblzma. Raises `ValueError` where the properties are none."""
    dictionary = max(_dictionary(coder), _LEAST_DICTIONARY)
    if coder.method == LZMA2:
        return {"id": lzma.FILTER_LZMA2, "dict_size": dictionary}
    if len(coder.properties) != 5 or coder.properties[0] >= 9 * 5 * 5:
        raise ValueError("no properties of LZMA")
    rest, lc = divmod(coder.properties[0], 9)
    pb, lp = divmod(rest, 5)
    return {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}


def _dictionary(coder: Coder) -> int:
    """How far back it refers; never farther than what comes out is long."""
    size = 0
    if coder.method == LZMA:
        size = int.from_bytes(coder.properties[1:5], "little")
    elif coder.method == LZMA2 and coder.properties:
        bits = coder.properties[0] & 0x3F
        size = (2 | bits & 1) << bits // 2 + 11
    return min(size, coder.size)


def _through(
    method: Method, fed: Iterator[bytes], archive: Bytes, budget: Budget
) -> Iterator[bytes]:
    """What a coder makes of what comes out of the one before. What goes in is taken from the
    budget. Raises a `MalformedError` where it breaks off.
    """
    try:
        stream = method.open()
        for piece in fed:
            budget.take(len(piece))
            for at in range(0, len(piece), _CHUNK):
                out = stream.decompress(piece[at : at + _CHUNK], PIECE)
                while out:
                    yield out
                    if stream.eof:
                        return
                    out = b"" if stream.needs_input else stream.decompress(b"", PIECE)
    except BROKEN as e:
        what = "a stream within another is broken"
        raise broken("compressed-stream", what, Where(file=archive.path), found=str(e)) from e


@final
class _Sized:
    """A decompressor that ends when as much has come out as was said.

    Behind the last byte, LZMA without an end of its own would go on with what it has left.
    """

    def __init__(self, stream: Decompressor, size: int) -> None:
        self._stream = stream
        self._left = size

    @property
    def eof(self) -> bool:
        return not self._left or self._stream.eof

    @property
    def needs_input(self) -> bool:
        return self._stream.needs_input

    unused_data = b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        out = self._stream.decompress(data, min(max_length, self._left)) if self._left else b""
        self._left -= len(out)
        return out


@final
class _Copy:
    """Bytes as they are."""

    eof = False
    needs_input = True
    unused_data = b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return data[:max_length]


@final
class _Filter:
    """A filter of liblzma alone: its bytes come as chunks of LZMA2 that are not compressed.

    It gives the last of them when ``size`` bytes have come.
    """

    eof = False
    unused_data = b""

    def __init__(self, filter_: dict[str, Any], size: int) -> None:
        chunks = {"id": lzma.FILTER_LZMA2, "dict_size": _CHUNK}
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filter_, chunks])
        self._left = size
        self._kind = b"\1"  # the first one resets the dictionary

    @property
    def needs_input(self) -> bool:
        return self._stream.needs_input

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        if self._stream.eof:
            return b""
        chunk, data = b"", data[: self._left]
        if data:
            chunk = self._kind + (len(data) - 1).to_bytes(2, "big") + data
            self._kind = b"\2"
            self._left -= len(data)
            chunk += b"" if self._left else b"\0"
        return self._stream.decompress(chunk, max_length)
