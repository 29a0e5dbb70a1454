"""The names that a pickle may use, each by its exact spelling and with its reason.

The list is data (``allowed.toml``). There are no prefixes and no patterns: a name that nobody
has judged is not allowed. A pickle of protocol 2 or below spells some names as Python 2 did
(``__builtin__``, ``copy_reg``); they are listed so.
"""

from __future__ import annotations

import enum
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources


class Use(enum.Enum):
    """What a name on the list may serve as."""

    VALUE = "value"
    FUNCTION = "function"
    CLASS = "class"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Why a name is on the list, and how far.

    ``state``, ``items`` and ``pairs`` say whether what it makes may be given state by BUILD,
    and be filled by APPEND(S) and ADDITEMS, or by SETITEM(S). ``arguments`` says which arguments
    a call of it may have, in the words of `credenza.artifact.pickles.usage`.
    """

    use: Use
    reason: str
    state: bool = False
    items: bool = False
    pairs: bool = False
    arguments: str = "any"


def allowed(module: str, name: str) -> Allowed | None:
    """The entry of that name; None where it is not on the list."""
    return _entries().get((module, name))


@functools.cache
def _entries() -> dict[tuple[str, str], Allowed]:
    file = resources.files("credenza.artifact.pickles") / "allowed.toml"
    entries: dict[tuple[str, str], Allowed] = {}
    for group in tomllib.loads(file.read_text("utf-8"))["group"]:
        entry = Allowed(
            use=Use(group["use"]),
            reason=group["reason"],
            state=group.get("state", False),
            items=group.get("items", False),
            pairs=group.get("pairs", False),
            arguments=group.get("arguments", "any"),
        )
        entries |= {(m, n): entry for m in group["modules"] for n in group["names"]}
    return entries
