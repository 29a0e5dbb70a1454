"""One function over many items on all cores, and what came of it in lines that survive a kill."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def each(
    function: Callable[[T], str], items: Sequence[T], what: str, *, workers: int | None = None
) -> None:
    """Call ``function`` on each item, one process a core and one thread a process.

    It returns a word for the progress, which goes to stderr with an estimate. The first exception
    ends the run; what was done by then is kept by whoever did it.
    """
    if not items:
        return
    started = time.monotonic()
    count = min(workers or os.cpu_count() or 1, len(items))
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with torch threads may hang
    with ProcessPoolExecutor(count, spawn, initializer=_begin, initargs=(os.getpid(),)) as pool:
        waiting = [pool.submit(function, item) for item in items]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                left = (time.monotonic() - started) / done * (len(items) - done)
                word = f"{what} {done} of {len(items)} ({future.result()})"
                print(f"  {word}, {left / 60:.1f} min left", file=sys.stderr)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def append(path: Path, record: dict[str, Any]) -> None:
    """Add a line of JSON: in one write, so that lines of two processes never mix."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, json.dumps(record, ensure_ascii=False).encode() + b"\n")
    finally:
        os.close(handle)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, none where it is not there. Half a line, of a kill, is left out."""
    if not path.exists():
        return
    for line in path.read_text("utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record


def _begin(parent: int) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    """End this process soon after its parent was killed: the pool would wait for ever."""
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(1)
