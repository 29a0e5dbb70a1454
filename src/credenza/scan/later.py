"""Rules and containers that are imported for the first file with their signs."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast, final

from credenza.artifact.interface import Bytes, Signs
from credenza.scan.interface import Budget, Container, Piece, Rule, Said, Seen

_ANY: Final = Signs()


class Telling(Protocol):
    """What tells, at little cost, that a file is none for a rule or container."""

    def on(self, file: Bytes) -> bool: ...


@final
@dataclass(frozen=True, slots=True)
class LaterRule:
    """The rule ``type_`` of ``credenza.scan.rules.MODULE``.

    Whether a piece with its signs is one for it, the rule itself decides.
    """

    name: str
    module: str
    type_: str
    signs: Telling = _ANY
    said: str = ""
    """A piece of which its surroundings say this is shown to the rule whatever its signs."""
    elements: bool = True
    """Whether the elements of arrays are shown to it, whose bytes have anything's signs."""

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA and not self.elements:
            return False
        shown = (self.said and piece.said == self.said) or self.signs.on(piece)
        return bool(shown) and self._rule().claims(piece)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        return self._rule().examine(piece)

    def _rule(self) -> Rule:
        return cast("Rule", _made(f"credenza.scan.rules.{self.module}", self.type_))


@final
@dataclass(frozen=True, slots=True)
class LaterContainer:
    """The container ``type_`` of ``credenza.scan.containers.MODULE``."""

    name: str
    module: str
    type_: str
    signs: Telling = _ANY

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA:  # no loader opens the elements of arrays as an archive
            return False
        return self.signs.on(piece) and self._container().claims(piece)

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        return self._container().open(piece, budget)

    def _container(self) -> Container:
        return cast("Container", _made(f"credenza.scan.containers.{self.module}", self.type_))


@functools.cache
def _made(module: str, type_: str) -> Any:
    return getattr(importlib.import_module(module), type_)()
