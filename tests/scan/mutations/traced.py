"""What an unpickler would do: CPython's own, with names that are looked up nowhere.

The reference of the mutations. Its semantics are the real ones, memo and frames and marks, since
it is the real unpickler; only `find_class` gives stand-ins, which note how they are used.
"""

from __future__ import annotations

import io
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Self

_LONGEST: Final = 200
_STREAMS: Final = 16


class _Meta(type):
    """A stand-in for a name: it may be called, instantiated, or be given a state."""

    note: Callable[..., None]

    def __repr__(cls) -> str:
        return cls.__name__

    def __setitem__(cls, key: object, value: object) -> None:
        cls.note("item", cls, key, value)

    @property
    def __setstate__(cls) -> Callable[[object], None]:
        return lambda state: cls.note("state", cls, state)


class _Stand(metaclass=_Meta):
    def __new__(cls, *arguments: object, **keywords: object) -> Self:
        cls.note("call", cls, *arguments, *keywords.items())
        return object.__new__(cls)

    def __init__(self, *arguments: object, **keywords: object) -> None:
        pass

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __call__(self, *arguments: object) -> _Stand:
        type(self).note("call", self, *arguments)
        return self

    def __setitem__(self, key: object, value: object) -> None:
        type(self).note("item", self, key, value)

    def __setstate__(self, state: object) -> None:
        type(self).note("state", self, state)

    def append(self, item: object) -> None:
        type(self).note("append", self, item)

    add = append

    def extend(self, items: list[object]) -> None:
        for item in items:
            self.append(item)


def trace(data: bytes) -> Counter[str]:
    """What loading every pickle in ``data``, one behind the other, would look up and call."""
    events: Counter[str] = Counter()

    def note(what: str, *parts: object) -> None:
        events[f"{what} {', '.join(_short(part) for part in parts)}"] += 1

    class Tracing(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            note("name", f"{module}.{name}")
            return _Meta(f"{module}.{name}", (_Stand,), {"note": staticmethod(note)})

        def persistent_load(self, pid: object) -> Any:
            note("persistent", pid)
            return None

    stream = io.BytesIO(data)
    try:
        for _ in range(_STREAMS):
            Tracing(stream).load()
    except Exception:  # noqa: BLE001  # whatever ends it, what was noted has happened
        return events
    return events


def _short(part: object) -> str:
    return repr(part)[:_LONGEST]
