"""Reading files once: hashed chunk by chunk on every core, and kept where they are wanted."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from credenza.artifact.folder import Place
from credenza.artifact.open_file import OpenFile
from credenza.errors import InputError
from credenza.seal.digests import Algorithm, Hasher

Progress = Callable[[int], None]
"""Is told how many more bytes were read, from any thread."""

_BLOCK: Final = 2**20
_JOB: Final = 32 * 2**20
"""What a thread takes at a time; a mapped job counts as its memory."""
_WORTH_A_THREAD: Final = 16 * 2**20
_WORTH_MAPPING: Final = 2**18
"""Mapping a file takes as long as copying about so many bytes of it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file to hash in chunks of ``chunk`` bytes, the last of which may be shorter.

    With ``into``, a writable buffer, the bytes are put there, and it is those in ``into`` that are
    hashed; its first byte is for the file's at ``base``. ``filled`` says that they are there
    already. With ``copy_to``, a file, the bytes that were hashed are written to their place in it.
    """

    path: str
    start: int
    stop: int
    chunk: int
    into: memoryview | None = None
    base: int = 0
    filled: bool = False
    copy_to: Path | None = None

    def cut(self, start: int, stop: int) -> Span:
        """The part from ``start`` to ``stop``, which are whole chunks or the end."""
        return replace(self, start=start, stop=stop)

    def over(self, mapped: memoryview, base: int) -> Span:
        """The same bytes, which are in memory already."""
        return Span(self.path, self.start, self.stop, self.chunk, mapped, base, True, self.copy_to)


def digest_spans(
    place: Place, spans: Iterable[Span], algorithm: Algorithm, progress: Progress | None = None
) -> Iterator[bytes]:
    """The joined chunk digests of each span of the artefact at ``place``, in order.

    Every byte is read once; nothing is read before the first digest is asked for.

    Raises `InputError` where a file cannot be read, or ends before a span does.
    """
    spans = tuple(spans)
    work = _Work(place, list(_jobs(spans)), algorithm, progress)
    work.run()
    pieces = (digest for digests in work.digests for digest in digests)
    for span in spans:
        yield b"".join(next(pieces) for _ in _cuts(span))


def _cuts(span: Span) -> range:
    """Where a span is cut for several cores: at whole chunks, about every `_JOB` bytes."""
    return range(span.start, span.stop, max(1, _JOB // span.chunk) * span.chunk)


def _jobs(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """The spans, cut, and gathered again into jobs: runs of a file's bytes of about `_JOB`."""
    job: list[Span] = []
    size = 0
    for span in spans:
        cuts = _cuts(span)
        for start in cuts:
            stop = min(start + cuts.step, span.stop)
            follows = job and (job[-1].path, job[-1].stop) == (span.path, start)
            if job and (not follows or size + stop - start > _JOB):
                yield job
                job, size = [], 0
            job.append(span.cut(start, stop) if len(cuts) > 1 else span)
            size += stop - start
    if job:
        yield job


class _Work:
    """Jobs that threads take one by one. A file is open from its first job to its last."""

    def __init__(
        self,
        place: Place,
        jobs: Sequence[Sequence[Span]],
        algorithm: Algorithm,
        progress: Progress | None,
    ) -> None:
        self.digests: list[list[bytes]] = [[] for _ in jobs]
        self._place = place
        self._waiting = iter(enumerate(jobs))
        self._make = algorithm.maker("chunk")
        self._progress = progress or (lambda _: None)
        self._lock = threading.Lock()
        self._open: dict[str, OpenFile] = {}
        self._left = Counter(job[0].path for job in jobs)
        self._error: BaseException | None = None
        size = sum(span.stop - span.start for job in jobs for span in job)
        self._threads = min(os.cpu_count() or 1, len(jobs), 1 + size // _WORTH_A_THREAD)

    def run(self) -> None:
        """Do all jobs, on this thread and others. Raises what the first that failed raised."""
        others = [threading.Thread(target=self._take) for _ in range(self._threads - 1)]
        for thread in others:
            thread.start()
        self._take()
        for thread in others:
            thread.join()
        for file in self._open.values():
            file.close()
        if self._error is not None:
            raise self._error

    def _take(self) -> None:
        try:
            while (taken := self._next()) is not None:
                at, job, file = taken
                self.digests[at] = _digests(file, job, self._make)
                self._finished(file)
                self._progress(sum(span.stop - span.start for span in job))
        except BaseException as e:  # noqa: BLE001  `run` raises it, when no thread works any more
            self._error = self._error or e

    def _next(self) -> tuple[int, Sequence[Span], OpenFile] | None:
        with self._lock:
            at, job = next(self._waiting, (0, None))
            if job is None or self._error is not None:
                return None
            path = job[0].path
            if path not in self._open:
                self._open[path] = self._place.open(path)
            return at, job, self._open[path]

    def _finished(self, file: OpenFile) -> None:
        with self._lock:
            self._left[file.path] -= 1
            if not self._left[file.path]:
                self._open.pop(file.path).close()


def _digests(file: OpenFile, job: Sequence[Span], make: Callable[[], Hasher]) -> list[bytes]:
    """The joined chunk digests of each span of a job."""
    first, last = job[0].start, job[-1].stop
    if job[0].into is None and last - first >= _WORTH_MAPPING:
        mapped = file.mapped(first, last)
        if mapped is not None:
            job = [span.over(mapped, first) for span in job]
    return [_span_digests(file, span, make) for span in job]


def _span_digests(file: OpenFile, span: Span, make: Callable[[], Hasher]) -> bytes:
    digests: list[bytes] = []
    if span.copy_to is None:
        for _, block in _blocks(file, span):
            _add_digests(digests, block, span.chunk, make)
        return b"".join(digests)
    with _copy(span.copy_to) as write:
        for start, block in _blocks(file, span):
            _add_digests(digests, block, span.chunk, make)
            write(block, start)
    return b"".join(digests)


def _add_digests(
    digests: list[bytes], block: memoryview, chunk: int, make: Callable[[], Hasher]
) -> None:
    for i in range(0, len(block), chunk):
        hasher = make()
        hasher.update(block[i : i + chunk])
        digests.append(hasher.digest())


def _blocks(file: OpenFile, span: Span) -> Iterator[tuple[int, memoryview]]:
    """The bytes of a span where they are hashed: whole chunks, read about `_BLOCK` at a time."""
    if span.filled:
        yield span.start, _room(span, span.start, span.stop - span.start)
        return
    step = max(1, _BLOCK // span.chunk) * span.chunk
    for start in range(span.start, span.stop, step):
        block = _room(span, start, min(step, span.stop - start))
        file.fill(block, start)
        yield start, block


def _room(span: Span, start: int, size: int) -> memoryview:
    """Where some of a span's bytes are, or are to be put."""
    if span.into is None:
        return _buffer(size)
    at = start - span.base
    return span.into[at : at + size]


@contextlib.contextmanager
def _copy(path: Path) -> Iterator[Callable[[memoryview, int], None]]:
    """What writes a block at a byte of the file ``path``."""
    try:
        with path.open("r+b", buffering=0) as copy:
            yield lambda block, start: _write_all(copy.fileno(), block, start)
    except OSError as e:
        raise InputError(f"{path} cannot be written: {e.strerror}") from e


def _write_all(handle: int, block: memoryview, start: int) -> None:
    while block:
        written = os.pwrite(handle, block, start)
        block, start = block[written:], start + written


_kept = threading.local()


def _buffer(size: int) -> memoryview:
    """A buffer that this thread uses over and over, so that it stays in the core's cache."""
    buffer: bytearray | None = getattr(_kept, "buffer", None)
    if buffer is None or len(buffer) < size:
        buffer = _kept.buffer = bytearray(max(size, _BLOCK))
    return memoryview(buffer)[:size]
