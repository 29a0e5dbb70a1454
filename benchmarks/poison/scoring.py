"""What detectors measure of the models of the population, on all cores, kept line by line.

A line is one model under one detector. It counts for the very model (its root), the detector's
settings and the code that it runs: whatever has changed is measured again.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.poison import building, data
from benchmarks.poison.building import Made
from benchmarks.poison.parallel import append, each, lines
from benchmarks.poison.plan import Planned
from credenza.classifier import Classifier
from credenza.errors import InputError
from credenza.probe.canaries import ConfusionCanaries
from credenza.probe.subject import Detector, Need, Statistic, Subject

FAULT: Final = "parameters or answers that are not finite"


@dataclass(frozen=True, slots=True)
class Value:
    """A statistic of a model. ``classes`` are those that its evidence names, the target last."""

    name: str
    value: float
    two_sided: bool
    family: str
    classes: tuple[int, ...]
    trusted: bool
    """Whether its detector was given trusted samples."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All that detectors measured of one model; ``seconds`` by detector, one thread.

    ``exact`` are the classes of each finding of an exact test, which needs no twins, in order.
    ``fault`` says what a probe says at once, before any detector runs. ``refused`` are errors of
    detectors, which measured nothing.
    """

    values: tuple[Value, ...]
    seconds: dict[str, float]
    exact: tuple[tuple[int, ...], ...] = ()
    fault: str = ""
    refused: tuple[str, ...] = ()


def score(
    wanted: Sequence[Planned],
    detectors: Sequence[Detector],
    within: Path,
    *,
    workers: int | None = None,
) -> None:
    """Measure what is missing of the models that are made; progress goes to stderr."""
    models = building.made(within)
    known = {_key(line) for line in lines(_file(within))}
    jobs = []
    for planned in wanted:
        made = models.get(planned.seed)
        if made is None or made.refused or not building.is_made(planned, models):
            continue
        missing = [d for d in detectors if (made.root, str(d), code(d)) not in known]
        if missing:
            jobs.append((planned, made, tuple(missing), within))
    each(_score, jobs, "scored", workers=workers)


def scores(detectors: Sequence[Detector], within: Path) -> dict[str, Scores]:
    """What is known of each model under these detectors, by its root; complete ones alone."""
    names = {(str(d), code(d)): d for d in detectors}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for line in lines(_file(within)):
        if (line["detector"], line["code"]) in names:
            found.setdefault(line["root"], {})[line["detector"]] = line
    return {
        root: _scores([of[str(d)] for d in detectors])
        for root, of in found.items()
        if len(of) == len(detectors)
    }


def subject(planned: Planned, within: Path) -> Subject:
    """The model as a probe is handed it: all of it, and trusted samples of its own draw."""
    classifier = Classifier(building.module_of(planned, within))
    weights = {name: t.numpy() for name, t in classifier.module.state_dict().items()}
    trusted = data.trusted(planned.kind.data, planned.seed)
    return Subject(
        classes=data.CLASSES,
        shape=trusted.inputs.shape[1:],
        weights=weights,
        classifier=classifier,
        box=classifier,
        trusted=trusted,
    )


def code(detector: Detector) -> str:
    """A digest of the detector's module and of all of its room that it imports."""
    return _code(type(detector).__module__)


def _score(job: tuple[Planned, Made, tuple[Detector, ...], Path]) -> str:
    planned, made, detectors, within = job
    given = subject(planned, within)
    fault = "" if _finite(given) else FAULT
    for detector in detectors:
        line: dict[str, Any] = {"fault": fault, "refused": "", "statistics": [], "exact": []}
        started = time.process_time()
        try:
            if not fault:
                measured = detector.measure(given, seed=planned.seed)
                line["statistics"] = [_line(s) for s in measured.statistics]
                if isinstance(detector, ConfusionCanaries):
                    line["exact"] = [list(f.where.classes) for f in detector.exact(given)]
        except InputError as e:
            line["refused"] = str(e)
        line |= {
            "seed": planned.seed,
            "root": made.root,
            "detector": str(detector),
            "trusted": Need.TRUSTED in detector.needs,
            "code": code(detector),
            "seconds": round(time.process_time() - started, 3),
        }
        append(_file(within), line)
    return f"{planned.kind} {planned.name}"


def _finite(given: Subject) -> bool:
    assert given.trusted is not None
    assert given.classifier is not None
    floats = (w for w in given.weights.values() if w.dtype.kind == "f")
    if not all(np.isfinite(w).all() for w in floats):
        return False
    return bool(np.isfinite(given.classifier.logits(given.trusted.inputs)).all())


def _line(statistic: Statistic) -> list[Any]:
    value = float(f"{statistic.value:.7g}")  # of a few hundred statistics, what float32 can hold
    classes = list(statistic.evidence.where.classes)
    return [statistic.name, value, statistic.two_sided, statistic.family, classes]


def _scores(of: Sequence[dict[str, Any]]) -> Scores:
    values = [
        Value(name, value, two_sided, family, tuple(classes), line["trusted"])
        for line in of
        for name, value, two_sided, family, classes in line["statistics"]
    ]
    return Scores(
        values=tuple(values),
        seconds={line["detector"]: line["seconds"] for line in of},
        exact=tuple(tuple(classes) for line in of for classes in line["exact"]),
        fault=of[0]["fault"],
        refused=tuple(line["refused"] for line in of if line["refused"]),
    )


def _key(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["root"], line["detector"], line["code"]


def _file(within: Path) -> Path:
    return within / "scores.jsonl"


@functools.cache
def _code(module: str) -> str:
    """Of files, not of what this process has imported: each process is to say the same."""
    room = module.rpartition(".")[0]
    (folder,) = importlib.import_module(room).__path__
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = Path(folder, *name.removeprefix(f"{room}.").split(".")).with_suffix(".py")
        if name not in seen and name != room and path.is_file():
            tree = building.bare(path)
            seen[name] = ast.unparse(tree)
            waiting += _imported(tree, room)
    return hashlib.sha256("\n".join(seen[n] for n in sorted(seen)).encode()).hexdigest()[:12]


def _imported(tree: ast.Module, room: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(room):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
