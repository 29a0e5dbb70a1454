"""Rooms that can be called by their verb: ``credenza.seal(…)`` is ``credenza.seal.seal(…)``.

A room is a package and its verb a function of the same name. Python has one attribute for both,
so the package itself is made callable.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Verb(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **kwargs)


def callable_room(name: str) -> None:
    """Make the room of that module name call the function that bears its own name."""
    sys.modules[name].__class__ = _Verb
