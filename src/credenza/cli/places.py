"""What a user named: paths, patterns that no shell expanded, models elsewhere."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from credenza.errors import InputError

_SCHEME = "://"


@dataclass(frozen=True, slots=True)
class Place:
    """Something to look at: its name as it was given, and where it lies.

    ``folder`` is where a reader of SARIF looks for its files, from the folder we were called in.
    """

    subject: str
    path: Path
    folder: str


def named(texts: Sequence[str]) -> tuple[str, ...]:
    """Every path and URL that was meant, each once, as it was first spelled.

    Raises `InputError` where there is none.
    """
    once: dict[str, str] = {}
    for text in texts:
        for name in _named(text):
            once.setdefault(_place(name), name)
    return tuple(once.values())


@contextlib.contextmanager
def place(name: str, progress: Callable[[str], None] | None) -> Iterator[Place]:
    """Where a path or URL leads; what was fetched for it is removed after the block.

    Raises as `credenza.fetching.fetched` does.
    """
    if _SCHEME not in name or os.path.lexists(name):
        yield Place(name, Path(name), folder(Path(name)))
        return
    from credenza.fetching import fetched, source

    with fetched(source(name), progress=progress) as path:
        yield Place(name, path, name.partition(_SCHEME)[2])


def _place(name: str) -> str:
    """The same for every spelling of a path: ``reader``, ``./reader/``."""
    return str(Path(name).absolute()) if os.path.lexists(name) else name


def _named(text: str) -> list[str]:
    if not text:
        raise InputError("a path is empty: a file, a folder, a pattern or a URL expected")
    if os.path.lexists(text):
        return [text]
    if _SCHEME in text:
        from credenza.fetching import check_url

        check_url(text)
        return [text]
    if glob.has_magic(text):
        if found := sorted(glob.glob(text, recursive=True)):  # noqa: PTH207  Path.glob takes no absolute pattern
            return found
        raise InputError(f"{text}: no file or folder fits this pattern")
    raise InputError(f"{text}: no such file or folder")


def folder(path: Path) -> str:
    """The folder that a path's files lie in. One that lies elsewhere goes by its last name."""
    within = path if path.is_dir() else path.parent
    relative = os.path.relpath(within)
    if relative == ".." or relative.startswith("../"):
        relative = within.name or "."
    return "" if relative == "." else relative
