"""The files of an artefact, listed and opened so that no name leads anywhere else.

The path that the caller gives is followed, links included: it is the caller's own word. Nothing
below it is: every step down is taken from the open folder above it and refuses links
(``openat`` with ``O_NOFOLLOW``), so that a folder exchanged under a running reader cannot lead
it out (CWE-59, CWE-367).
"""

from __future__ import annotations

import contextlib
import os
import stat
import unicodedata
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn, Self, final

from credenza.errors import InputError, MalformedError
from credenza.findings import Finding, Severity, Where

SEAL_NAME = "credenza.seal"
"""The one file that is not part of the artefact in whose folder it lies, and only at its top."""

MOST_FOLDERS_DEEP = 64
"""How deep folders may nest. Each level holds one descriptor open while it is listed."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a fifo would block
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that a person does not see: controls, bidi marks, surrogates, line ends."""


class Listed(NamedTuple):
    """A file of an artefact: its relative path, where it is, and its size in bytes."""

    path: str
    absolute: Path
    size: int


@final
class OpenFile:
    """A regular file, open for reading: the `Bytes` of what was opened, whatever its name
    leads to by now. Close it, or use it in a ``with`` statement.

    ``size`` is what it was when it was opened.
    """

    __slots__ = ("_handle", "path", "size")

    def __init__(self, path: str, handle: int) -> None:
        self.path = path
        self._handle = handle
        status = os.fstat(handle)
        self.size = status.st_size
        try:
            _check_regular(path, status.st_mode)
        except MalformedError:
            os.close(handle)
            raise

    def pread(self, start: int, length: int) -> bytes:
        buffer = bytearray(length)
        self.fill(memoryview(buffer), start)
        return bytes(buffer)

    def fill(self, buffer: memoryview, start: int) -> None:
        """Fill a buffer with the bytes from ``start``, without a copy between.

        Raises `InputError` as `pread` does.
        """
        done = 0
        while done < len(buffer):
            try:
                got = os.preadv(self._handle, [buffer[done:]], start + done)
            except OSError as e:
                raise InputError(f"{self.path} cannot be read: {e.strerror}") from e
            if not got:
                found = f"{done} found"
                raise InputError(f"{self.path}: {len(buffer)} bytes expected at {start}, {found}")
            done += got

    def close(self) -> None:
        """Give the descriptor back. Nothing can be read afterwards."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def files(path: str | os.PathLike[str], *, ignore: Collection[str] = ()) -> tuple[Listed, ...]:
    """Every file of the artefact at ``path``, sorted by relative path; none of them is opened.

    A file is its own artefact. Of a folder everything is part, hidden files too, but the seal at
    its top (`SEAL_NAME`) and the regular files whose relative paths are in ``ignore``.

    Raises `InputError` where there is nothing, or it cannot be listed; `MalformedError` for a
    link, a special file, a name that not every system reads alike, or two names that are one
    where case does not count.
    """
    root = Path(path)
    status = _following(root)
    if stat.S_ISREG(status.st_mode):
        check_path(root.name)
        return (Listed(root.name, root, status.st_size),)
    if not stat.S_ISDIR(status.st_mode):
        _check_regular(root.name, status.st_mode)
    left_out = {SEAL_NAME, *ignore}
    with _readable(root), _folder(str(root)) as folder:
        found = [(p, size) for p, size in _walk(folder, "") if p not in left_out]
    if not found:
        raise InputError(f"{root} holds no file of a model")
    return tuple(Listed(p, root / p, size) for p, size in sorted(found))


def open_bytes(root: str | os.PathLike[str], relative: str) -> OpenFile:
    """Open the file ``relative`` of the artefact at ``root``.

    Raises `InputError` where it cannot be opened, `MalformedError` where the path, or anything
    on the way to it, is not what `files` would list.
    """
    check_path(relative)
    top = Path(root)
    if stat.S_ISDIR(_following(top).st_mode):
        with _readable(top / relative), _folder(str(top)) as folder:
            return _open_below(folder, relative)
    if relative != top.name:
        raise InputError(f"{top} is one file, which has no {relative!r} in it")
    with _readable(top):
        return OpenFile(relative, os.open(top.resolve(), _FILE))


def check_path(relative: str) -> None:
    """Refuse a relative path that leads out, or that not every system reads alike.

    Raises `MalformedError` for an absolute path, an empty part, ``.``, ``..``, a backslash, NUL,
    a control or other invisible character, and what is not UTF-8 on disk.
    """
    for part in relative.split("/"):
        if part in ("", ".", ".."):
            _refuse("path", relative, "the path does not stay inside the artefact", part or "//")
        for character in part:
            if character == "\\" or unicodedata.category(character) in _INVISIBLE:
                what = "the name holds a character that systems read differently"
                _refuse("name", relative, what, f"U+{ord(character):04X}")


def _walk(folder: int, prefix: str) -> Iterator[tuple[str, int]]:
    """Relative path and size of every file under an open folder."""
    if prefix.count("/") > MOST_FOLDERS_DEEP:
        what = f"folders are nested more than {MOST_FOLDERS_DEEP} deep"
        _refuse("depth", prefix.rstrip("/"), what, "")
    names = os.listdir(folder)
    for name in names:
        check_path(prefix + name)
    _check_collisions(prefix, names)
    for name in names:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            with _folder(name, folder) as inner:
                yield from _walk(inner, f"{prefix}{name}/")
        else:
            _check_regular(prefix + name, status.st_mode)
            yield prefix + name, status.st_size


def _open_below(folder: int, relative: str) -> OpenFile:
    """Open a file step by step from an open folder; no step may be a link."""
    *folders, name = relative.split("/")
    with contextlib.ExitStack() as stack:
        for i, part in enumerate(folders):
            status = os.stat(part, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                _check_regular("/".join(folders[: i + 1]), status.st_mode)
            folder = stack.enter_context(_folder(part, folder))
        _check_regular(relative, os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        return OpenFile(relative, os.open(name, _FILE, dir_fd=folder))


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


def _following(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError as e:
        raise InputError(f"{path}: no such file or folder") from e
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    except ValueError as e:  # a NUL: such a path cannot even be asked for
        raise InputError(f"{str(path)!a} cannot be a path: {e}") from e


_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a fifo"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


def _check_regular(relative: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        _refuse("symlink", relative, "a symbolic link is not part of a model", "a symbolic link")
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "a special file")
    _refuse("special-file", relative, "only regular files are part of a model", kind)


def _check_collisions(prefix: str, names: list[str]) -> None:
    """Refuse names that are one where case or composition does not count.

    Compared as Unicode's canonical caseless match does (The Unicode Standard, D145).
    """
    seen: dict[str, str] = {}
    for name in sorted(names):
        decomposed = unicodedata.normalize("NFD", name).casefold()
        first = seen.setdefault(unicodedata.normalize("NFD", decomposed), name)
        if first != name:
            what = "two names are one where case or composition does not count"
            _refuse("case-collision", prefix + name, what, f"{prefix}{first} beside it")


def _refuse(name: str, relative: str, what: str, found: str) -> NoReturn:
    shown = relative if relative.isprintable() else ascii(relative)[1:-1]
    raise MalformedError(
        Finding(
            rule=f"artifact.{name}",
            severity=Severity.HIGH,
            what=what,
            where=Where(file=shown),
            found=found if found.isprintable() else ascii(found),
        )
    )
