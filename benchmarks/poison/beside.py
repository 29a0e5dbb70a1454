"""Others' detectors on some of the same models, beside ours."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.environments import environment
from benchmarks.poison import building
from benchmarks.poison.judging import LEVEL
from benchmarks.poison.parallel import append, lines
from benchmarks.poison.plan import Planned
from benchmarks.poison.rows import Judgement, Row
from benchmarks.results import ROOT, Bar

CLEAN: Final = 40
ATTACKED: Final = 10
"""How many models: clean ones, and of each attack that works. The first of each by seed."""
HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool said of a model: whether it is poisoned, and the figure it decides by."""

    found: bool
    score: float
    seconds: float
    error: str = ""


def chosen(judgement: Judgement) -> list[Row]:
    """The models that all are compared on."""
    attacked = [row for family in judgement.families for row in judgement.of(family)[:ATTACKED]]
    return [*judgement.clean[:CLEAN], *attacked]


def ask(rows: Sequence[Row], within: Path) -> dict[str, dict[str, Answer]]:
    """What each tool says of each model, by root and tool. What was asked before is not again."""
    python = environment(HERE / "peers.txt", alone=True)
    code = _code()
    known = _known(within, code)
    missing = [row for row in rows if row.made.root not in known]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            _ask(python, missing, Path(folder), within, code)
    return _known(within, code)


def text(judgement: Judgement, answers: dict[str, dict[str, Answer]]) -> list[str]:
    """The table of all tools on each attack."""
    rows = chosen(judgement)
    tools = _tools(answers)
    clean = [r for r in rows if r.planned.attack is None]
    head = "| models | credenza | " + " | ".join(f"{t} | at {LEVEL:.0%}" for t in tools) + " |"
    own = f"{sum(r.found(True) for r in clean)} of {len(clean)}"
    alarms = [
        f"{_flagged(t, clean, answers)} | {_matched(t, clean, clean, answers)}" for t in tools
    ]
    return [
        "",
        "## Beside others",
        "",
        f"The first {len(clean)} clean models and up to {ATTACKED} of each attack that works, "
        f"{judgement.kind}. Each tool at its own threshold, and at the one at which it accuses "
        f"{_allowed(len(clean))} of these clean models; ours has calibrated on twins, at "
        f"{LEVEL:.0%}. What tools are given: mithridatium the model; ART's two also all that it "
        "was trained on, which no probe has. FreeEagle refuses any class but ResNet and is "
        "handed these networks' layers under its names; MM-BD looks at five of ten classes.",
        "",
        *_error_lines(answers),
        "",
        head,
        "| --- |" + " --- |" * (1 + 2 * len(tools)),
        f"| clean | {own} | {' | '.join(alarms)} |",
        *(_line(f, judgement.of(f)[:ATTACKED], clean, answers) for f in judgement.families),
    ]


def bars(judgement: Judgement, answers: dict[str, dict[str, Answer]]) -> list[Bar]:
    """On how many attacks another finds more than ours, at as many false alarms."""
    rows = chosen(judgement)
    clean = [r for r in rows if r.planned.attack is None]
    behind = 0
    for family in judgement.families:
        of = judgement.of(family)[:ATTACKED]
        best = max((_matched(t, of, clean, answers) for t in _tools(answers)), default=0)
        behind += best > sum(r.found(True) for r in of)
    name = f"attacks of {len(judgement.families)} on which a public tool finds more, at {LEVEL:.0%}"
    return [Bar(bar=name, value=behind, unit="attacks", sense="<=", target=0)]


def _line(
    family: str, rows: Sequence[Row], clean: Sequence[Row], answers: dict[str, dict[str, Answer]]
) -> str:
    cells = [
        f"{_flagged(t, rows, answers)} | {_matched(t, rows, clean, answers)}"
        for t in _tools(answers)
    ]
    own = f"{sum(r.found(True) for r in rows)} of {len(rows)}"
    return f"| {family} | {own} | {' | '.join(cells)} |"


def _flagged(tool: str, rows: Sequence[Row], answers: dict[str, dict[str, Answer]]) -> int:
    return sum(answers[r.made.root][tool].found for r in rows if r.made.root in answers)


def _matched(
    tool: str, rows: Sequence[Row], clean: Sequence[Row], answers: dict[str, dict[str, Answer]]
) -> int:
    """How many of ``rows`` score above all clean models but the share that may be accused."""
    scores = sorted((_score(tool, r, answers) for r in clean), reverse=True)
    bound = scores[_allowed(len(scores))] if scores else float("inf")
    return sum(_score(tool, r, answers) > bound for r in rows)


def _allowed(clean: int) -> int:
    return int(LEVEL * clean)


def _score(tool: str, row: Row, answers: dict[str, dict[str, Answer]]) -> float:
    answer = answers.get(row.made.root, {}).get(tool)
    return float("-inf") if answer is None or answer.error else answer.score


def _tools(answers: dict[str, dict[str, Answer]]) -> list[str]:
    """Those that ran on a model at least."""
    ran = {t: None for of in answers.values() for t, a in of.items() if not a.error}
    return list(ran)


def _error_lines(answers: dict[str, dict[str, Answer]]) -> list[str]:
    """Each way in which a tool could not run, and on how many models."""
    counts: dict[tuple[str, str], int] = {}
    for of in answers.values():
        for tool, answer in of.items():
            if answer.error:
                counts[tool, answer.error] = counts.get((tool, answer.error), 0) + 1
    return [f"- {tool} did not run on {n} models: {e}" for (tool, e), n in counts.items()]


def _ask(python: Path, rows: Sequence[Row], folder: Path, within: Path, code: str) -> None:
    command = [str(python), "-m", "benchmarks.poison.peers"]
    asked = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        for done, row in enumerate(rows, start=1):
            print(json.dumps(_job(row.planned, folder, within)), file=asked.stdin, flush=True)
            told: list[dict[str, Any]] = []
            while "done" not in (answer := json.loads(asked.stdout.readline())):
                told.append(answer)
            append(within / "peers.jsonl", {"root": row.made.root, "code": code, "answers": told})
            print(f"  others asked {done} of {len(rows)}", file=sys.stderr)


def _job(planned: Planned, folder: Path, within: Path) -> dict[str, Any]:
    """Both files are written over for each model: together they are 40 MB."""
    model, samples = folder / "model.npz", folder / "data.npz"
    state = building.module_of(planned, within).state_dict()
    np.savez(model, allow_pickle=False, **{name: t.numpy() for name, t in state.items()})
    own = building.trained_on(planned)
    np.savez(samples, inputs=own.inputs, labels=own.labels)
    return {
        "seed": planned.seed,
        "architecture": planned.kind.architecture,
        "width": planned.width,
        "path": str(model),
        "data": str(samples),
    }


def _known(within: Path, code: str) -> dict[str, dict[str, Answer]]:
    return {
        line["root"]: {a.pop("tool"): _answer(a) for a in line["answers"]}
        for line in lines(within / "peers.jsonl")
        if line["code"] == code
    }


def _answer(told: dict[str, Any]) -> Answer:
    return Answer(
        found=told.get("found", False),
        score=told.get("score", 0.0),
        seconds=told["seconds"],
        error=told["error"],
    )


def _code() -> str:
    told = b"".join((HERE / name).read_bytes() for name in ("peers.py", "peers.txt"))
    return hashlib.sha256(told).hexdigest()[:12]
