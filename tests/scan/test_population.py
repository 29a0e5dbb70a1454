"""Every malicious vector is found, or is said to be unread; none runs, and none is straw."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from credenza.findings import Report, Severity
from credenza.scan import Limits, scan
from tests.scan.population import MARKER, MODULES, Malicious, area, population
from tests.scan.population.zips import zipped

CATEGORIES: Final = {
    "pickle": 75,
    "pickle-evasion": 57,
    "pickle-gadget": 127,
    "torch": 13,
    "joblib": 5,
    "numpy": 3,
    "archive": 22,
    "keras h5": 7,
    "keras v3": 4,
    "onnx": 4,
    "gguf": 3,
    "jinja": 26,
    "safetensors": 8,
    "skops": 1,
    "pmml": 1,
    "tf": 1,
    "tflite": 1,
    "python": 30,
    "native": 10,
    "names": 10,
    "config": 5,
}
"""By category: as many as the other scanners were measured on, or more."""

FUZZED: Final = Path(__file__).parents[1] / "vectors" / "scan"
"""Inputs at which the fuzzer stopped."""
LIMITS: Final = Limits(unpacked=1 << 26)
"""Bombs, of over 1 GiB, are known as such sooner."""

LOADERS: Final = {
    "pickle": "import pickle\ndef load(path):\n    with open(path, 'rb') as f: pickle.load(f)",
    "torch": "import torch\ndef load(path): torch.load(path, weights_only=False)",
    "joblib": "import joblib\ndef load(path): joblib.load(path)",
    "numpy": "import numpy\ndef load(path): numpy.load(path, allow_pickle=True)",
}
_LOAD: Final = """
import os, sys
for line in sys.stdin.read().splitlines():
    folder, _, path = line.partition("\\t")
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        continue
    try:
        os.chdir(folder)
        load(path)
    finally:
        os._exit(0)
"""


@dataclass(frozen=True)
class Verdict:
    """What a scan said of a vector."""

    vector: Malicious
    report: Report

    @property
    def found(self) -> bool:
        worst = self.report.worst
        return worst is not None and worst >= self.vector.least

    @property
    def silent(self) -> bool:
        """No answer that keeps anybody from loading it."""
        return not (self.found or self.report.unread)

    def __str__(self) -> str:
        worst = self.report.worst
        said = worst.value if worst else "nothing"
        return f"{self.vector.name}: {said}, expected {self.vector.least.value}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that a scan does leaves the marker behind."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob(MARKER))


def verdicts(category: str, folder: Path) -> list[Verdict]:
    found = []
    for i, vector in enumerate(v for v in population() if v.category == category):
        found.append(Verdict(vector, scan(vector.lay(folder / f"{i}"), limits=LIMITS)))
    return found


@pytest.mark.parametrize("category", CATEGORIES)
def test_all_are_found(category: str, tmp_path: Path) -> None:
    seen = verdicts(category, tmp_path)
    assert not [str(v) for v in seen if v.silent], "silent"
    weak = [v for v in seen if not v.found and not v.vector.unread_will_do]
    assert not [str(v) for v in weak], "only unread"


def test_there_are_enough_of_every_class() -> None:
    counts = Counter(v.category for v in population())
    assert counts.keys() == CATEGORIES.keys()
    assert not [c for c, least in CATEGORIES.items() if counts[c] < least]


def test_each_has_a_name_of_its_own_and_bytes_of_its_own() -> None:
    assert len({v.name for v in population()}) == len(population())
    copies = Counter(v.files for v in population())
    assert not [files[0][0] for files, count in copies.items() if count > 1]
    assert all(v.reference and v.data is not None for v in population())


@pytest.mark.parametrize("module", MODULES)
def test_the_bytes_are_the_same_every_time(module: str) -> None:
    again = area(module)
    held = {v.name: v for v in population()}
    assert again == tuple(held[v.name] for v in again)


def test_what_a_file_may_leave_to_unread_is_rare() -> None:
    left = [v for v in population() if v.unread_will_do]
    assert len(left) < len(population()) / 20
    assert all(v.least >= Severity.MEDIUM for v in population())


@pytest.mark.parametrize(
    "path", sorted(p for p in FUZZED.iterdir() if p.is_file()), ids=lambda p: p.name
)
def test_what_the_fuzzer_found_is_quick(path: Path, tmp_path: Path) -> None:
    """Under the fuzzer each took over 5 seconds: pieces in pieces, more with every level."""
    many = tmp_path / "many.zip"
    many.write_bytes(zipped({f"{i}.zip": path.read_bytes() for i in range(16)}))
    start = time.monotonic()
    report = scan(many)
    assert time.monotonic() - start < 5
    assert report.findings or report.unread


@pytest.mark.parametrize("loader", LOADERS)
def test_payloads_really_run(loader: str, tmp_path: Path) -> None:
    """Each in a process and a folder of its own, by the real loader: it leaves its marker."""
    live = {v: v.lay(tmp_path / f"{i}") for i, v in enumerate(population()) if v.live == loader}
    assert len(live) >= 5
    lines = "\n".join(f"{folder}\t{vector.path}" for vector, folder in live.items())
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADERS[loader] + _LOAD],
        input=lines.encode(), capture_output=True, check=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    late = time.monotonic() + 5  # some start another process, and do not wait for it
    waiting = dict(live)
    while waiting and time.monotonic() < late:
        waiting = {v: f for v, f in waiting.items() if not (f / MARKER).exists()}
    assert not [v.name for v in waiting]
    for folder in live.values():
        shutil.rmtree(folder)
