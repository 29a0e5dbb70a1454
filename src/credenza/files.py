"""Writing files so that a refused, full or killed run leaves the old one or the new one whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pkgutil
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from credenza.errors import InputError

_SYNCS_AT_ONCE = 16


def write_whole(path: Path, data: bytes, *, mode: int = 0o644, replace: bool = True) -> None:
    """Write ``data`` aside, sync it, and only then give it its name.

    With ``replace`` false an existing file is kept. Raises `InputError` where the file exists and
    is to be kept, cannot be written, or is a device, a pipe or a socket; nothing is left behind
    then.
    """
    if is_special(path):  # a rename would put a file in the place of /dev/null
        raise InputError(f"{path} is a device, a pipe or a socket, and is kept")
    try:
        aside = _aside(path, data, mode)
        try:
            if replace:
                aside.replace(path)
            else:
                path.hardlink_to(aside)  # unlike a rename, it fails where the name is taken
        finally:
            aside.unlink(missing_ok=True)
        sync(path.parent)
    except FileExistsError as e:
        raise InputError(f"{path} exists already, and is kept") from e
    except OSError as e:
        raise InputError(f"{path} cannot be written: {e.strerror}") from e


def is_special(path: Path) -> bool:
    """Whether a device, a pipe or a socket lies there, itself or by links."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_free(path: Path) -> None:
    """Raises `InputError` unless ``path`` is a name that nothing has yet."""
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!a}: a folder's name expected")
    if os.path.lexists(path):
        raise InputError(f"{path} exists already, and is kept")


@contextlib.contextmanager
def folder_whole(path: Path, *, mode: int = 0o755) -> Iterator[Path]:
    """A folder aside to fill, which gets the name ``path`` when the block ends well, synced.

    Whatever ends the block otherwise, nothing is left behind; if we are killed, what was written so
    far keeps its temporary name (``.NAME.`` and 16 hex digits). Raises `InputError` where ``path``
    exists already, or where the system refuses something, in the block too.
    """
    check_free(path)
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        aside.mkdir()
        try:
            aside.chmod(mode)
            yield aside
            _sync_below(aside)
            aside.rename(path)  # fails where the name is taken by now, but by an empty folder
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        sync(path.parent)
    except OSError as e:
        if e.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(path):
            raise InputError(f"{path} exists already, and is kept") from e
        raise InputError(f"{path} cannot be written: {e.strerror}") from e


def write_out(handle: int, data: memoryview, at: int) -> None:
    """Write all of ``data`` from byte ``at`` of an open file. Raises `OSError`."""
    while data:
        done = os.pwrite(handle, data, at)
        data, at = data[done:], at + done


def _sync_below(folder: Path) -> None:
    """Sync every file and folder. Several at once, as a journal commits them together."""
    from concurrent.futures import ThreadPoolExecutor  # 10 ms to import, which few need

    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
        for _ in pool.map(sync, files):
            pass
    for place, _, _ in os.walk(folder):
        sync(Path(place))


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _aside(path: Path, data: bytes, mode: int) -> Path:
    """A whole, synced file beside ``path``. If we are killed while writing, nothing has a name.

    Where the file system has no nameless files (open(2), O_TMPFILE), what was written so far keeps
    its temporary name then.
    """
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        handle = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)
    except OSError as e:
        if e.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
        handle = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(handle, mode)
            out.write(data)
            out.flush()
            os.fsync(handle)
            if not aside.exists():
                _name(handle, aside)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside


def _name(handle: int, path: Path) -> None:
    """Give a nameless file its name: linkat(2) of ``/proc/self/fd``, as open(2) describes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{handle}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def read_whole(path: Path, *, limit: int, owner_only: bool = False) -> bytes:
    """All of a small file.

    Raises `InputError` where it cannot be read, or holds more than ``limit`` bytes, or, with
    ``owner_only``, where anybody but its owner may read or write it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a fifo would block
        with os.fdopen(handle, "rb") as file:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                raise InputError(f"{path}: a regular file expected, another kind found")
            if owner_only and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(
                    f"{path}: a file for its owner alone expected, its mode is "
                    f"{stat.S_IMODE(mode):04o}",
                    hint=f"chmod 600 {path}, and a new key if others may have read this one",
                )
            data = file.read(limit + 1)
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    if len(data) > limit:
        raise InputError(f"{path}: at most {limit} bytes expected, more found")
    return data


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the exclusive lock (flock) of a folder, in which a file is read and written anew.

    It is the folder's because `write_whole` exchanges the file. Raises `InputError` where there is
    no such folder, or it cannot be locked.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as e:
        raise InputError(f"{folder} cannot be opened: {e.strerror}") from e
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as e:
        raise InputError(f"{folder} cannot be locked: {e.strerror}") from e


def packaged(package: str, name: str) -> str:
    """A text that lies beside the modules of a package of ours."""
    data = pkgutil.get_data(package, name)  # in a tenth of the time of `importlib.resources`
    if data is None:
        raise FileNotFoundError(f"{package}: {name}")
    return data.decode()
