"""Where each record of a payload is, and what it holds. docs/formats/encrypted.md, "Payload"."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from credenza.seal.encryption.stream import RECORD, TAG, DataKey, Stream
from credenza.seal.tree import Seal, SealedFile, Segment

PREAMBLE = 16 + TAG
"""The bytes of stream 0."""

_FIRST_SEGMENT = 2
_BATCH = 2**20
_MOST_THREADS = 16
"""Each has buffers of a record; more than these would not read faster."""


@dataclass(frozen=True, slots=True)
class Run:
    """A segment's stream: its number, and its first byte in the payload."""

    number: int
    at: int
    file: SealedFile
    segment: Segment

    @property
    def step(self) -> int:
        """The record size: whole chunks of the segment."""
        return max(1, RECORD // self.segment.chunk) * self.segment.chunk

    @property
    def count(self) -> int:
        """How many records it has."""
        return -(-self.segment.size // self.step)

    @property
    def nbytes(self) -> int:
        """How many bytes of the payload it takes."""
        return self.segment.size + self.count * TAG

    def records(self) -> Iterator[Record]:
        """Its records, in order."""
        for i in range(self.count):
            first = i * self.step
            size = min(self.step, self.segment.size - first)
            yield Record(self, i, first, size, self.at + i * (self.step + TAG))


@dataclass(frozen=True, slots=True)
class Record:
    """``size`` bytes of a segment from its byte ``first``, whose record begins at ``at``."""

    run: Run
    index: int
    first: int
    size: int
    at: int

    @property
    def stop(self) -> int:
        """The byte of the payload after its last."""
        return self.at + self.size + TAG


def stream_size(plain: int) -> int:
    """The bytes that a stream of records of `RECORD` takes for ``plain`` bytes."""
    return plain + -(-plain // RECORD) * TAG


def runs(seal: Seal, at: int) -> Iterator[Run]:
    """The stream of each segment, the first of which begins at byte ``at`` of the payload."""
    number = _FIRST_SEGMENT
    for file in seal.files:
        for segment in file.segments:
            run = Run(number, at, file, segment)
            yield run
            at += run.nbytes
            number += 1


def batches(
    seal: Seal, at: int, only: Collection[tuple[str, int]] | None = None
) -> Iterator[list[Record]]:
    """All records, or those of the segments in ``only`` (file, start), as runs to read at once.

    Those of a batch follow each other in the payload without a gap.
    """
    batch: list[Record] = []
    for run in runs(seal, at):
        if only is not None and (run.file.path, run.segment.start) not in only:
            continue
        for record in run.records():
            if batch and (batch[-1].stop != record.at or record.stop - batch[0].at > _BATCH):
                yield batch
                batch = []
            batch.append(record)
    if batch:
        yield batch


def each(work: Callable[[list[Record]], object], all_batches: Iterable[list[Record]]) -> None:
    """Do the work for each batch, on every core. The first error ends it, and is raised."""
    source = iter(all_batches)
    turn, stop = threading.Lock(), threading.Event()

    def take_turns() -> None:
        while not stop.is_set():
            with turn:
                batch = next(source, None)
            if batch is None:
                return
            try:
                work(batch)
            except BaseException:
                stop.set()
                raise

    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for done in [pool.submit(take_turns) for _ in range(threads)]:
                done.result()
        finally:  # Ctrl-C too: nobody waits for a whole model
            stop.set()


def streams(key: DataKey, root: bytes) -> Callable[[Run], Stream]:
    """What gives the stream of a run; each thread keeps the one that it used last."""
    last = threading.local()

    def stream_of(run: Run) -> Stream:
        if getattr(last, "number", None) != run.number:
            last.number, last.stream = run.number, key.stream(run.number, root, run.count)
        found: Stream = last.stream
        return found

    return stream_of


class Buffer(threading.local):
    """Memory that a thread uses over and over, so that it stays in the core's cache."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def take(self, size: int) -> memoryview:
        """That many bytes, whatever is in them."""
        if len(self._kept) < size:
            self._kept = bytearray(max(size, _BATCH + 2 * TAG))
        return memoryview(self._kept)[:size]
