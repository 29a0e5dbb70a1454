"""Group commit: what several threads want written at one time is written at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Job(Generic[T, R]):
    items: Sequence[T]
    results: Sequence[R] | None = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Group(Generic[T, R]):
    """Hands the items of all threads that wait to one call of ``commit``, one call at a time.

    ``commit`` gives back a result for each item, in their order; what it raises is raised in each
    thread that it worked for.
    """

    def __init__(self, commit: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._commit = commit
        self._waiting: list[_Job[T, R]] = []
        self._queue = threading.Lock()
        self._turn = threading.Lock()

    def submit(self, items: Sequence[T]) -> Sequence[R]:
        """The results for ``items``, which are committed together."""
        job = _Job[T, R](items)
        with self._queue:
            self._waiting.append(job)
        with self._turn:
            if not job.done.is_set():  # nobody did it while we waited for our turn
                with self._queue:
                    jobs, self._waiting = self._waiting, []
                self._work(jobs)
        if job.error is not None:
            raise job.error
        assert job.results is not None  # noqa: S101  a job is done with results or an error
        return job.results

    def _work(self, jobs: Sequence[_Job[T, R]]) -> None:
        results: Sequence[R] = ()
        error: BaseException | None = None
        try:
            results = self._commit([item for job in jobs for item in job.items])
        except BaseException as e:  # noqa: BLE001  handed to each thread that waits for it
            error = e
        at = 0
        for job in jobs:
            job.error = error
            job.results = results[at : at + len(job.items)]
            at += len(job.items)
            job.done.set()
