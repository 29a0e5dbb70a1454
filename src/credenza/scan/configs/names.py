"""The lists of `names.toml`."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources


@functools.cache
def _lists() -> dict[str, tuple[str, ...]]:
    text = (resources.files("credenza.scan.configs") / "names.toml").read_text("utf-8")
    return {name: tuple(listed) for name, listed in tomllib.loads(text).items()}


def names(of: str) -> tuple[str, ...]:
    """The list of that name."""
    return _lists()[of]
