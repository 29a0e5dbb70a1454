"""The files of an artefact, listed and opened so that no name leads anywhere else.

The path that the caller gives is followed, links included: it is the caller's own word. Nothing
below it is: every step down is taken from the open folder above it and refuses links
(``openat`` with ``O_NOFOLLOW``), so that a folder exchanged under a running reader cannot lead
it out (CWE-59, CWE-367).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, Self, final

from credenza.artifact.open_file import OpenFile, check_regular
from credenza.artifact.paths import (
    check_collisions,
    check_ignorable,
    check_path,
    is_ignored,
    refuse,
)
from credenza.errors import InputError

SEAL_NAME = "credenza.seal"
"""The one file that is not part of the artefact in whose folder it lies, and only at its top."""

_UNFINISHED = re.compile(re.escape(f".{SEAL_NAME}.") + "[0-9a-f]{16}")
"""A seal that is being written (`credenza.files.write_whole`), or whose writer was killed."""

MOST_FOLDERS_DEEP = 64
"""How deep folders may nest. Each level holds one descriptor open while it is listed."""

MOST_FOLDERS_OPEN = 128
"""How many folders a `Place` holds open at a time."""


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a fifo would block


class Listed(NamedTuple):
    """A file of an artefact: its relative path, and its size in bytes."""

    path: str
    size: int


@final
class Place:
    """An artefact, open: its files are listed and opened below what was opened, wherever its name
    leads by now. Threads may share one. Close it, or use it in a ``with`` statement.
    ``is_file`` says whether it is one file.

    Raises `InputError` where there is nothing, or it cannot be opened; `MalformedError` where it
    is neither a file nor a folder.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self._lock = threading.Lock()
        self._folders: dict[str, int] = {}
        status = following(self.root)
        self.is_file = stat.S_ISREG(status.st_mode)
        if self.is_file:
            check_path(self.root.name)
            return
        if not stat.S_ISDIR(status.st_mode):
            check_regular(self.root.name, status.st_mode)
        with _readable(self.root):
            self._folders[""] = os.open(self.root, _FOLDER)

    def files(self, *, ignore: Collection[str] = ()) -> tuple[Listed, ...]:
        """Every file, sorted by relative path; none of them is opened. See `files`."""
        check_ignorable(ignore)
        if self.is_file:
            return (Listed(self.root.name, following(self.root).st_size),)
        with _readable(self.root):
            found = sorted(_walk(self._folders[""], ""))
        kept = [(p, n) for p, n in found if p != SEAL_NAME and not is_ignored(p, ignore)]
        if not kept:
            raise InputError(f"{self.root} holds no file of a model")
        return tuple(Listed(p, size) for p, size in kept)

    def open(self, relative: str) -> OpenFile:
        """Open one file. See `open_bytes`."""
        check_path(relative)
        if self.is_file:
            if relative != self.root.name:
                raise InputError(f"{self.root} is one file, which has no {relative!r} in it")
            with _readable(self.root):
                return OpenFile(relative, os.open(self.root.resolve(), _FILE))
        try:
            with self._lock:
                return OpenFile(relative, self._handle(relative))
        except OSError as e:
            raise self._refusal(relative, e) from e

    def _handle(self, relative: str) -> int:
        path, _, name = relative.rpartition("/")
        return os.open(name, _FILE, dir_fd=self._folder(path))

    def _refusal(self, relative: str, error: OSError) -> InputError:
        """Why a file cannot be opened. Raises `MalformedError` where it is no regular file."""
        path, _, name = relative.rpartition("/")
        with contextlib.suppress(OSError), self._lock:
            status = os.stat(name, dir_fd=self._folder(path), follow_symlinks=False)
            check_regular(relative, status.st_mode)
        return InputError(f"{self.root / relative} cannot be read: {error.strerror}")

    def _folder(self, path: str) -> int:
        """The open folder ``path``, step by step from the one above it; no step may be a link."""
        if path not in self._folders:
            above, _, name = path.rpartition("/")
            outer = self._folder(above)
            status = os.stat(name, dir_fd=outer, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                check_regular(path, status.st_mode)
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=outer)
            if len(self._folders) >= MOST_FOLDERS_OPEN:
                for other in [other for other in self._folders if other]:
                    os.close(self._folders.pop(other))
            self._folders[path] = inner
        return self._folders[path]

    def close(self) -> None:
        """Give the descriptors back. Nothing can be listed or opened afterwards."""
        for handle in self._folders.values():
            os.close(handle)
        self._folders.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def files(path: str | os.PathLike[str], *, ignore: Collection[str] = ()) -> tuple[Listed, ...]:
    """Every file of the artefact at ``path``, sorted by relative path; none of them is opened.

    A file is its own artefact. Of a folder everything is part, hidden files too, but the seal at
    its top (`SEAL_NAME`, and one that is being written), and what ``ignore`` names: relative paths
    of files, and of folders with a ``/`` at their end. A file that some loader would pick up by its
    name (`LOADABLE`) is never ignored: named itself it is an error, in an ignored folder it is
    listed all the same.

    Raises `InputError` where there is nothing, it cannot be listed, or a name in ``ignore`` will
    not do; `MalformedError` for a link, a special file, a name that not every system reads alike,
    or two names that are one where case does not count.
    """
    with Place(path) as place:
        return place.files(ignore=ignore)


def open_bytes(root: str | os.PathLike[str], relative: str) -> OpenFile:
    """Open the file ``relative`` of the artefact at ``root``.

    Raises `InputError` where it cannot be opened, `MalformedError` where the path, or anything
    on the way to it, is not what `files` would list.
    """
    with Place(root) as place:
        return place.open(relative)


def _walk(folder: int, prefix: str) -> Iterator[tuple[str, int]]:
    """Relative path and size of every file under an open folder."""
    if prefix.count("/") > MOST_FOLDERS_DEEP:
        what = f"folders are nested more than {MOST_FOLDERS_DEEP} deep"
        refuse("depth", prefix.rstrip("/"), what, "")
    names = [name for name in os.listdir(folder) if prefix or not _UNFINISHED.fullmatch(name)]
    for name in names:
        check_path(prefix + name)
    check_collisions(prefix, names)
    for name in names:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            with _folder(name, folder) as inner:
                yield from _walk(inner, f"{prefix}{name}/")
        else:
            check_regular(prefix + name, status.st_mode)
            yield prefix + name, status.st_size


@contextlib.contextmanager
def _folder(name: str, above: int | None = None) -> Iterator[int]:
    """An open folder, by path, or by name in the open folder above it, where no link will do."""
    handle = os.open(name, _FOLDER | (0 if above is None else os.O_NOFOLLOW), dir_fd=above)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in one sentence what the system refuses."""
    try:
        yield
    except OSError as e:
        name = f" ({e.filename})" if e.filename and str(e.filename) != str(path) else ""
        raise InputError(f"{path} cannot be read{name}: {e.strerror}") from e


def following(path: Path) -> os.stat_result:
    """The status of what a caller's path leads to. Raises `InputError` where it leads nowhere."""
    try:
        return path.stat()
    except FileNotFoundError as e:
        raise InputError(f"{path}: no such file or folder") from e
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    except ValueError as e:  # a NUL: such a path cannot even be asked for
        raise InputError(f"{str(path)!a} cannot be a path: {e}") from e
