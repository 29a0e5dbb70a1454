"""Where a case tells what it is doing: lines, and progress of what takes long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Stage(Protocol):
    """Shows a person what goes on."""

    def say(self, line: str) -> None:
        """One line of the story."""
        ...

    def progress(self, what: str, done: float) -> None:
        """How much of a piece of work is done, from 0 to 1; the work is named by ``what``."""
        ...


class Silence:
    """A stage on which nothing is shown."""

    def say(self, line: str) -> None:
        pass

    def progress(self, what: str, done: float) -> None:
        pass


def each(stage: Stage, what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """The items, with progress as they are used up."""
    stage.progress(what, 0)
    for i, item in enumerate(items, start=1):
        yield item
        stage.progress(what, i / total)
