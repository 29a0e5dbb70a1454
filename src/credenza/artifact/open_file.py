"""One regular file of an artefact, open."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import mmap
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, final

from credenza.artifact.paths import refuse
from credenza.errors import InputError, MalformedError

_SHORTEST_GRACE: Final = 5
"""In seconds: how long a writer must at least wait for us before the system breaks our lease."""


@final
class OpenFile:
    """A regular file, open for reading: the `Bytes` of what was opened, whatever its name
    leads to by now. Close it, or use it in a ``with`` statement.

    ``size`` is what it was when it was opened.
    """

    __slots__ = ("_handle", "_lease", "path", "size")

    def __init__(self, path: str, handle: int) -> None:
        self.path = path
        self._handle = handle
        self._lease: bool | None = None
        status = os.fstat(handle)
        self.size = status.st_size
        try:
            check_regular(path, status.st_mode)
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

    def mapped(self, start: int, stop: int) -> memoryview | None:
        """The bytes as the system holds them, without a copy; None where that is not safe.

        Whoever reads a mapped file that is cut short meanwhile is killed (SIGBUS). So the file is
        put under a read lease first (fcntl(2), ``F_SETLEASE``): who wants to write or cut it waits
        for us, for as long as ``/proc/sys/fs/lease-break-time`` says. Call again for each piece of
        what is to be read, and read it at once. There is no lease on a file of somebody else's, on
        one that is open for writing, and on some file systems.
        """
        if start >= stop or not self._leased():
            return None
        return self.map_unprotected(start, stop, mmap.ACCESS_READ)

    def map_unprotected(self, start: int, stop: int, access: int = mmap.ACCESS_COPY) -> memoryview:
        """The bytes as the system holds them: they change with the file, as long as they are not
        written to, and reading what was cut off meanwhile kills the process.

        Raises `InputError` where the system refuses to map the file.
        """
        before = start % mmap.ALLOCATIONGRANULARITY
        try:
            whole = mmap.mmap(
                self._handle, stop - start + before, offset=start - before, access=access
            )
        except (OSError, ValueError) as e:  # ValueError: the file has become shorter
            raise InputError(f"{self.path} cannot be mapped: {e}") from e
        return memoryview(whole)[before:]

    def _leased(self) -> bool:
        """Whether nobody else can write to the file now."""
        if self._lease is None:
            self._lease = _take_lease(self._handle)
        elif self._lease and fcntl.fcntl(self._handle, fcntl.F_GETLEASE) != fcntl.F_RDLCK:
            self._lease = False  # somebody waits: let them, and copy from here on
            with contextlib.suppress(OSError):  # broken already
                fcntl.fcntl(self._handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return self._lease

    def status(self) -> os.stat_result:
        """What the system says of the file now."""
        return os.fstat(self._handle)

    def close(self) -> None:
        """Give the descriptor back. Nothing can be read afterwards."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a fifo"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


def check_regular(relative: str, mode: int) -> None:
    """Raise `MalformedError` unless ``mode`` (``st_mode``) is that of a regular file."""
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        refuse("symlink", relative, "a symbolic link is not part of a model", "a symbolic link")
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "a special file")
    refuse("special-file", relative, "only regular files are part of a model", kind)


def _take_lease(handle: int) -> bool:
    try:
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)  # by itself SIGIO, which ends a process
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except (OSError, AttributeError):  # refused, or a system without leases
        return False
    return _grace() >= _SHORTEST_GRACE


@functools.cache
def _grace() -> int:
    """Seconds that a writer waits for whoever holds a lease; 0 where that is not known."""
    try:
        return int(Path("/proc/sys/fs/lease-break-time").read_text("ascii"))
    except (OSError, ValueError):
        return 0
