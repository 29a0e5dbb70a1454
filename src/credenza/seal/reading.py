"""Reading files once: hashed chunk by chunk on every core, and kept where they are wanted."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from credenza.artifact.folder import OpenFile, open_bytes
from credenza.seal.digests import Algorithm, Hasher

Progress = Callable[[int], None]
"""Is told how many more bytes were read, from any thread."""

_PIECE = 2**20
_JOB = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file to hash in chunks of ``chunk`` bytes, the last of which may be shorter.

    Where ``into`` is given the bytes are put there, and it is those in ``into`` that are hashed.
    """

    path: str
    start: int
    stop: int
    chunk: int
    into: memoryview | None = None


def digest_spans(
    root: Path, spans: Iterable[Span], algorithm: Algorithm, progress: Progress | None = None
) -> Iterator[bytes]:
    """The joined chunk digests of each span of the model at ``root``, in order.

    Every byte is read once.

    Raises `InputError` where a file cannot be read, or ends before a span does.
    """
    spans = tuple(spans)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda job: _run(root, job, algorithm, progress), _jobs(spans))
        pieces = (digests for job in done for digests in job)
        try:
            for span in spans:
                yield b"".join(next(pieces) for _ in _cuts(span))
        finally:
            pool.shutdown(cancel_futures=True)


def _cuts(span: Span) -> range:
    """Where a span is cut for several cores: at whole chunks, about every `_JOB` bytes."""
    return range(span.start, span.stop, max(1, _JOB // span.chunk) * span.chunk)


def _jobs(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """The spans, cut, and gathered again by file into jobs of about `_JOB` bytes."""
    job: list[Span] = []
    size = 0
    for span in spans:
        for start in _cuts(span):
            stop = min(start + _cuts(span).step, span.stop)
            if job and (job[0].path != span.path or size + stop - start > _JOB):
                yield job
                job, size = [], 0
            into = span.into and span.into[start - span.start : stop - span.start]
            job.append(Span(span.path, start, stop, span.chunk, into))
            size += stop - start
    if job:
        yield job


def _run(
    root: Path, job: list[Span], algorithm: Algorithm, progress: Progress | None
) -> list[bytes]:
    make = algorithm.maker("chunk")
    with open_bytes(root, job[0].path) as file:
        digests = [_digests(file, span, make) for span in job]
    if progress is not None:
        progress(sum(span.stop - span.start for span in job))
    return digests


def _digests(file: OpenFile, span: Span, make: Callable[[], Hasher]) -> bytes:
    step = max(1, _PIECE // span.chunk) * span.chunk
    return b"".join(
        digest
        for start in range(span.start, span.stop, step)
        for digest in _piece_digests(file, span, start, min(start + step, span.stop), make)
    )


def _piece_digests(
    file: OpenFile, span: Span, start: int, stop: int, make: Callable[[], Hasher]
) -> Iterator[bytes]:
    if span.into is None:
        piece = _buffer(stop - start)
    else:
        piece = span.into[start - span.start : stop - span.start]
    file.fill(piece, start)
    for i in range(0, len(piece), span.chunk):
        hasher = make()
        hasher.update(piece[i : i + span.chunk])
        yield hasher.digest()


_kept = threading.local()


def _buffer(size: int) -> memoryview:
    """A buffer that this thread uses over and over, so that it stays in the core's cache."""
    buffer: bytearray | None = getattr(_kept, "buffer", None)
    if buffer is None or len(buffer) < size:
        buffer = _kept.buffer = bytearray(max(size, _PIECE))
    return memoryview(buffer)[:size]
