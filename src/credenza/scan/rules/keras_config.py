"""Keras configurations: ``config.json`` of a .keras file, and models kept as JSON alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.json_text import LONGEST, places
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Seen
from credenza.scan.rules.keras_judging import Judged, judged
from credenza.scan.rules.keras_tree import UnreadableError, tree

_SIGN: Final = re.compile(
    b'"%b"' % b"".join(b"(?:%c|(?i:\\\\u00%02x))" % (c, c) for c in b"class_name")
)
"""What a configuration cannot do without, each letter as it is or as JSON can escape it."""
_LONGEST_SIGN: Final = 64
_WIDTH: Final = 1 << 20
_MOST: Final = 200
_LONGEST_SHOWN: Final = 120


@final
@dataclass(frozen=True, slots=True)
class KerasConfig:
    """JSON with the classes that loading calls. Found by what is in it, whatever it is called."""

    name: str = "keras configuration"

    def claims(self, piece: Piece) -> bool:
        if not _is_utf8(piece):  # json.loads reads it all the same
            return piece.path.lower().endswith(".json")
        if piece.head(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
            return False
        return any(_SIGN.search(data) for data in _pieces(piece)) and _is_keras(piece)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.size > LONGEST:
            yield Unread(where=Where(), why="it is too long to be a configuration of Keras")
            return
        data = piece.pread(0, piece.size)
        try:
            text = data.decode(json.detect_encoding(data))
        except UnicodeDecodeError as e:
            why = f"a configuration that is not {e.encoding}"
            yield Unread(where=Where(start=e.start), why=why)
            return
        yield from configuration(text, 0)


def configuration(text: str, start: int) -> Iterator[Seen]:
    """What speaks against the configuration ``text``, which begins at byte ``start``."""
    try:
        read = tree(text)
    except UnreadableError as e:
        what, where = "it", Where()
        if start:
            what, where = "a configuration of Keras", Where(start=start)
        yield Unread(where=where, why=f"{what} is not JSON to its end: {e}")
        return
    if read.twice:
        yield Finding(
            rule="artifact.keras-config",
            severity=Severity.HIGH,
            what="one name is given twice: two parsers see two models",
            where=Where(start=start),
            expected="each once",
            found=_shown(read.twice),
        )
    found = list(dict.fromkeys(judged(read)))
    at = places(text, {j.key for j in found})
    found.sort(key=lambda j: (-j.severity.rank, at.get(j.key, 0), j.found))
    yield from (_finding(j, start + at.get(j.key, 0)) for j in found[:_MOST])
    if len(found) > _MOST:
        yield Unread(where=Where(start=start), why=f"{len(found) - _MOST} more names like these")


def _finding(judged: Judged, start: int) -> Finding:
    return Finding(
        rule=judged.rule,
        severity=judged.severity,
        what=judged.what,
        where=Where(start=start),
        found=_shown(judged.found),
    )


def _shown(text: str) -> str:
    return ascii(text[:_LONGEST_SHOWN])[1:-1]


def _is_utf8(piece: Piece) -> bool:
    return json.detect_encoding(piece.head(4)).startswith("utf-8")


def _pieces(piece: Piece) -> Iterator[bytes]:
    """The first bytes in runs that overlap, so that no sign is cut in two."""
    for at in range(0, min(piece.size, LONGEST), _WIDTH):
        yield piece.pread(at, min(_WIDTH + _LONGEST_SIGN, piece.size - at))


def _is_keras(piece: Piece) -> bool:
    """Whether it is called as a configuration is, or says first thing that it is one."""
    if piece.path.rpartition("/")[2].lower().endswith((".json", ".keras")):
        return True
    return _SIGN.search(piece.head(_WIDTH)) is not None
