"""What a template may name, and what no honest one names; the lists are `names.toml`."""

from __future__ import annotations

import enum
import tomllib
from typing import Final

from credenza.files import packaged

_LISTS: Final = tomllib.loads(packaged("credenza.scan.templates", "names.toml"))
_ESCAPES: Final = frozenset[str](_LISTS["escapes"])

FUNCTIONS: Final = frozenset[str](_LISTS["functions"])
METHODS: Final = frozenset[str](_LISTS["methods"])
DANGEROUS: Final = frozenset[str](_LISTS["dangerous"])
GLOBALS: Final = frozenset[str](_LISTS["globals"])
FRAMEWORK: Final = frozenset[str](_LISTS["framework"])
FILTERS: Final = frozenset[str](_LISTS["filters"])

FORMATS: Final = frozenset(("format", "format_map"))

HELPERS: Final = {
    "cycler": frozenset(("next", "reset", "current")),
    "joiner": frozenset[str](),
    "namespace": frozenset[str](),
}
"""The globals that an honest template may call, and the attributes of the class that it may use."""

BY_ATTRIBUTE: Final = frozenset(("map", "sort", "groupby", "sum", "min", "max", "unique"))
"""Filters that take the name of an attribute as their keyword ``attribute``."""

ATTRIBUTE_FIRST: Final = frozenset(("groupby", "sum", "selectattr", "rejectattr"))
"""Filters that take it as their first argument."""

LARGEST: Final = 100_000
"""What `jinja2.sandbox` allows a range (``MAX_RANGE``); here also how often text is repeated."""


class Kind(enum.Enum):
    """How far a name that is looked up on an object leads."""

    PLAIN = "plain"
    PRIVATE = "private"
    ESCAPE = "escape"


def kind_of(name: str) -> Kind:
    """How far an attribute or item of that name leads.

    Every object has names with two underscores, which lead to its class, and so to everything;
    Jinja's sandbox refuses each name that begins with one.
    """
    private = name.startswith("_") and name != "_"
    if name in _ESCAPES or (private and "__" in name.rstrip("_")):
        return Kind.ESCAPE
    return Kind.PRIVATE if private else Kind.PLAIN
