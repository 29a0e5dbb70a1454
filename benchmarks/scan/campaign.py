"""The mutation campaign: every malicious vector, written otherwise many times, is still found."""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.scan.mutations import LARGEST, mutated
from tests.scan.population import Malicious, population

from credenza.errors import CredenzaError
from credenza.findings import Report
from credenza.scan import scan

FOUND: Final = "found"
UNREAD: Final = "unread"
SILENT: Final = "silent"
CRASHED: Final = "crashed"
_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Miss:
    """A mutation that nothing was said of: by name, number and seed it can be made again."""

    vector: str
    number: int
    answer: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What was said of all mutations; the first thousand of those that were missed."""

    answers: Counter[str]
    misses: tuple[Miss, ...]

    @property
    def silent(self) -> int:
        """Those that would be loaded: nothing was said, or the scan itself broke."""
        return self.answers[SILENT] + self.answers[CRASHED]


def campaign(
    per_vector: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> Counts:
    """So many mutations of each vector that is no bomb, over all cores.

    ``progress`` is told how many vectors are done, and of how many. The same seed makes the same
    mutations.
    """
    vectors = [v for v in population() if len(v.data) <= LARGEST]
    answers: Counter[str] = Counter()
    misses: list[Miss] = []
    tasks = [(v.name, per_vector, seed) for v in vectors]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, found in enumerate(pool.map(_of_one, tasks, chunksize=4), 1):
            answers.update(m.answer for m in found)
            misses += [m for m in found if m.answer in (SILENT, CRASHED)]
            if progress is not None:
                progress(done, len(vectors))
    return Counts(answers, tuple(misses[:_KEPT]))


def remade(miss: Miss, seed: int) -> Malicious:
    """The mutation that was missed."""
    return _mutation(_by_name(miss.vector), miss.number, seed)


def answer(vector: Malicious, folder: Path) -> str:
    """What a scan says of a vector that is laid in ``folder``, which must not be there yet."""
    try:
        report = scan(vector.lay(folder))
    except CredenzaError:
        return UNREAD
    except Exception:  # noqa: BLE001  # whatever else comes out is the fault that is looked for
        return CRASHED
    return said(report, vector)


def said(report: Report, vector: Malicious) -> str:
    """Whether a report answers for a vector."""
    worst = report.worst
    if worst is not None and worst >= vector.least:
        return FOUND
    return UNREAD if report.unread else SILENT


def _mutation(vector: Malicious, number: int, seed: int) -> Malicious:
    return mutated(vector, random.Random(f"{seed} {number} {vector.name}"))  # noqa: S311


def _of_one(task: tuple[str, int, int]) -> list[Miss]:
    name, count, seed = task
    vector = _by_name(name)
    return list(_answers(vector, range(count), seed))


def _answers(vector: Malicious, numbers: Iterable[int], seed: int) -> Iterable[Miss]:
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            made = _mutation(vector, number, seed)
            yield Miss(vector.name, number, answer(made, Path(folder) / f"{number}"))


def _by_name(name: str) -> Malicious:
    return next(v for v in population() if v.name == name)
