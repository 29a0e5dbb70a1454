"""The files under a path, for a scan: it lists what `credenza.artifact` would refuse.

A link, a pipe or a name with control characters is said, and what can be read behind it is
looked at all the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from credenza.artifact.folder import following
from credenza.artifact.open_file import OpenFile
from credenza.artifact.paths import check_path
from credenza.errors import InputError, MalformedError
from credenza.findings import Finding, Severity, Unread, Where

_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a fifo would block
_DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class Lying:
    """A file that can be opened: its name relative to what is scanned, and where it lies."""

    path: str
    at: Path

    def open(self) -> OpenFile:
        """Raises `InputError` where it cannot be opened."""
        try:
            return OpenFile(self.path, os.open(self.at, _FILE))
        except OSError as e:
            raise InputError(f"it cannot be opened ({e.strerror})") from e
        except MalformedError as e:
            raise InputError(e.finding.what) from e


Listed: TypeAlias = Lying | Finding | Unread


def listed(root: Path) -> Iterator[Listed]:
    """Every file at or under ``root``, sorted by name, and what is odd about the way to it.

    Raises `InputError` where there is nothing, or a folder holds no file.
    """
    status = following(root)
    if stat.S_ISDIR(status.st_mode):
        found = False
        for entry in _walk(root, root.resolve(), "", 0):
            found = True
            yield entry
        if not found:
            raise InputError(f"{root} holds no file")
    else:
        yield from _odd_name(root.name, _shown(root.name))
        yield Lying(_shown(root.name), root)


def _walk(folder: Path, top: Path, prefix: str, depth: int) -> Iterator[Listed]:
    if depth > _DEEPEST:
        yield Unread(
            where=Where(file=_shown(prefix)), why=f"folders are nested more than {_DEEPEST} deep"
        )
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as e:
        where = Where(file=_shown(prefix) or ".")
        yield Unread(where=where, why=f"it cannot be listed ({e.strerror})")
        return
    for entry in entries:
        path = _shown(prefix + entry.name)
        yield from _odd_name(entry.name, path)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, top, f"{prefix}{entry.name}/", depth + 1)
        elif entry.is_symlink():
            yield from _link(folder / entry.name, top, path)
        elif entry.is_file(follow_symlinks=False):
            yield Lying(path, folder / entry.name)
        else:
            yield Unread(where=Where(file=path), why="it is a pipe, a socket or a device")


def _odd_name(name: str, path: str) -> Iterator[Finding]:
    """What is odd about a name; those of the folders before it were looked at before."""
    try:
        name.encode()
    except UnicodeEncodeError:
        what, found = "the name is not UTF-8", path
    else:
        try:
            check_path(name)
        except MalformedError as e:
            what, found = e.finding.what, e.finding.found
        else:
            return
    yield Finding(
        rule="artifact.name",
        severity=Severity.HIGH,
        what=what,
        where=Where(file=path),
        found=found,
    )


def _link(at: Path, top: Path, path: str) -> Iterator[Listed]:
    """A link to a file is followed; one to a folder is not, which may lead to itself.

    Caches of hubs are made of links, so that one leads out of the folder is said and no more.
    """
    try:
        at.stat()
        target = at.resolve()
        is_folder = target.is_dir()
    except (OSError, RuntimeError) as e:  # nowhere, round in circles, through a closed folder
        why = e.strerror if isinstance(e, OSError) else "a circle of links"
        yield Unread(where=Where(file=path), why=f"it is a link that cannot be followed ({why})")
        return
    if not target.is_relative_to(top):
        yield Finding(
            rule="artifact.symlink",
            severity=Severity.NOTE,
            what="a link leads out of what is scanned",
            where=Where(file=path),
        )
    if is_folder:
        if not target.is_relative_to(top):  # else it is looked at where it lies
            yield Unread(where=Where(file=path), why="it is a link to a folder outside")
    else:
        yield Lying(path, at)


def _shown(name: str) -> str:
    """A name as text, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
