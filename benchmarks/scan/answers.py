"""What each scanner answers for each file of a population."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.results import ROOT

QUIET: Final = {
    "AISBOM_OFFLINE": "1",
    "AISBOM_NO_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "NO_ANALYTICS": "1",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "CI": "1",
}
"""No scanner may ask the network: modelaudit waits for its telemetry where there is none."""
PEERS: Final = ("picklescan", "modelscan", "fickling", "hayward", "aisbom-cli", "modelaudit")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scanner said of one path, in so many seconds and with so many bytes at most."""

    path: str
    said: str
    seconds: float
    peak: int


def ask(tool: str, python: Path, paths: Sequence[Path]) -> list[Answer]:
    """What ``tool``, which that Python has, answers for each path."""
    env = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    command = [str(python), "-W", "ignore", "-m", "benchmarks.scan.shots", tool]
    told = "".join(f"{json.dumps(str(path))}\n" for path in paths)
    done = subprocess.run(
        command, input=told, env=env, check=True, text=True, stdout=subprocess.PIPE, cwd=ROOT
    )
    return [Answer(*json.loads(line)) for line in done.stdout.splitlines()]


def ask_all(peers: Path, paths: Sequence[Path]) -> dict[str, list[Answer]]:
    """What every scanner answers: ours first."""
    tools = {"credenza": Path(sys.executable), **dict.fromkeys(PEERS, peers)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        asked = {tool: pool.submit(ask, tool, python, paths) for tool, python in tools.items()}
        return {tool: answers.result() for tool, answers in asked.items()}


def counted(answers: Sequence[Answer]) -> Counter[str]:
    """How often each of the four answers was given."""
    return Counter(answer.said for answer in answers)
