"""How often to look, and how much of a core it may cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from credenza.errors import InputError

_QUANTUM = 0.0005  # seconds; shorter work is summed up, since a pause has a cost of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How sweeps follow each other.

    A sweep begins ``period`` seconds after the last one began, and uses at most ``share`` of one
    core, over 0 to 1. The share goes first: a model too large for both is swept as often as it
    allows. At 4 GB/s, BLAKE3 sweeps 2 GB in 10 s at a share of 0.05.
    """

    period: float = 10.0
    share: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not self.period > 0:
            raise InputError(
                "pace: a period over 0 s and a share over 0 to 1 expected, "
                f"{self.period} and {self.share} given"
            )


@final
class Throttle:
    """Holds the calling thread to a share of a core: call it after each piece of work.

    ``used`` tells the processor seconds that the thread has used, ``sleep`` waits for seconds.
    """

    def __init__(
        self,
        share: float,
        *,
        used: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._share = share
        self._used = used
        self._sleep = sleep
        self._mark = used()

    def __call__(self) -> None:
        """Sleep for as long as makes what was used since the last sleep the allowed share."""
        spent = self._used() - self._mark
        if spent >= _QUANTUM:
            self._mark += spent
            self._sleep(spent * (1 / self._share - 1))
