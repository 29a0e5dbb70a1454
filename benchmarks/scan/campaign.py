"""The mutation campaign: every malicious vector, written otherwise many times, is still found."""

from __future__ import annotations

import functools
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.scan.mutations import mutated
from tests.scan.population import Form, Malicious, population

from credenza.findings import Report
from credenza.scan import scan

FOUND: Final = "found"
UNREAD: Final = "unread"
SILENT: Final = "silent"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one mutation, which its vector's name, its number and the seed make again.

    ``crash`` is what the scan raised, empty where it answered.
    """

    vector: str
    number: int
    said: str
    crash: str = ""


def campaign(
    per_vector: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    missed: Callable[[Answer], None] | None = None,
) -> Counter[str]:
    """How many mutations were found, left unread, or passed in silence, over all cores.

    So many of each vector that is no bomb; the same seed makes the same. A scan that crashes is
    silent: it has no answer. ``progress`` is told how many vectors are done, and of how many;
    ``missed`` each mutation that passed.
    """
    vectors = [v for v in population() if v.form != Form.BOMB]
    counts = Counter({FOUND: 0, UNREAD: 0, SILENT: 0})
    tasks = [(v.name, per_vector, seed) for v in vectors]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, answers in enumerate(pool.map(_of_one, tasks, chunksize=4), 1):
            counts.update(a.said for a in answers)
            for passed in (a for a in answers if a.said == SILENT):
                if missed is not None:
                    missed(passed)
            if progress is not None:
                progress(done, len(vectors))
    return counts


def remade(answer: Answer, seed: int) -> Malicious:
    """The mutation that an answer is about."""
    return _mutation(_by_name(answer.vector), answer.number, seed)


def said(report: Report, vector: Malicious) -> str:
    """Whether a report answers for a vector."""
    worst = report.worst
    if worst is not None and worst >= vector.least:
        return FOUND
    return UNREAD if report.unread else SILENT


def _mutation(vector: Malicious, number: int, seed: int) -> Malicious:
    return mutated(vector, random.Random(f"{seed} {number} {vector.name}"))  # noqa: S311


def _of_one(task: tuple[str, int, int]) -> list[Answer]:
    name, count, seed = task
    vector = _by_name(name)
    with tempfile.TemporaryDirectory() as folder:
        made = ((number, _mutation(vector, number, seed)) for number in range(count))
        return [_answer(vector, number, mutant, Path(folder)) for number, mutant in made]


def _answer(vector: Malicious, number: int, mutant: Malicious, folder: Path) -> Answer:
    place = mutant.lay(folder / f"{number}")
    try:
        report = scan(place)
    except Exception as e:  # noqa: BLE001  # whatever comes out is the fault that is looked for
        return Answer(vector.name, number, SILENT, repr(e))
    finally:
        shutil.rmtree(place)
    return Answer(vector.name, number, said(report, mutant))


def _by_name(name: str) -> Malicious:
    return _named()[name]


@functools.cache
def _named() -> dict[str, Malicious]:
    return {v.name: v for v in population()}


def main() -> None:
    """``python -m benchmarks.scan.campaign PER_VECTOR SEED``: the counts, and what passed."""
    per_vector, seed = map(int, sys.argv[1:])
    counts = campaign(per_vector, seed, missed=lambda a: print(f"passed: {a}"))
    print(dict(counts))


if __name__ == "__main__":
    main()
