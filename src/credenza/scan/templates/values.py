"""What an expression of a template may be: the constants that it can make, and what else.

Sound for strings that a template makes of its own literals: either all of them are known, or the
value is `opaque`. What comes from outside (messages, tools) is the caller's data, and no secret of
the template's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

Constant: TypeAlias = "str | int | float | bool | tuple[Constant, ...] | None"
"""A literal; a list or tuple of them is a tuple, a dictionary the tuple of its keys."""

MOST: Final = 32
"""Constants that one expression may be before it counts as opaque."""

LONGEST: Final = 4096
"""Characters or elements of a constant that is still followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """``constants`` it can be; ``values`` those of a dictionary whose keys they are, or elements
    of a list of which no more is known.

    ``opaque`` is set where it may be a string that was computed from the template's own literals
    or from what an object looks like, and is not known. ``named`` are functions and objects of
    the renderer that it can be. With none of these it is data of the caller.
    """

    constants: frozenset[Constant] = frozenset()
    values: frozenset[Constant] = frozenset()
    opaque: bool = False
    named: frozenset[str] = frozenset()

    @property
    def is_literal(self) -> bool:
        """Whether nothing but the template decides what it is."""
        return bool(self.constants or self.named or self.opaque)

    @property
    def is_foldable(self) -> bool:
        """Whether all that it can be is known."""
        return bool(self.constants) and not self.opaque and not self.named

    @property
    def is_list(self) -> bool:
        """Whether it is a list, for all that is known, or empty, or the caller's."""
        tuples = all(isinstance(c, tuple) for c in self.constants)
        return tuples and not self.opaque and not self.named

    def elements(self) -> frozenset[Constant]:
        """What the lists among its constants hold, and its values."""
        return self.values | {e for c in self.constants if isinstance(c, tuple) for e in c}

    def strings(self) -> Iterable[str]:
        """The strings that it can be, sorted."""
        return sorted(c for c in self.constants if isinstance(c, str))


DATA: Final = Value()
OPAQUE: Final = Value(opaque=True)


def constant(*found: Constant) -> Value:
    """A value that is one of those; opaque where they are too many or too long."""
    constants = frozenset(found)
    if len(constants) > MOST or any(_size(c) > LONGEST for c in constants):
        return OPAQUE
    return Value(constants=constants)


def joined(*values: Value) -> Value:
    """What is one of the values."""
    if len(values) == 1:
        return values[0]
    constants = frozenset(c for v in values for c in v.constants)
    inner = frozenset(c for v in values for c in v.values)
    named = frozenset(n for v in values for n in v.named)
    opaque = any(v.opaque for v in values)
    if len(constants) > MOST:  # lists that grow: what they hold is known, how it is put is not
        inner |= {e for c in constants if isinstance(c, tuple) for e in c}
        constants = frozenset(c for c in constants if not isinstance(c, tuple))
    if len(constants) > MOST or len(inner) > MOST:
        return Value(named=named, opaque=True)
    return Value(constants=constants, values=inner, opaque=opaque, named=named)


def blurred(value: Value) -> Value:
    """The same without knowing which constant."""
    return replace(value, constants=frozenset(), values=frozenset(), opaque=True)


def _size(found: Constant) -> int:
    """Characters of a constant, with all that it holds."""
    if isinstance(found, str):
        return len(found)
    if isinstance(found, tuple):
        return 1 + sum(map(_size, found))
    return found.bit_length() // 8 if isinstance(found, int) else 1
