"""Runs one scanner on file after file, each in a process of its own, forked when all is imported.

    python -m benchmarks.scan.shots TOOL < paths

Paths come as a line of JSON each, and so do the answers: path, answer, seconds, bytes at most.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

LONGEST: Final = 120
"""In seconds: what a scanner may take for one file of some kilobytes."""
FOUND, CLEAN, UNREADABLE, UNSCANNED = "found", "silent", "unreadable", "unscanned"
Shot = Callable[[str], str]
"""Scans one path and gives back one of the four answers."""


def _argv(name: str, *arguments: str) -> None:
    sys.argv = [name, *arguments]


def _coded(call: Callable[[], Any]) -> int:
    """The exit code of a command line that is called as a function."""
    try:
        code = call()
    except SystemExit as e:
        code = e.code
    return code if isinstance(code, int) else 0


def _picklescan() -> Shot:
    from picklescan.cli import main

    def shot(path: str) -> str:
        _argv("picklescan", "-p", path)
        with _captured() as told:
            code = _coded(main)
            skipped = "Scanned files: 0" in told()
        if code == 0 and skipped:
            return UNSCANNED
        return {0: CLEAN, 1: FOUND}.get(code, UNREADABLE)

    return shot


def _modelscan() -> Shot:
    from modelscan.cli import main

    def shot(path: str) -> str:
        _argv("modelscan", "-p", path)
        code = _coded(main)
        return {0: CLEAN, 1: FOUND, 3: UNSCANNED}.get(code, UNREADABLE)

    return shot


def _fickling() -> Shot:
    """By its interface for programs: its command line reads no archive."""
    import fickling

    def shot(path: str) -> str:
        try:
            return CLEAN if fickling.is_likely_safe(path) else FOUND
        except Exception:  # noqa: BLE001  whatever it raises, it has no answer
            return UNREADABLE

    return shot


def _hayward() -> Shot:
    from hayward.cli import main

    def shot(path: str) -> str:
        _argv("hayward", "scan", path)
        return {0: CLEAN, 1: FOUND}.get(_coded(main), UNREADABLE)

    return shot


def _aisbom() -> Shot:
    from aisbom.cli import app

    def shot(path: str) -> str:
        _argv("aisbom", "scan", "--offline", path)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            code = _coded(app)
        return {0: CLEAN, 2: FOUND}.get(code, UNREADABLE)

    return shot


def _modelaudit() -> Shot:
    from modelaudit.cli import main

    def shot(path: str) -> str:
        _argv("modelaudit", "scan", "--no-cache", path)
        return {0: CLEAN, 1: FOUND}.get(_coded(main), UNREADABLE)

    return shot


def _credenza() -> Shot:
    for module in ("scanning", "rules", "containers"):
        importlib.import_module(f"credenza.scan.{module}")
    from credenza.cli import main

    def shot(path: str) -> str:
        _argv("credenza", "scan", path)
        return {0: CLEAN, 1: FOUND}.get(_coded(main), UNREADABLE)

    return shot


SHOTS: Final[dict[str, Callable[[], Shot]]] = {
    "picklescan": _picklescan,
    "modelscan": _modelscan,
    "fickling": _fickling,
    "hayward": _hayward,
    "aisbom-cli": _aisbom,
    "modelaudit": _modelaudit,
    "credenza": _credenza,
}


@contextlib.contextmanager
def _captured() -> Iterator[Callable[[], str]]:
    """What is written to standard output meanwhile."""
    with tempfile.TemporaryFile("w+") as file:
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)

        def told() -> str:
            file.seek(0)
            return file.read()

        try:
            yield told
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)


def main() -> None:
    """Serve paths from standard input until it ends."""
    shot = SHOTS[sys.argv[1]]()
    out = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        path = json.loads(line)
        start = time.perf_counter()
        answer, peak = _forked(shot, path)
        seconds = time.perf_counter() - start
        print(json.dumps([path, answer, seconds, peak]), file=out, flush=True)


def _forked(shot: Shot, path: str) -> tuple[str, int]:
    """The answer of a child of its own, and the most memory that it held, in bytes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _in_child(shot, path, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        if not select.select([pipe], [], [], LONGEST)[0]:
            os.kill(child, signal.SIGKILL)
        told = pipe.read()
    _, status, usage = os.wait4(child, 0)
    answer = told.decode() if status == 0 and told else UNREADABLE
    return answer, usage.ru_maxrss * 1024


def _in_child(shot: Shot, path: str, writing: int) -> None:
    """Never comes back."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            answer = shot(path)
            os.chdir("/")
        os.write(writing, answer.encode())
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
