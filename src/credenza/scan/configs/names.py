"""The lists of `names.toml`."""

from __future__ import annotations

import functools
import tomllib

from credenza.files import packaged


@functools.cache
def _lists() -> dict[str, tuple[str, ...]]:
    lists = tomllib.loads(packaged("credenza.scan.configs", "names.toml"))
    return {name: tuple(listed) for name, listed in lists.items()}


def names(of: str) -> tuple[str, ...]:
    """The list of that name."""
    return _lists()[of]
