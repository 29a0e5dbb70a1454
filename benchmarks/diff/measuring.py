"""What `diff` says of each change of the plan, kept in the cache folder and never measured twice.

A record holds figures, not what was concluded from them, so that the thresholds can be fitted on
development records and the test records stay what they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import credenza
from benchmarks.diff import changes, plan
from benchmarks.diff.changes import Made
from benchmarks.diff.writing import write
from benchmarks.environments import cache
from credenza.diff import comparing, verdict
from credenza.diff.calibration import shipped
from credenza.diff.change import precision
from credenza.diff.comparing import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One change: what it was, what it was called, and the figures that thresholds are put on.

    ``correlation``, ``least``, ``turned`` and ``step`` are of `credenza.diff.verdict`; ``step`` is
    the least over the matrices that changed, in float32 or finer 1; None where no matrix changed.
    """

    role: str
    kind: str
    variant: str
    seed: int
    named: str
    words: str
    rank: int | None
    exact: bool
    correlation: float | None
    least: float | None
    turned: float | None
    step: float | None
    features: tuple[float, ...]
    seconds: float


def records(role: str, kinds: Iterable[str], seeds: Iterable[int]) -> list[Record]:
    """The records of those changes, from the cache or measured now."""
    wanted = [(kind, seed) for seed in seeds for kind in kinds]
    path = cache() / "diff-1" / f"records-{role}-{_version()}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = _known(path)
    missing = [w for w in wanted if w not in known]
    started = time.monotonic()
    for i, (kind, seed) in enumerate(missing):
        known[kind, seed] = record = _measured(role, kind, seed)
        _append(path, record)
        if i % 20 == 19:
            left = (time.monotonic() - started) / (i + 1) * (len(missing) - i - 1)
            print(f"{role}: {i + 1} of {len(missing)}, about {left:.0f} s left", file=sys.stderr)
    return [known[w] for w in wanted]


def _measured(role: str, kind: str, seed: int) -> Record:
    bases = plan.BASES[role]
    if kind == plan.POISONED:
        made = changes.poisoned_fine_tune(seed, bases)
    elif kind == plan.CLEAN_TWIN:
        made = changes.honest_fine_tune(seed, bases)
    else:
        made = changes.make(kind, seed, bases)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        old, new = write(made, Path(folder))
        started = time.monotonic()
        found = comparing.compare(credenza.open(old), credenza.open(new))
        seconds = time.monotonic() - started
    return _record(role, kind, seed, made, found, seconds)


def _record(
    role: str, kind: str, seed: int, made: Made, found: Comparison, seconds: float
) -> Record:
    told = [n for n in found.changed if n.is_matrix and n.change.size >= 256]
    elements = sum(b.size for _, b in found.shared)
    coarse = all((precision(n.change.new_dtype) or 0) < 24 for n in found.changed)
    steps = [n.change.spectrum.knee[1] for n in found.changed if n.is_matrix and n.change.spectrum]
    return Record(
        role=role,
        kind=kind,
        variant=made.variant,
        seed=seed,
        named=found.verdict.kind,
        words=found.verdict.words,
        rank=found.verdict.rank,
        exact=found.verdict.exact,
        correlation=verdict.correlation(told) if told else None,
        least=min(n.change.correlation for n in told) if told else None,
        turned=verdict.turned(told) if told else None,
        step=(min(steps) if coarse else 1.0) if steps else None,
        features=tuple(verdict.figures(found.changed, elements).tolist()) if found.changed else (),
        seconds=seconds,
    )


def _version() -> str:
    """A record is of the code and the calibration that it was measured with."""
    digest = hashlib.sha256(str(shipped()).encode())
    for folder in (Path(comparing.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.glob("*.py")):
            if path.name not in ("__init__.py", "calibrate.py", "speed.py", "behaviour.py"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _known(path: Path) -> dict[tuple[str, int], Record]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    every = [Record(**{**line, "features": tuple(line["features"])}) for line in lines]
    return {(r.kind, r.seed): r for r in every}


def _append(path: Path, record: Record) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (json.dumps(asdict(record)) + "\n").encode())
    finally:
        os.close(handle)
