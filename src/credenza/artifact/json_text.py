"""JSON inside a model's file, read so that no two readers see two things in it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, Final

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.findings import Where

LONGEST: Final = 64 << 20
"""In bytes; a model's configuration is some hundred thousand at most."""
_STRING: Final = re.compile(r'"((?:[^"\\]++|\\.)*+)"')


def parse(file: Bytes, text: str, start: int, rule: str) -> Any:
    """The value that ``text`` is, which begins at byte ``start`` of the file.

    Raises `BrokenPickleError` by that rule where it is not JSON, gives a name twice, holds a
    number that is none (NaN), or nests deeper than Python's own parser goes.
    """
    if len(text) > LONGEST:
        raise _refused(file, start, rule, f"up to {LONGEST} characters", f"{len(text)}")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as e:
        at = start + len(text[: e.pos].encode())
        raise _refused(file, at, rule, "JSON", e.msg) from e
    except (ValueError, RecursionError) as e:
        raise _refused(file, start, rule, "JSON with each name once", str(e)[:200]) from e


def places(text: str, wanted: Collection[str]) -> dict[str, int]:
    """By string, the byte of ``text`` in its UTF-8 at which it first stands, behind its quote.

    Strings that are written with escapes are found where they are escaped as Python does it.
    """
    spelled = {json.dumps(w)[1:-1]: w for w in wanted} | {w: w for w in wanted}
    found: dict[str, int] = {}
    byte, character = 0, 0
    for match in _STRING.finditer(text):
        name = spelled.get(match[1])
        if name is not None and name not in found:
            byte += len(text[character : match.start(1)].encode())
            character = match.start(1)
            found[name] = byte
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice in one object")
    return members


def _no_constant(word: str) -> Any:
    raise ValueError(f"the number {word}, which JSON has not")


def _refused(file: Bytes, at: int, rule: str, expected: str, found: str) -> BrokenPickleError:
    where = Where(file=file.path, start=at)
    return broken(rule, "the configuration cannot be read", where, expected=expected, found=found)
