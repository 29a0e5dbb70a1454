"""A process that does one piece of work again and again, when it is told to, and times it.

Neither imports nor preparation are timed, and what the work returned is let go of afterwards.
``python -m MODULE NAME ARGUMENTS`` starts one, with the arguments as JSON; each line on its
standard input asks for a run, and each line of its standard output is a `Run` as JSON, the first
one from before any work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

Prepare = Callable[..., Callable[[], object]]
"""Takes the arguments, and gives back the work."""


@dataclass(frozen=True, slots=True)
class Run:
    """How long the work took, and the most memory that the process ever held, in bytes.

    ``note`` says what the work was prepared to be, where it had a choice.
    """

    seconds: float
    peak: int
    note: str = ""


def serve(works: Mapping[str, Prepare]) -> None:
    """Be the process."""
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints
    work = works[sys.argv[1]](**json.loads(sys.argv[2]))
    print(_line(0.0, getattr(work, "note", "")), file=told, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        kept = work()
        line = _line(time.perf_counter() - start)
        del kept
        print(line, file=told, flush=True)


def _line(seconds: float, note: str = "") -> str:
    return json.dumps(asdict(Run(seconds, _peak(), note)))


def _peak() -> int:
    """``VmHWM`` of proc(5): since exec, unlike getrusage(2), which counts the parent's too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def every_page_read(tensors: dict[str, Any]) -> dict[str, Any]:
    """The same torch tensors; a mapped one may not have been read at all before."""
    for tensor in tensors.values():
        tensor.view(-1)[:: 4096 // tensor.element_size()].sum()
    return tensors


class Worker:
    """Such a process, from outside. Use it in a ``with`` statement.

    ``ready`` is what it said before any work.
    """

    def __init__(self, python: Path, module: str, name: str, **arguments: str) -> None:
        root = Path(__file__).parents[2]
        path = os.pathsep.join([str(root), str(root / "src")])
        self._process = subprocess.Popen(
            [str(python), "-m", module, name, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.ready = self._read()

    def run(self) -> Run:
        """Have the work done once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def seconds(self) -> float:
        """Have the work done once, and say how long it took."""
        return self.run().seconds

    def _read(self) -> Run:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")
        return Run(**json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
