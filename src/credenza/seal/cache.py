"""Remembering which files were hashed already, by what the system says of them.

A file whose inode, size and times are those of the last time is taken to hold the same bytes. That
is what make and rsync believe, and it is less than reading them: who can set the clock or write to
the device can deceive it. So nothing is remembered unless a `Cache` is given, and what it says is
believed only under a key that this user alone can read.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import blake3
import msgspec

from credenza.artifact.folder import Place
from credenza.errors import InputError, MalformedError
from credenza.files import read_whole, write_whole
from credenza.seal.digests import Algorithm
from credenza.seal.tree import Seal, SealedFile
from credenza.seal.wire import WireFile, sealed_file, wire_file

_SETTLED: Final = 2 * 10**9
"""In ns: a file that was changed so shortly before may be changed again at the same time stamp."""
_KEY_SIZE: Final = 32
_LARGEST_ENTRY: Final = 2**28


@dataclass(frozen=True, slots=True)
class Identity:
    """What the system says of a file: where it is, how large, and when it was changed (ns)."""

    path: str
    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, place: Place, path: str) -> Identity:
        """Raises as `Place.open` does."""
        with place.open(path) as file:
            status = file.status()
        return cls(
            path,
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


@final
class Cache:
    """What was hashed, in a folder that only this user may enter.

    Raises `InputError` where the folder cannot be used, or belongs to or can be written by others.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
        except OSError as e:
            raise InputError(f"{folder} cannot be used as a cache: {e.strerror}") from e
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise InputError(
                f"{folder}: a folder that this user alone may enter expected",
                hint=f"chmod 700 {folder}",
            )
        self._key = self._read_key(folder / "key")

    @classmethod
    def default(cls) -> Cache:
        """The one in this user's folder for caches (XDG Base Directory Specification)."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(base) / "credenza" / "files")

    def get(self, identity: Identity, algorithm: Algorithm) -> SealedFile | None:
        """The file as it was sealed or verified; None where that is not known for sure."""
        path = self._entry(identity, algorithm)
        if not path.exists():
            return None
        data = read_whole(path, limit=_LARGEST_ENTRY)
        mac, message = data[:32], data[32:]
        if not secrets.compare_digest(mac, self._mac(path.name, message)):
            return None
        return sealed_file(msgspec.msgpack.decode(message, type=WireFile))

    def look_up(
        self, place: Place, paths: Iterable[str], algorithm: Algorithm
    ) -> tuple[dict[str, SealedFile], Pending]:
        """The files that are known, by path, and what can learn the others once they were read."""
        known: dict[str, SealedFile] = {}
        pending: dict[str, Identity] = {}
        for path in paths:
            identity = _identity(place, path)
            file = self.get(identity, algorithm) if identity else None
            if file is not None:
                known[path] = file
            elif identity is not None:
                pending[path] = identity
        return known, Pending(self, place, pending)

    def put(self, identity: Identity, algorithm: Algorithm, file: SealedFile) -> None:
        """Remember a file whose identity was the same before and after it was hashed.

        One that was changed a moment ago is not remembered.
        """
        if identity.changed > time.time_ns() - _SETTLED:
            return
        message = msgspec.msgpack.encode(wire_file(file))
        path = self._entry(identity, algorithm)
        write_whole(path, self._mac(path.name, message) + message, mode=0o600)

    def _entry(self, identity: Identity, algorithm: Algorithm) -> Path:
        name = msgspec.msgpack.encode((identity, algorithm.value))
        return self._folder / blake3.blake3(name, key=self._key).hexdigest()

    def _mac(self, name: str, message: bytes) -> bytes:
        return blake3.blake3(name.encode() + message, key=self._key).digest()

    def _read_key(self, path: Path) -> bytes:
        if not path.exists():
            try:
                write_whole(path, secrets.token_bytes(_KEY_SIZE), mode=0o600, replace=False)
            except InputError:
                if not path.exists():  # else another process was faster
                    raise
        key = read_whole(path, limit=_KEY_SIZE)
        if len(key) != _KEY_SIZE:
            raise InputError(f"{path}: a key of {_KEY_SIZE} bytes expected, {len(key)} found")
        return key


@final
@dataclass(frozen=True, slots=True)
class Pending:
    """Files that a cache does not know, as they were before they were read."""

    cache: Cache
    place: Place
    before: Mapping[str, Identity]

    def learn(self, seal: Seal) -> None:
        """Remember those of the seal's files that were read and are still as they were before."""
        for file in seal.files:
            identity = self.before.get(file.path)
            if identity and _identity(self.place, file.path) == identity:
                self.cache.put(identity, seal.algorithm, file)


def _identity(place: Place, path: str) -> Identity | None:
    try:
        return Identity.of(place, path)
    except (InputError, MalformedError):  # missing, or no file any more: others report that
        return None
