"""A model from elsewhere, in a private folder for as long as it is looked at.

Only for a URL that somebody gave: ``hf://OWNER/NAME[@REVISION][/PATH]`` with the extra ``hub``,
``s3://``, ``gs://`` and ``az://`` with the extra ``objectstore``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, final
from urllib.parse import urlsplit

from credenza.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES: Final = ("hf://", "s3://", "gs://", "az://")

LARGEST_FETCH: Final = 1 << 40
MOST_FILES: Final = 100_000


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """A file that a source has: its path there, with ``/``, and its size in bytes."""

    path: str
    size: int


class Source(Protocol):
    """Where files are fetched from. Both methods may raise `InputError`."""

    def entries(self) -> Iterable[Entry]: ...

    def fetch(self, entry: Entry, to: Path, room: int) -> None:
        """Write a file, of at most ``room`` bytes, to a path whose folder exists."""
        ...


def check_url(url: str) -> None:
    """Raises `InputError` for a URL of another scheme than are known here."""
    if not url.startswith(SCHEMES):
        raise InputError(f"{url}: a URL of {', '.join(SCHEMES)} expected")


def source(url: str) -> Source:
    """Where that URL leads. Raises `InputError` for one that leads nowhere, `MissingExtraError`."""
    if url.startswith("hf://"):
        return Hub.parse(url)
    check_url(url)
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as e:
        raise MissingExtraError("a model in an object store", "objectstore") from e
    parts = urlsplit(url)
    try:
        return Stored(from_url(f"{parts.scheme}://{parts.netloc}"), parts.path)
    except (BaseError, ValueError) as e:
        raise InputError(f"{url}: {e}") from e


@contextlib.contextmanager
def fetched(
    source: Source, *, limit: int = LARGEST_FETCH, progress: Callable[[str], None] | None = None
) -> Iterator[Path]:
    """A folder that holds a source's files, readable by nobody else, removed after the block.

    Raises `InputError` where there is no file, a path leads out of the folder or comes twice, or
    all are more than ``limit`` bytes or 100,000 files; nothing stays behind then.
    """
    with tempfile.TemporaryDirectory(prefix="credenza-") as made:
        top, left, count = Path(made), limit, 0
        for count, entry in enumerate(source.entries(), 1):
            left -= max(entry.size, 0)
            if left < 0 or count > MOST_FILES:
                raise InputError(f"more than {limit:,} bytes or {MOST_FILES:,} files to fetch")
            _fetch(source, entry, top, left + max(entry.size, 0))
            if progress is not None:
                progress(entry.path)
        if not count:
            raise InputError("there is no file to fetch")
        yield top


def _fetch(source: Source, entry: Entry, top: Path, room: int) -> None:
    parts = entry.path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise InputError(f"{entry.path!a}: a path that stays inside the folder expected")
    to = top.joinpath(*parts)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(to):
            raise InputError(f"{entry.path!a} is there twice")
        source.fetch(entry, to, room)
    except OSError as e:
        raise InputError(f"{entry.path!a} cannot be fetched: {e.strerror or e}") from e


@final
class Stored:
    """All that an object store holds under a prefix, or the object of that very name."""

    def __init__(self, store: ObjectStore, prefix: str = "") -> None:
        self._store = store
        self._prefix = prefix.strip("/")

    def entries(self) -> Iterator[Entry]:
        import obstore

        below, found = f"{self._prefix}/" if self._prefix else "", False
        with _talking():
            for batch in obstore.list(self._store, self._prefix or None):
                for meta in batch:
                    found = True
                    yield Entry(meta["path"].removeprefix(below), meta["size"])
            if not found and self._prefix:
                size = obstore.head(self._store, self._prefix)["size"]
                self._prefix, _, name = self._prefix.rpartition("/")
                yield Entry(name, size)

    def fetch(self, entry: Entry, to: Path, room: int) -> None:
        import obstore

        path = f"{self._prefix}/{entry.path}".strip("/")
        with _talking(), to.open("xb") as out:
            for block in obstore.get(self._store, path).stream():
                room -= len(block)
                if room < 0:
                    raise InputError(f"{entry.path!a} is larger than was said")
                out.write(block)


@final
class Hub:
    """A model of a hub, or one file of it or folder, all at one commit. ``api`` is the client's."""

    def __init__(self, name: str, revision: str, path: str, api: Any) -> None:
        self.name = name
        self.revision = revision
        self.path = path
        self._api = api

    @classmethod
    def parse(cls, url: str, api: Any = None) -> Hub:
        """Raises `InputError` unless it is ``hf://OWNER/NAME[@REVISION][/PATH]``."""
        owner, _, rest = url.removeprefix("hf://").partition("/")
        name, _, path = rest.partition("/")
        name, at, revision = name.partition("@")
        if not owner or not name or bool(at) != bool(revision):
            raise InputError(f"{url}: hf://OWNER/NAME[@REVISION][/PATH] expected")
        return cls(f"{owner}/{name}", revision, path.strip("/"), api or _hub())

    def entries(self) -> Iterator[Entry]:
        with self._asking():
            revision = self.revision or None
            info = self._api.model_info(self.name, revision=revision, files_metadata=True)
            self.revision = info.sha or self.revision  # what is fetched is what was listed
        for sibling in info.siblings or ():
            if not self.path or f"{sibling.rfilename}/".startswith(f"{self.path}/"):
                yield Entry(sibling.rfilename, sibling.size or 0)

    def fetch(self, entry: Entry, to: Path, room: int) -> None:
        with tempfile.TemporaryDirectory(prefix="credenza-") as aside:
            with self._asking():
                got = self._api.hf_hub_download(
                    self.name, entry.path, revision=self.revision or None, local_dir=aside
                )
            if Path(got).stat().st_size > room:
                raise InputError(f"{entry.path!a} is larger than was said")
            shutil.move(got, to)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except Exception as e:  # the client raises its transport's errors, which change with it
            raise InputError(f"hf://{self.name}: {e}") from e


def _hub() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        from huggingface_hub import HfApi
    except ImportError as e:
        raise MissingExtraError("a model of a hub", "hub") from e
    return HfApi()


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as e:
        raise InputError(f"the object store: {e}") from e
