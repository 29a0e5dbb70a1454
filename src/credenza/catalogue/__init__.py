"""The rules, as data: what each finding means, what to do, and what others call it.

Each room has a file of rules beside this module: ``seal.toml`` holds the rules ``seal.*``. An id
never changes its meaning, and `VERSION` rises with every change to a file.
"""

from __future__ import annotations

import functools
import pkgutil
import re
from dataclasses import dataclass
from typing import Final

VERSION = "2026.11.24"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that an examination can find.

    ``references`` are ids in other people's catalogues: OWASP (``ML10:2023``), MITRE ATLAS
    (``AML.T0018``), NIST AI 100-2 (``NISTAML.011``), CWE (``CWE-345``).
    """

    id: str
    title: str
    meaning: str
    remedy: str
    references: tuple[str, ...]


_HEADING: Final = re.compile(r"^\[([\w-]+)\]$", re.MULTILINE)


@functools.cache
def _room(name: str) -> dict[str, str]:
    """The table of each of a room's rules, as it is written; `KeyError` for no room of ours."""
    try:
        data = pkgutil.get_data(__name__, f"{name}.toml")  # `importlib.resources` takes 5 ms
    except OSError as e:
        raise KeyError(name) from e
    _, *parts = _HEADING.split((data or b"").decode())
    return dict(zip(parts[::2], parts[1::2], strict=True))


@functools.cache
def _rule(room: str, name: str) -> Rule:
    """Parsed for itself: a room of a hundred rules takes 10 ms."""
    import tomllib

    entry = tomllib.loads(_room(room)[name])
    return Rule(
        id=f"{room}.{name}",
        title=entry["title"],
        meaning=entry["meaning"],
        remedy=entry["remedy"],
        references=tuple(entry["references"]),
    )


def _rooms() -> tuple[str, ...]:
    from importlib import resources

    names = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml")))


def rules() -> tuple[Rule, ...]:
    """Every rule, sorted by id's room and in its file's order."""
    return tuple(_rule(room, name) for room in _rooms() for name in _room(room))


def rule(id_: str) -> Rule:
    """The rule of that id.

    Raises `KeyError` for an id that the catalogue does not hold: a finding without a rule is a
    defect of ours, never of the subject.
    """
    room, _, name = id_.partition(".")
    return _rule(room, name)
