"""Where a log lies. A folder here; an object store in `credenza.ledger.objects`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, final

from credenza.errors import ConflictError, InputError
from credenza.files import sync, write_whole
from credenza.ledger.note import LARGEST_NOTE

CHECKPOINT = "checkpoint"
_MOST_OPEN = 64
_MOST_AT_ONCE = 16  # syncs: a journal is written once for all that wait, 10 times as fast on ext4


class Storage(Protocol):
    """Files under relative paths with ``/``, and one, the checkpoint, that is exchanged atomically.

    Every method raises `InputError` where the place cannot be read or written.
    """

    name: str

    def read(self, path: str, limit: int) -> bytes | None:
        """All of a file; None where there is none. Raises `InputError` beyond ``limit`` bytes."""
        ...

    def names(self, folder: str) -> tuple[str, ...]:
        """The names of the files in a folder, sorted; none where there is no such folder."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Held by who is going to `commit`, from before the checkpoint is read."""
        ...

    def commit(
        self, files: Mapping[str, bytes], checkpoint: bytes, *, replacing: bytes | None
    ) -> None:
        """Make ``files`` durable, then the checkpoint, if it still is ``replacing``.

        Until it returns, readers see the old checkpoint or the new one, and all files that the one
        they see needs. None of ``files`` may have been committed before. Raises `ConflictError`
        where the checkpoint is another by now, and nothing is changed.
        """
        ...

    def discard(self, folder: str) -> None:
        """Delete a folder that nobody needs any more, as far as that is possible."""
        ...


@final
class Folder:
    """A log in a folder of a file system. Writers exclude each other by a lock on the folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def read(self, path: str, limit: int) -> bytes | None:
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            handle = os.open(self.path / path, flags)
            with os.fdopen(handle, "rb") as file:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode):
                    raise InputError(f"{self.path / path}: a regular file expected, another found")
                data = file.read(min(limit, status.st_size) + 1)  # so much memory it takes
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            raise InputError(f"{self.path / path} cannot be read: {e.strerror}") from e
        if len(data) > limit:
            raise InputError(f"{self.path / path}: at most {limit} bytes expected, more found")
        return data

    def names(self, folder: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(path.name for path in (self.path / folder).iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as e:
            raise InputError(f"{self.path / folder} cannot be read: {e.strerror}") from e

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as e:
            raise InputError(f"{self.path} cannot be opened: {e.strerror}") from e
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as e:
                raise InputError(f"{self.path} cannot be locked: {e.strerror}") from e
            yield
        finally:
            os.close(handle)  # which gives up the lock

    def commit(
        self, files: Mapping[str, bytes], checkpoint: bytes, *, replacing: bytes | None
    ) -> None:
        if self.read(CHECKPOINT, LARGEST_NOTE) != replacing:
            raise ConflictError(f"{self.path}: the checkpoint is not the one that was read")
        try:
            self._write(files)
        except OSError as e:
            for path in files:  # so that a full disk has room again
                with contextlib.suppress(OSError):
                    (self.path / path).unlink()
            raise InputError(f"{self.path} cannot be written: {e.strerror}") from e
        write_whole(self.path / CHECKPOINT, checkpoint)

    def discard(self, folder: str) -> None:
        shutil.rmtree(self.path / folder, ignore_errors=True)

    def _write(self, files: Mapping[str, bytes]) -> None:
        """Write all files and sync them, then the folders that have new names in them."""
        folders: set[Path] = set()
        names = list(files)
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            for start in range(0, len(names), _MOST_OPEN):
                with contextlib.ExitStack() as stack:
                    handles = []
                    for name in names[start : start + _MOST_OPEN]:
                        folders |= self._folder_for(self.path / name)
                        handle = _written(self.path / name, files[name])
                        stack.callback(os.close, handle)
                        handles.append(handle)
                    list(pool.map(os.fsync, handles))
            list(pool.map(sync, folders))

    def _folder_for(self, path: Path) -> set[Path]:
        """Make the folder of ``path``; which folders are to be synced then."""
        folder, new = path.parent, {path.parent}
        while not folder.is_dir():
            folder = folder.parent
            new.add(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        return new


def _written(path: Path, data: bytes) -> int:
    """A handle on a file that holds ``data``, not synced yet."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path, flags, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
    except BaseException:
        os.close(handle)
        raise
    return handle
