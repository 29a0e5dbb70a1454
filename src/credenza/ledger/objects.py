"""A log in an object store, through obstore: S3, Google Cloud, Azure, or one in memory.

``docs/formats/ledger.md``, section Writing, in an object store.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, final

from credenza.errors import ConflictError, InputError, MissingExtraError
from credenza.ledger.note import LARGEST_NOTE
from credenza.ledger.storage import CHECKPOINT

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode, UpdateVersion
    from obstore.store import ObjectStore

COMMITTED = "committed"
_LARGEST_COMMITTED = LARGEST_NOTE + 33  # a batch's name and a line feed before it
_LARGEST_STAGED = 2**40
_TRIES = 16


@final
class Objects:
    """A log under ``prefix`` in ``store``, which must offer conditional puts.

    Raises `MissingExtraError` where obstore is not installed.
    """

    def __init__(self, store: ObjectStore, prefix: str = "") -> None:
        try:
            import obstore
        except ImportError as e:
            raise MissingExtraError("a ledger in an object store", "objectstore") from e
        self._obstore = obstore
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.name = self._prefix.rstrip("/") or "object store"

    def read(self, path: str, limit: int) -> bytes | None:
        found = self._get(path, limit)
        return found[0] if found else None

    def names(self, folder: str) -> tuple[str, ...]:
        with self._talking(folder):
            listed = self._obstore.list_with_delimiter(self._store, self._prefix + folder)
            return tuple(sorted(meta["path"].rpartition("/")[2] for meta in listed["objects"]))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        self._finish()
        yield

    def commit(
        self, files: Mapping[str, bytes], checkpoint: bytes, *, replacing: bytes | None
    ) -> None:
        before = self._get(COMMITTED, _LARGEST_COMMITTED)
        if (before and before[0].partition(b"\n")[2]) != replacing:
            raise ConflictError(f"{self.name}: the checkpoint is not the one that was read")
        batch = os.urandom(16).hex()
        self._put(f"staging/{batch}", _pack(files), "overwrite")
        mine = f"{batch}\n".encode() + checkpoint
        if not self._put(COMMITTED, mine, before[1] if before else "create"):
            # A put that was tried twice over a bad line may have won the first time.
            now = self._get(COMMITTED, _LARGEST_COMMITTED)
            if now is None or now[0] != mine:
                self._delete(f"staging/{batch}")
                raise ConflictError(f"{self.name}: another writer was faster")
        self._finish()

    def discard(self, folder: str) -> None:
        """Nothing: a reader of an older checkpoint may be far away and slow."""

    def _finish(self) -> None:
        """Put the files of the committed checkpoint in their places, then the checkpoint."""
        for _ in range(_TRIES):
            committed = self._get(COMMITTED, _LARGEST_COMMITTED)
            if committed is None:
                return
            name, _, checkpoint = committed[0].partition(b"\n")
            batch = f"staging/{name.decode(errors='replace')}"
            shown = self._get(CHECKPOINT, LARGEST_NOTE)
            if shown and shown[0] == checkpoint:
                return
            again = self._get(COMMITTED, _LARGEST_COMMITTED)
            staged = self._get(batch, _LARGEST_STAGED)
            if again != committed or staged is None:
                continue  # others finished it, and went on
            for path, data in _unpack(staged[0]):
                self._put(path, data, "overwrite")
            if self._put(CHECKPOINT, checkpoint, shown[1] if shown else "create"):
                self._delete(batch)
        raise ConflictError(f"{self.name}: other writers were faster, {_TRIES} times")

    def _get(self, path: str, limit: int) -> tuple[bytes, PutMode] | None:
        """An object, and the mode of `put` that replaces this version of it."""
        result: tuple[bytes, PutMode] | None = None
        with self._talking(path), contextlib.suppress(FileNotFoundError):
            found = self._obstore.get(self._store, self._prefix + path)
            if found.meta["size"] > limit:
                raise InputError(f"{self.name}/{path}: at most {limit} bytes expected, more found")
            result = bytes(found.bytes()), _version(found.meta)
        return result

    def _put(self, path: str, data: bytes, mode: PutMode) -> bool:
        """Whether the object was put: not where ``mode`` asks for another version than there is."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._talking(path):
            try:
                self._obstore.put(self._store, self._prefix + path, data, mode=mode)
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def _delete(self, path: str) -> None:
        with self._talking(path), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, self._prefix + path)

    @contextlib.contextmanager
    def _talking(self, path: str) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as e:  # a store's errors are of many types, some without a common root
            what = str(e).partition("\n")[0]
            raise InputError(f"{self.name}/{path}: the object store says: {what}") from e


def _version(meta: ObjectMeta) -> UpdateVersion:
    """What a store knows a version by; not every store has both."""
    version: UpdateVersion = {}
    if meta["e_tag"] is not None:
        version["e_tag"] = meta["e_tag"]
    if meta["version"] is not None:
        version["version"] = meta["version"]
    return version


def _pack(files: Mapping[str, bytes]) -> bytes:
    parts = []
    for path, data in files.items():
        name = path.encode()
        parts += [len(name).to_bytes(2, "big"), name, len(data).to_bytes(4, "big"), data]
    return b"".join(parts)


def _unpack(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        if at > len(data):
            raise InputError("staged files: the object is cut short")
        return data[at - size : at]

    while at < len(data):
        path = take(int.from_bytes(take(2), "big")).decode()
        yield path, take(int.from_bytes(take(4), "big"))
