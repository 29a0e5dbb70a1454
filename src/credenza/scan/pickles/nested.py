"""Files in the constants of a pickle: other pickles, archives, and either as text.

A constant does nothing by itself, and whatever would load it is judged where it is named. That it
is looked at all the same finds the payload of a loader that somebody has allowed. An array's bytes
are constants too and may look like anything, so a constant is taken for a file only where it holds
as one: it unpickles as far as a call, or it begins to decompress.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import contextlib
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from credenza.artifact.interface import Bytes, Held
from credenza.artifact.pickles import (
    BrokenPickleError,
    Constant,
    Kind,
    Limits,
    Names,
    Span,
    Uses,
    Value,
    interpret,
)
from credenza.artifact.slices import Slice
from credenza.errors import InputError
from credenza.findings import Unread, Where
from credenza.scan.interface import Piece, Said
from credenza.scan.pickles.judging import names_something, plausible

MOST: Final = 1000
"""Files that are taken out of one pickle."""
MOST_TRIED: Final = 20_000
_HELD: Final = 8 << 20
_HEAD: Final = 512
_TRIAL: Final = Limits(opcodes=5000, objects=5000)
_ZIPPED: Final = (b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"\x93NUMPY", b"\x89HDF\r\n")
_ENDS_EARLY: Final = (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_\s-]{22,}={0,2}\s*")
_HEX: Final = re.compile(rb"([0-9A-Fa-f]{2}){16,}")
_OPENERS: Final = frozenset(b"\x80c(}]iSVXUBCT\x8c\x8e\x95")


def payloads(piece: Piece, uses: Uses, names: Names) -> Iterator[Piece | Unread]:
    """The files among the constants of ``piece``, each named by where it stands.

    Those that a listed function takes for a file are all there, and said to be pickles.
    """
    handed = {v.start for v in uses.handed if isinstance(v, Span)}
    for value in uses.handed:
        yield _handed(piece, value)
    found = 0
    for number, constant in enumerate(dict.fromkeys(uses.constants)):
        if number >= MOST_TRIED or found >= MOST:
            return
        if constant.start in handed:
            continue
        inner = _file(piece, constant, names)
        if inner is not None:
            found += 1
            yield piece.member(f"bytes at {constant.start}", inner, said=Said.DATA)


def _handed(piece: Piece, value: Value) -> Piece | Unread:
    """A constant as the file that a function takes it for; it may be text in Latin-1."""
    if isinstance(value, str):
        with contextlib.suppress(UnicodeError):
            data = Held(piece.path, value.encode("latin-1"))
            return piece.member("bytes in a text", data, said=Said.PICKLE)
    elif isinstance(value, Span) and value.kind in (Kind.BYTES, Kind.BYTEARRAY, Kind.STRING):
        inner = Slice(piece.content, value.start, value.length)
        return piece.member(f"bytes at {value.start}", inner, said=Said.PICKLE)
    elif isinstance(value, Span) and value.length <= _HELD:
        with contextlib.suppress(ValueError, InputError):
            data = Held(piece.path, value.read(piece.content).decode().encode("latin-1"))
            return piece.member(f"bytes at {value.start}", data, said=Said.PICKLE)
    return Unread(where=Where(), why="a constant that is loaded as a file is no bytes, or too long")


def _file(piece: Piece, constant: Constant, names: Names) -> Bytes | None:
    """The file that a constant is; None where it is none."""
    raw: Bytes | None = Slice(piece.content, constant.start, constant.length)
    if constant.kind in (Kind.ESCAPED_STRING, Kind.ESCAPED_TEXT):
        raw = _unescaped(piece, constant)
    if raw is None:
        return None
    head = raw.pread(0, min(_HEAD, raw.size))
    if _holds(raw, head, names):
        return raw
    if constant.kind in (Kind.TEXT, Kind.ESCAPED_TEXT) and not head.isascii():
        return _latin1(raw, names)
    return _decoded(raw, head, names)


def _unescaped(piece: Piece, constant: Constant) -> Bytes | None:
    if constant.length > _HELD:
        return None
    span = Span(constant.kind, constant.start, constant.length, None)
    with contextlib.suppress(ValueError, InputError):
        return Held(piece.path, span.read(piece.content))
    return None


def _latin1(raw: Bytes, names: Names) -> Bytes | None:
    """Bytes that protocols 0 to 2 write as text, which ``_codecs.encode`` makes bytes again."""
    if raw.size > _HELD:
        return None
    try:
        held = Held(raw.path, raw.pread(0, raw.size).decode().encode("latin-1"))
    except UnicodeError:
        return None
    return held if _holds(held, held.data[:_HEAD], names) else None


def _decoded(raw: Bytes, head: bytes, names: Names) -> Bytes | None:
    """What base64 or hexadecimal digits stand for, where that is a file."""
    if raw.size > _HELD:
        return None
    for pattern, decode in _DECODERS:
        if not pattern.fullmatch(head):
            continue
        try:
            held = Held(raw.path, decode(raw.pread(0, raw.size)))
        except (ValueError, binascii.Error):
            continue
        if _holds(held, held.data[:_HEAD], names):
            return held
    return None


def _standard(data: bytes) -> bytes:
    plain = b"".join(data.split()).translate(bytes.maketrans(b"-_", b"+/"))
    return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)


_DECODERS: Final[tuple[tuple[re.Pattern[bytes], Callable[[bytes], bytes]], ...]] = (
    (_HEX, lambda data: binascii.unhexlify(data.strip())),
    (_BASE64, _standard),
)


def _holds(raw: Bytes, head: bytes, names: Names) -> bool:
    """True where the bytes are a file of a kind that can carry a payload."""
    if head.startswith(_ZIPPED) or head[257:262] == b"ustar":
        return True
    if _begins_compressed(head):
        return True
    return bool(head) and head[0] in _OPENERS and _is_pickle(raw, names)


def _begins_compressed(head: bytes) -> bool:
    """True where the head decompresses as far as it goes."""
    for magic, decompress in _DECOMPRESSORS:
        if head.startswith(magic):
            with contextlib.suppress(*_ENDS_EARLY):
                return bool(decompress(head))
    return False


_DECOMPRESSORS: Final[tuple[tuple[tuple[bytes, ...], Callable[[bytes], bytes]], ...]] = (
    ((b"\x1f\x8b\x08",), lambda head: zlib.decompressobj(31).decompress(head, 64)),
    ((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), lambda head: _inflated(head)),
    ((b"BZh",), lambda head: bz2.BZ2Decompressor().decompress(head, 64) or head[4:10]),
    ((b"\xfd7zXZ\0",), lambda head: lzma.LZMADecompressor().decompress(head, 64) or b"."),
)


def _inflated(head: bytes) -> bytes:
    return zlib.decompressobj().decompress(head, 64)


def _is_pickle(raw: Bytes, names: Names) -> bool:
    """True for a pickle that calls something, or names what is not allowed."""
    uses = Uses(names)
    try:
        interpret(raw, 0, _TRIAL, uses=uses)
    except BrokenPickleError as e:
        if e.finding.rule == "artifact.pickle-limit" and names_something(raw):
            return True
        return any(plausible(name) for name in uses.first_calls)
    return bool(uses.looked_up)
