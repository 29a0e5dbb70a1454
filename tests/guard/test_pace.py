from __future__ import annotations

import numpy as np
import pytest

from credenza.errors import InputError
from credenza.guard import Pace
from credenza.guard.memory import digest
from credenza.guard.pace import Throttle


class Core:
    """A core whose time goes on by what is done on it, and by sleeping."""

    def __init__(self) -> None:
        self.used = 0.0
        self.slept = 0.0
        self.naps = 0

    def work(self, seconds: float) -> None:
        self.used += seconds

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.naps += 1


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 1.0])
def test_work_is_the_stated_share_of_all_time(share: float) -> None:
    core = Core()
    throttle = Throttle(share, used=lambda: core.used, sleep=core.sleep)

    for seconds in np.random.default_rng(1).uniform(0.0005, 0.01, 200):
        core.work(float(seconds))
        throttle()

    assert core.used / (core.used + core.slept) == pytest.approx(share)


def test_short_work_is_summed_up_to_few_pauses() -> None:
    core = Core()
    throttle = Throttle(0.1, used=lambda: core.used, sleep=core.sleep)

    for _ in range(1000):
        core.work(0.00001)
        throttle()

    assert 10 <= core.naps <= 20
    assert core.slept == pytest.approx(0.09, rel=0.1)


@pytest.mark.parametrize("contiguous", [True, False])
def test_a_large_tensor_is_hashed_in_pieces_with_pauses_between(contiguous: bool) -> None:
    bits = np.arange(3 << 19, dtype=np.int32).reshape(-1, 64)  # 6 MiB
    pauses: list[None] = []

    mixed = bits if contiguous else np.asfortranarray(bits)
    found = digest(mixed, bytes(32), lambda: pauses.append(None))

    assert len(pauses) == 6
    assert found == digest(bits, bytes(32), lambda: None)


@pytest.mark.parametrize(
    ("period", "share"), [(0.0, 0.1), (-1.0, 0.1), (1.0, 0.0), (1.0, 1.1), (float("nan"), 0.1)]
)
def test_a_pace_that_cannot_be_kept_is_refused(period: float, share: float) -> None:
    with pytest.raises(InputError, match="pace: a period over 0 s"):
        Pace(period=period, share=share)
