"""The names that a pickle may use, each by its exact spelling and with its reason.

The list is data (``allowed.toml``). There are no prefixes and no patterns: a name that nobody
has judged is not allowed. A pickle of protocol 2 or below spells some names as Python 2 did
(``__builtin__``, ``copy_reg``); they are listed so.
"""

from __future__ import annotations

import enum
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

from credenza.files import packaged


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
    a call of it may have, and ``states`` which state it may be given, in the words of
    `credenza.artifact.pickles.usage`.
    """

    use: Use
    reason: str
    state: bool = False
    items: bool = False
    pairs: bool = False
    arguments: str = "any"
    states: str = "any"

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> Allowed:
        """The entry that a group of a list's file stands for."""
        return cls(
            use=Use(group["use"]),
            reason=group["reason"],
            state=group.get("state", False),
            items=group.get("items", False),
            pairs=group.get("pairs", False),
            arguments=group.get("arguments", "any"),
            states=group.get("states", "any"),
        )


class Names(Protocol):
    """A list of names that a pickle may use."""

    def entry(self, module: str, name: str) -> Allowed | None:
        """The entry of that name; None where it is not on the list."""
        ...


@final
@dataclass(frozen=True, slots=True)
class TensorNames:
    """The names that pickles of tensors and plain values use."""

    def entry(self, module: str, name: str) -> Allowed | None:
        return _entries().get((module, name))


TENSORS: Final = TensorNames()


def allowed(module: str, name: str) -> Allowed | None:
    """The entry of that name on the list of `TensorNames`; None where it is not on it."""
    return TENSORS.entry(module, name)


@functools.cache
def _entries() -> dict[tuple[str, str], Allowed]:
    return listed(tomllib.loads(packaged("credenza.artifact.pickles", "allowed.toml"))["group"])


def listed(groups: list[dict[str, Any]]) -> dict[tuple[str, str], Allowed]:
    """The entries of a list's groups, by module and name."""
    entries: dict[tuple[str, str], Allowed] = {}
    for group in groups:
        entry = Allowed.of(group)
        entries |= {(m, n): entry for m in group["modules"] for n in group["names"]}
    return entries
