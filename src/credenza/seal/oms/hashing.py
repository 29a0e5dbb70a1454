"""Hashing runs of bytes of a model's files, on every core, each byte read once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from credenza.artifact.folder import Place
from credenza.artifact.open_file import OpenFile
from credenza.seal.oms.hashes import Hash

Progress = Callable[[int], None]
"""Is told how many more bytes were read, from any thread."""

_PIECE: Final = 2**21
"""Bytes read at once: few enough to be in the cache when they are hashed, and enough for BLAKE3 to
share out among the cores. Measured: 4 MiB and more take a quarter more CPU time."""

_WINDOW: Final = 2**25
"""Bytes of a large file that are mapped at once, and count as memory."""

_LARGE: Final = 2**26
"""From here on one BLAKE3 takes every core."""

_JOB: Final = 8 * 2**20
_MOST_IN_A_JOB: Final = 64


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file to hash as one."""

    path: str
    start: int
    stop: int


def digests(
    root: Path, spans: Iterable[Span], hash_: Hash, progress: Progress | None = None
) -> Iterator[bytes]:
    """The digest of each span of the model at ``root``, in order.

    Raises `InputError` where a file cannot be read, or ends before a span does, `MalformedError`
    where it is no longer a file of the model.
    """
    with Place(root) as place, ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda job: _run(place, job, hash_, progress), _jobs(spans))
        try:
            for job in done:
                yield from job
        finally:
            pool.shutdown(cancel_futures=True)


def _jobs(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """The spans in their order, small ones together."""
    job: list[Span] = []
    size = 0
    for span in spans:
        if job and (size + span.stop - span.start > _JOB or len(job) == _MOST_IN_A_JOB):
            yield job
            job, size = [], 0
        job.append(span)
        size += span.stop - span.start
    if job:
        yield job


def _run(place: Place, job: list[Span], hash_: Hash, progress: Progress | None) -> list[bytes]:
    found = []
    for span in job:
        with place.open(span.path) as file:
            found.append(_digest(file, span, hash_, progress))
    return found


def _digest(file: OpenFile, span: Span, hash_: Hash, progress: Progress | None) -> bytes:
    is_large = hash_ is Hash.BLAKE3 and span.stop - span.start >= _LARGE
    hasher = hash_.new(threads=is_large)
    for piece in _pieces(file, span, _WINDOW if is_large else _PIECE):
        hasher.update(piece)
        if progress is not None:
            progress(len(piece))
    return hasher.digest()


def _pieces(file: OpenFile, span: Span, size: int) -> Iterator[memoryview]:
    """The bytes of a span: mapped where that is safe, else copied by `_PIECE`."""
    start = span.start
    while start < span.stop:
        stop = min(start + size, span.stop)
        piece = file.mapped(start, stop) if stop - start >= _PIECE else None
        if piece is None:
            piece = _buffer(min(_PIECE, span.stop - start))
            file.fill(piece, start)
        yield piece
        start += len(piece)


_kept = threading.local()


def _buffer(size: int) -> memoryview:
    """A buffer that this thread uses over and over, so that it stays in the core's cache."""
    buffer: bytearray | None = getattr(_kept, "buffer", None)
    if buffer is None:
        buffer = _kept.buffer = bytearray(_PIECE)
    return memoryview(buffer)[:size]
