"""The rules, as data: what each finding means, what to do, and what others call it.

Each room has a file of rules beside this module: ``seal.toml`` holds the rules ``seal.*``. An id
never changes its meaning, and `VERSION` rises with every change to a file.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources

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


@functools.cache
def _room(name: str) -> dict[str, Rule]:
    """A room's rules by id. Each room's file is read for itself: all of them take 10 ms."""
    text = (resources.files(__name__) / f"{name}.toml").read_text("utf-8")
    return {
        f"{name}.{rule}": Rule(
            id=f"{name}.{rule}",
            title=entry["title"],
            meaning=entry["meaning"],
            remedy=entry["remedy"],
            references=tuple(entry["references"]),
        )
        for rule, entry in tomllib.loads(text).items()
    }


@functools.cache
def _rooms() -> tuple[str, ...]:
    names = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml")))


def rules() -> tuple[Rule, ...]:
    """Every rule, sorted by id's room and in its file's order."""
    return tuple(rule for room in _rooms() for rule in _room(room).values())


def rule(id_: str) -> Rule:
    """The rule of that id.

    Raises `KeyError` for an id that the catalogue does not hold: a finding without a rule is a
    defect of ours, never of the subject.
    """
    room = id_.partition(".")[0]
    if room not in _rooms():
        raise KeyError(id_)
    return _room(room)[id_]
