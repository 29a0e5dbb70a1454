"""MessagePack as flax writes it: its sizes, and types that are not flax's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.flax import Flax
from credenza.errors import MalformedError
from credenza.findings import Unread, Where
from credenza.scan.interface import Piece, Said, Seen
from credenza.scan.rules.refusals import refused

_READER: Final = Flax()
_BROKEN: Final = frozenset(("msgpack-truncated", "msgpack-type", "msgpack-limit"))


@final
@dataclass(frozen=True, slots=True)
class FlaxTree:
    """Reads all of a tree of arrays. What it holds in types of somebody's own is unread."""

    name: str = "flax"

    def claims(self, piece: Piece) -> bool:
        return piece.said not in (Said.DATA, Said.PICKLE) and _READER.claims(piece)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        try:
            file = _READER.read(piece)
        except MalformedError as e:
            yield from refused(e, _BROKEN)
            return
        for part in file.unread:
            if "extension type" in part:
                yield Unread(where=Where(), why=ascii(part)[1:200])
