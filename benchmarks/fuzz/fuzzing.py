"""Runs each target for a while, beginning with what the tests know of its format."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.seal.makers import MAKERS

from benchmarks.environments import cache, environment, versions
from benchmarks.fuzz import scans
from benchmarks.fuzz.targets import POPULATION, TARGETS
from benchmarks.results import ROOT, Bar, write

HERE: Final = Path(__file__).parent
VECTORS: Final = ROOT / "tests" / "vectors"
LARGEST: Final = 64 * 1024

TEXT: Final = """
Each parser of bytes that somebody else may have written, under atheris (libFuzzer, led by the
branches that the code takes), beginning with the tests' vectors, with models of every format, for
the scan with the malicious population, and with what earlier runs on the same machine found new.
Inputs are of up to 64 KiB. A fault is an exception that is not one of ours, an input that takes
over 5 seconds, or one that takes more memory than 4 times its size and 64 MB; a target ends at its
first fault. This shows what was not found, not that nothing is there.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a target's run found: how many inputs, and how it ended."""

    inputs: int
    fault: str


def measure(*, seconds: int) -> None:
    """Every target for so many seconds, as many at once as there are cores."""
    python = environment(HERE / "requirements.txt")
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        made = _made(Path(name) / "made")
        runs = [
            pool.submit(_fuzzed, python, target, _seeds(target, made), seconds)
            for target in TARGETS
        ]
        outcomes = dict(zip(TARGETS, [run.result() for run in runs], strict=True))
    bars = [_bar(target, outcome) for target, outcome in outcomes.items()]
    told = versions(python, ["atheris"])["atheris"]
    text = f"{TEXT}\n{seconds} seconds a target; atheris {told}.\n"
    write("fuzz", "Parsers under a fuzzer", text, bars, ["credenza", "msgspec", "cryptography"])


def _bar(target: str, outcome: Outcome) -> Bar:
    if outcome.fault:
        print(f"  {target}:\n{outcome.fault}", file=sys.stderr)
    what = f"{target}: faults in {outcome.inputs:,} inputs"
    return Bar(bar=what, value=1 if outcome.fault else 0, unit="", target=0)


def _made(folder: Path) -> list[Path]:
    """Files of models of every format."""
    files: list[Path] = []
    for maker in MAKERS:
        for seed in range(4):
            place = folder / f"{maker.__name__}-{seed}"
            place.mkdir(parents=True)
            maker(place, random.Random(seed))  # noqa: S311
            files += [path for path in sorted(place.rglob("*")) if path.is_file()]
    return files


def _seeds(target: str, made: list[Path]) -> Iterator[bytes]:
    for seed in TARGETS[target].seeds:
        if seed == POPULATION:
            yield from scans.seeds(target, LARGEST)
            continue
        pattern, _, part = seed.partition(" ")
        if "*" not in pattern and "/" not in pattern:
            yield from (path.read_bytes() for path in made if path.suffix == f".{pattern}")
        for path in sorted(VECTORS.glob(pattern)):
            data = path.read_bytes()
            yield b64decode(json.loads(data)["payload"]) if part == "payload" else data


def _fuzzed(python: Path, target: str, seeds: Iterator[bytes], seconds: int) -> Outcome:
    place = cache() / "fuzz" / re.sub(r"\W+", "-", target)
    corpus, first, faults = place / "corpus", place / "seeds", place / "faults"
    for folder in (corpus, first, faults):
        folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds):
        (first / f"{i:04}").write_bytes(seed[:LARGEST])
    options = {
        "max_total_time": seconds,
        "max_len": LARGEST,
        "timeout": 5,
        "artifact_prefix": f"{faults}/",
        "print_final_stats": 1,
    }
    command = [str(python), "-m", "benchmarks.fuzz.target", target]
    command += [f"-{name}={value}" for name, value in options.items()]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    done = subprocess.run(
        [*command, str(corpus), str(first)], env=env, capture_output=True, check=False, cwd=place
    )
    return _outcome(
        done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace"), done.returncode
    )


def _outcome(told: str, code: int) -> Outcome:
    found = re.search(r"stat::number_of_executed_units:\s*(\d+)", told)
    inputs = int(found[1]) if found else 0
    if code == 0 and inputs:
        return Outcome(inputs, "")
    lines = [line for line in told.splitlines() if not line.startswith(("#", "INFO", "stat::"))]
    return Outcome(inputs, "\n".join(["exit code", str(code), *lines[-30:]]))
