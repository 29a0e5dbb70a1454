"""Group commit: what several threads want written at one time is written at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Job(Generic[T, R]):
    items: Sequence[T]
    results: Sequence[R] = ()
    error: BaseException | None = None
    done: bool = False


class Group(Generic[T, R]):
    """Hands the items of all threads that wait to one call of ``commit``, one call at a time.

    ``commit`` gives back a result for each item, in their order; what it raises is raised in each
    thread that it worked for.
    """

    def __init__(self, commit: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._commit = commit
        self._waiting: list[_Job[T, R]] = []
        self._busy = False
        self._changed = threading.Condition()

    def submit(self, items: Sequence[T]) -> Sequence[R]:
        """The results for ``items``, which are committed together."""
        job = _Job[T, R](items)
        with self._changed:
            self._waiting.append(job)
            self._changed.wait_for(lambda: job.done or not self._busy)
            mine = not job.done  # nobody did it, and nobody is at work: this thread is next
            if mine:
                self._busy = True
                jobs, self._waiting = self._waiting, []
        if mine:
            self._work(jobs)
        if job.error is not None:
            raise job.error
        return job.results

    def _work(self, jobs: Sequence[_Job[T, R]]) -> None:
        results: Sequence[R] = ()
        error: BaseException | None = None
        try:
            results = self._commit([item for job in jobs for item in job.items])
        except BaseException as e:  # noqa: BLE001  handed to each thread that waits for it
            error = e
        with self._changed:
            at = 0
            for job in jobs:
                job.error = error
                job.results = results[at : at + len(job.items)]
                job.done = True
                at += len(job.items)
            self._busy = False
            self._changed.notify_all()
