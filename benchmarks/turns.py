"""Ours and theirs, one after the other, again and again; and what that says."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.results import Bar

Timed = Callable[[], float]
"""Does the work once, and says how many seconds it took."""

_RESAMPLES: Final = 10_000

_PEAK = (
    "import os, sys\n"
    "quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]\n"
    "child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)\n"
    "_, status, usage = os.wait4(child, 0)\n"
    "print(usage.ru_maxrss * 1024)\n"
    "sys.exit(os.waitstatus_to_exitcode(status))\n"
)


@dataclass(frozen=True, slots=True)
class Turns:
    """Seconds of each side, a pair a round."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @classmethod
    def taken(cls, ours: Timed, theirs: Timed, runs: int) -> Turns:
        """One round that does not count, to warm up, and then ``runs`` that do."""
        ours(), theirs()
        pairs = [(ours(), theirs()) for _ in range(runs)]
        return cls(tuple(a for a, _ in pairs), tuple(b for _, b in pairs))

    def bars(self, what: str, target: float) -> list[Bar]:
        """How long each takes, and how many times faster we are. ``what`` ends in the peer."""
        times = np.array([self.ours, self.theirs])
        rounds = np.random.default_rng(0).integers(
            times.shape[1], size=(_RESAMPLES, times.shape[1])
        )
        resampled = np.median(times[:, rounds], axis=2)
        low, high = np.quantile(resampled[1] / resampled[0], [0.025, 0.975])
        ratio = statistics.median(self.theirs) / statistics.median(self.ours)
        return [
            seconds(what, self.theirs),
            seconds("… credenza", self.ours),
            Bar(
                bar="… times as fast",
                value=ratio,
                unit="×",
                sense=">=",
                target=target,
                low=float(low),
                high=float(high),
            ),
        ]


def seconds(bar: str, values: Sequence[float], target: float | None = None) -> Bar:
    """The median of repeated timings, with the least and the largest."""
    low, high = min(values), max(values)
    return Bar(
        bar=bar, value=statistics.median(values), unit="s", target=target, low=low, high=high
    )


def process(*command: str) -> Timed:
    """A whole process, from its start to its end. Raises where it does not succeed."""

    def timed() -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start

    return timed


def peak(*command: str) -> int:
    """The most memory that a whole process ever held, in bytes.

    It is started by one that is small: ``ru_maxrss`` of getrusage(2) begins with what its parent
    held.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _PEAK, *command]
    env = {**os.environ}
    done = subprocess.run(launcher, check=True, capture_output=True, text=True, env=env)
    return int(done.stdout)
