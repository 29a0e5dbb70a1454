"""JSON: what a loader imports, renders or opens because a configuration says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

from credenza.artifact.json_text import LONGEST
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.configs import Members
from credenza.scan.configs.checks import is_looked_at, looked_at, matters
from credenza.scan.interface import Piece, Said, Seen
from credenza.scan.kept import Kept

_BEGINS: Final = re.compile(rb'(\xef\xbb\xbf)?[ \t\r\n]*(\{[ \t\r\n]*["}]|\[[ \t\r\n]*[\[{"\]])')
_PATH: Final = re.compile(r"[/\\~]|[A-Za-z][A-Za-z0-9+.-]*:|.*\.\.", re.DOTALL)
_MOST_SEEN: Final = 200
_MOST_LOOKS: Final = 50_000
_SPARE: Final = 64 << 20  # in bytes
_MOST_KEPT: Final = 5_000
_HEAD: Final = 512


@final
@dataclass(frozen=True, slots=True)
class JsonConfigs:
    """Looks at every object of a JSON file, each with all values of a name that is given twice."""

    name: str = "json"

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA:
            return False
        return _is_named(piece) or _BEGINS.match(piece.head(_HEAD)) is not None

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.size > LONGEST:
            if _is_named(piece):
                yield Unread(where=Where(), why=f"JSON of {piece.size} bytes, over {LONGEST}")
            return
        looking = _Looking()
        why = looking.read(piece)
        yield from looking.kept.seen
        if why and (_is_named(piece) or looking.kept.seen):
            yield Unread(where=Where(), why=f"it is not JSON to its end: {why}")


def _weight(text: str) -> int:
    """About how many bytes of memory its lists, objects and texts take once they are read."""
    return (
        72 * text.count("[") + 200 * text.count("{") + 28 * text.count('"') + 120 * text.count(":")
    )


def _is_named(piece: Piece) -> bool:
    return piece.path.lower().endswith(".json")


class _Looking:
    """Reads a file and looks at each object when it ends: those within it have been looked at."""

    def __init__(self) -> None:
        self.kept = Kept(_MOST_SEEN)
        self.looks = 0

    def read(self, piece: Piece) -> str:
        """Look at all of it; why that did not reach the end, or nothing."""
        data = piece.pread(0, piece.size)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            return f"{e.reason} at byte {e.start}"
        del data
        if _weight(text) > 3 * piece.size + _SPARE:
            return "it is made of more small parts than any model's"
        try:
            json.loads(text, object_pairs_hook=self._object)
        except json.JSONDecodeError as e:
            return f"{e.msg.removesuffix(' at')} at character {e.pos}"
        except RecursionError:
            what = "it nests deeper than parsers go"
            rule, severity = "scan.config-nested", Severity.MEDIUM
            self.kept.add(Finding(rule=rule, severity=severity, what=what, found="nested"))
            return what
        except ValueError as e:  # a number of more than 4300 digits
            return str(e)[:100]
        return ""

    def _object(self, pairs: list[tuple[str, Any]]) -> Members:
        object_ = Members(_that_matter(pairs))
        if matters(object_):
            self.looks += 1
            if self.looks > _MOST_LOOKS:
                raise ValueError("more objects that name code than any model has")
            for seen in looked_at(object_):
                self.kept.add(seen)
        return object_


def _that_matter(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Of a vocabulary, the members that something looks at; of an index, each odd shard once."""
    if len(pairs) <= _MOST_KEPT:
        return pairs
    looked = [p for p in pairs if is_looked_at(p[0])]
    paths = {v: (k, v) for k, v in pairs if isinstance(v, str) and _PATH.match(v)}
    if any(name == "_diffusers_version" for name, _ in looked):
        looked += [p for p in pairs if isinstance(p[1], list) and len(p[1]) == 2]
    return [*looked, *paths.values()]
