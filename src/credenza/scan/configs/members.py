"""An object of a configuration, as every parser of it could see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias, final

from credenza.findings import Finding, Severity

LONGEST: Final = 120
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@final
class Members:
    """The members of one object, in order; a name that is given twice has two values.

    A parser that takes the first and one that takes the last see two configurations, so what
    looks at a name looks at every value of it.
    """

    __slots__ = ("pairs",)

    def __init__(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        self.pairs = pairs

    def __contains__(self, name: str) -> bool:
        return any(k == name for k, _ in self.pairs)

    def all(self, name: str) -> Iterator[Any]:
        """Every value of that name."""
        return (v for k, v in self.pairs if k == name)

    def texts(self, name: str) -> Iterator[str]:
        """Every value of that name that is a text."""
        return (v for v in self.all(name) if isinstance(v, str))


Check: TypeAlias = Callable[[Members], Iterator[Finding]]
"""Looks at one object, whatever lies above it; those below have been looked at."""


def finding(rule: str, severity: Severity, what: str, found: str) -> Finding:
    """A finding of a configuration, its evidence cut short."""
    shown = ascii(found)[1:-1]
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST - 1]}…"
    return Finding(rule=f"scan.{rule}", severity=severity, what=what, found=shown)


def is_dotted(name: str) -> bool:
    """Whether it is a Python name, with dots or without."""
    return _DOTTED.fullmatch(name) is not None


def is_under(name: str, prefixes: Sequence[str]) -> bool:
    """Whether the name is one of these, or begins with the whole parts of one."""
    return any(name == p or name.startswith(f"{p}.") for p in prefixes)


def leaves(path: str) -> bool:
    """Whether a path leads out of the folder that it is relative to."""
    parts = re.split(r"[/\\]", path)
    return path.startswith(("/", "\\", "~")) or ".." in parts or bool(re.match(r"[A-Za-z]:", path))
