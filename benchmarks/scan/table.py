"""What is found and who is accused, by us and by others, and what it costs."""

from __future__ import annotations

import compileall
import os
import random
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

import credenza
from benchmarks.environments import cache, environment, versions
from benchmarks.results import Bar, write
from benchmarks.scan import populations
from benchmarks.scan.answers import PEERS, QUIET, Answer, ask, counted
from benchmarks.scan.campaign import campaign
from benchmarks.scan.populations import Subject
from benchmarks.turns import Turns, peak, process, seconds
from credenza.findings import Severity
from credenza.rates import interval
from credenza.scan import scan

HERE: Final = Path(__file__).parent
MB: Final = 1e6
_SLOW: Final = "modelaudit"
"""It takes seconds a file, so it is shown a part: every so many files of each population."""

TEXT: Final = """
*Malicious* are the vectors of `tests/scan/population`, one at least of every class that
`scan` was built against, with payloads that do no harm; *honest* the files of
`tests/vectors/scan/honest`, as their libraries write them at their defaults in the versions of
three years; *packaged* the files that packages with models hold. Vectors and rules were written by
different hands, and both by us: the figures of others on them say what their users would miss here,
no more.

Each scanner runs by its command line's own function at its defaults (fickling by its interface for
programs, since its command line reads no archive), on one file at a time, in a process that is
forked after the imports. *Found* or *accused* is exit code 1 (aisbom: 2), *unreadable* any other
error, *unscanned* where it says that it looked at nothing, *silent* exit code 0. {slow} is asked
for every {step}. file of each population: it takes seconds for each. What our report names with
medium severity, which does not fail by default, is *said below the gate*: of others, who give exit
code 0 there too, that is not told apart.

Times are of whole processes, ours with compiled bytecode as pip leaves it, in turn with the
other's, from the least to the largest; *times as fast* is theirs over ours, of the medians, with
the 95 % of a bootstrap over the rounds. Intervals of rates are exact (Clopper and Pearson).
"""


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where everything is, and how much is measured."""

    peers: Path
    folder: Path
    full: bool
    told: list[str] = field(default_factory=list)

    @property
    def runs(self) -> int:
        return 11 if self.full else 5

    @property
    def step(self) -> int:
        """Of how many files the slow scanner is shown one."""
        return 10 if self.full else 50

    def tool(self, name: str) -> str:
        """The command of a peer."""
        return str(self.peers.parent / name)


Rows = Callable[[_Bench], Iterator[Bar]]
_BELOW: Final = "said below the gate"


def measure(*, full: bool) -> None:
    """All rows, and what they say."""
    compileall.compile_dir(Path(credenza.__file__).parent, quiet=1)  # as pip does when it installs
    os.environ.update(QUIET)
    folder = cache() / "scan"
    folder.mkdir(exist_ok=True)
    bench = _Bench(environment(HERE / "peers.txt", alone=True), folder, full)
    bars: list[Bar] = []
    for rows in ROWS:
        start = time.perf_counter()
        bars += list(rows(bench))
        print(f"  {rows.__name__[1:]}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    peers = versions(bench.peers, list(PEERS))
    told = ", ".join(f"{name} {version}" for name, version in peers.items())
    text = TEXT.format(slow=_SLOW, step=bench.step)
    text = "\n".join([text, *bench.told, f"The peers' environment: {told}.\n"])
    write("scan", "Scanning, beside the scanners", text, bars, ["credenza", "numpy"])


# --- who is found, who is accused --------------------------------------------------


def _malicious(bench: _Bench) -> Iterator[Bar]:
    subjects = populations.malicious()
    asked = _asked(bench, subjects)
    bench.told.append(_answers_table("Malicious", "found", subjects, asked))
    bench.told.append(_kinds_table(subjects, asked))
    ours = counted([a for _, a in asked["credenza"]])
    _name("silent on", asked["credenza"], "silent")
    yield Bar(bar="malicious vectors", value=len(subjects), unit="", sense=">=", target=400)
    yield _rate("… of them passed in silence", ours["silent"], len(subjects), 0)
    yield _rate(f"… of them {_BELOW}", ours[_BELOW], len(subjects), None)
    yield _rate("… of them unreadable", ours["unreadable"], len(subjects), None)


def _below_the_gate(answer: Answer) -> Answer:
    """The same, or that the report names what the default gate lets pass."""
    if answer.said != "silent":
        return answer
    worst = scan(answer.path).worst
    named = worst is not None and worst >= Severity.MEDIUM
    return replace(answer, said=_BELOW) if named else answer


def _honest(bench: _Bench) -> Iterator[Bar]:
    subjects = populations.honest()
    asked = _asked(bench, subjects)
    bench.told.append(_answers_table("Honest", "accused", subjects, asked))
    ours = counted([a for _, a in asked["credenza"]])
    _name("accuses", asked["credenza"], "found")
    _name("cannot read", asked["credenza"], "unreadable")
    yield Bar(bar="honest files and folders", value=len(subjects), unit="", sense=">=", target=150)
    yield _rate("… of them accused", ours["found"], len(subjects), 0)
    yield _rate("… of them unreadable", ours["unreadable"], len(subjects), None)


def _packaged(_: _Bench) -> Iterator[Bar]:
    subjects = populations.packaged()
    asked = ask("credenza", Path(sys.executable), [s.path for s in subjects])
    said = counted(asked)
    pairs = list(zip(subjects, asked, strict=True))
    _name("accuses", pairs, "found")
    _name("cannot read", pairs, "unreadable")
    yield _rate("packaged files accused", said["found"], len(asked), 0)
    yield _rate("packaged files unreadable", said["unreadable"], len(asked), None)


def _mutants(bench: _Bench) -> Iterator[Bar]:
    counts = campaign(200 if bench.full else 5, seed=2026, progress=None)
    mutants = sum(counts.values())
    yield _rate(f"mutants passed in silence, of {mutants:,}", counts["silent"], mutants, 0)


Asked = dict[str, list[tuple[Subject, Answer]]]


def _asked(bench: _Bench, subjects: Sequence[Subject]) -> Asked:
    """Every scanner's answers; the slow one's to a part."""
    asked: Asked = {}
    for tool in ("credenza", *PEERS):
        python = Path(sys.executable) if tool == "credenza" else bench.peers
        shown = subjects[:: bench.step] if tool == _SLOW else subjects
        answers = ask(tool, python, [s.path for s in shown])
        asked[tool] = list(zip(shown, answers, strict=True))
    asked["credenza"] = [(s, _below_the_gate(a)) for s, a in asked["credenza"]]
    return asked


def _name(what: str, asked: Sequence[tuple[Subject, Answer]], said: str) -> None:
    for subject, answer in asked:
        if answer.said == said:
            print(f"    credenza {what} {subject.kind}: {subject.path}", file=sys.stderr)


def _answers_table(title: str, found: str, subjects: Sequence[Subject], asked: Asked) -> str:
    lines = [
        f"**{title}**, {len(subjects)} files and folders:\n",
        f"| scanner | shown | {found} | {_BELOW} | unreadable | unscanned | silent "
        "| median | peak memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for tool, answers in asked.items():
        said = counted([a for _, a in answers])
        times = sorted(a.seconds for _, a in answers)
        most = max(a.peak for _, a in answers) / MB
        lines.append(
            f"| {tool} | {len(answers)} | {said['found']} "
            f"| {said[_BELOW] if tool == 'credenza' else '–'} | {said['unreadable']} "
            f"| {said['unscanned']} | {said['silent']} "
            f"| {1000 * times[len(times) // 2]:.0f} ms | {most:.0f} MB |"
        )
    return "\n".join([*lines, ""])


def _kinds_table(subjects: Sequence[Subject], asked: Asked) -> str:
    """How many of each kind of malicious file are found; of those that a scanner was shown."""
    kinds = sorted({s.kind for s in subjects})
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for tool, answers in asked.items():
        for subject, answer in answers:
            found[tool, subject.kind].append(answer.said == "found")
    tools = [tool for tool in asked if tool != _SLOW]
    lines = [
        f"| found, by kind | vectors | {' | '.join(tools)} |",
        f"| --- | --- |{' --- |' * len(tools)}",
    ]
    for kind in kinds:
        cells = " | ".join(str(sum(found[tool, kind])) for tool in tools)
        lines.append(f"| {kind} | {sum(s.kind == kind for s in subjects)} | {cells} |")
    return "\n".join([*lines, ""])


def _rate(bar: str, count: int, of: int, target: float | None) -> Bar:
    low, high = interval(count, of)
    return Bar(
        bar=f"{bar}: {count} of {of:,}",
        value=100 * count / of,
        unit="%",
        target=target,
        low=100 * low,
        high=100 * high,
    )


# --- what it costs -------------------------------------------------------------------


def _large(bench: _Bench) -> Iterator[Bar]:
    """Files of 524 MB, against hayward."""
    for suffix, path in _large_files(bench.folder).items():
        ours = (sys.executable, "-m", "credenza", "scan", str(path))
        theirs = (bench.tool("hayward"), "scan", str(path))
        turns = Turns.taken(process(*ours), process(*theirs), bench.runs)
        yield from turns.bars(f"scan of 524 MB {suffix}, whole process: hayward", 1.0)
        memory = peak(*ours) / MB
        yield Bar(bar=f"… memory of credenza, {suffix}", value=memory, unit="MB", target=60)


def _weighed(bench: _Bench) -> Iterator[Bar]:
    """The same with every weight looked at, and a digest of every byte."""
    path = _large_files(bench.folder)[".safetensors"]
    command = (sys.executable, "-m", "credenza", "scan", "--weights", "--digest", str(path))
    timed = process(*command)
    timed()
    times = [timed() for _ in range(bench.runs)]
    yield seconds("scan of 524 MB .safetensors with --weights --digest, whole process", times, 2)
    yield Bar(bar="… memory", value=peak(*command) / MB, unit="MB", target=120)


def _large_files(folder: Path) -> dict[str, Path]:
    """300 tensors of float32, as PyTorch and safetensors write them."""
    paths = {suffix: folder / f"large{suffix}" for suffix in (".pt", ".safetensors")}
    if not all(path.exists() for path in paths.values()):
        import torch
        from safetensors.torch import save_file

        rng = np.random.default_rng(0)
        shape = (436, 1000)
        state = {
            f"layers.{i}.weight": torch.from_numpy(
                rng.normal(scale=0.02, size=shape).astype(np.float32)
            )
            for i in range(300)
        }
        torch.save(state, paths[".pt"])
        save_file(state, paths[".safetensors"])
    return paths


def _small_pickles(bench: _Bench) -> Iterator[Bar]:
    """200 pickles of scikit-learn and pandas, about 1 MB in all."""
    folder = bench.folder / "pickles"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    pickles = [
        s.path
        for s in populations.honest()
        if s.path.suffix == ".pkl" and s.kind in ("scikit-learn", "pandas")
    ]
    small = sorted(pickles, key=lambda path: path.stat().st_size)[: len(pickles) * 3 // 4]
    for i in range(200):
        shutil.copy(small[i % len(small)], folder / f"{i:03}.pkl")
    ours = process(sys.executable, "-m", "credenza", "scan", str(folder))
    theirs = _ended(bench.tool("picklescan"), "-p", str(folder))
    turns = Turns.taken(ours, theirs, bench.runs)
    yield from turns.bars("scan of 200 small pickles, whole process: picklescan", 0.5)
    once = _ended(bench.tool(_SLOW), "scan", "--no-cache", str(folder))
    yield from Turns((ours(),), (once(),)).bars("… modelaudit, once", 50)


def _ended(*command: str) -> Callable[[], float]:
    """A whole process, whatever it finds."""

    def timed() -> float:
        start = time.perf_counter()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        done = subprocess.run(command, check=False, **quiet)  # type: ignore[call-overload]
        if done.returncode not in (0, 1, 2):
            raise RuntimeError(f"{command[0]} ended with {done.returncode}")
        return time.perf_counter() - start

    return timed


def _tree(bench: _Bench) -> Iterator[Bar]:
    """10,000 files, and 2,500, to see that time goes with their number."""
    times = []
    for count in (2_500, 10_000):
        folder = bench.folder / f"tree-{count}"
        if not folder.exists():
            _grow(folder, count)
        timed = process(sys.executable, "-m", "credenza", "scan", str(folder))
        times.append(min(timed() for _ in range(2)))
    yield Bar(bar="scan of a tree of 10,000 files", value=times[1], unit="s", target=60)
    yield Bar(
        bar="… times that of 2,500 files (linear is 4)",
        value=times[1] / times[0],
        unit="×",
        target=6,
    )


def _grow(folder: Path, count: int) -> None:
    """Files of every honest kind, a hundred a folder."""
    files = [p for s in populations.honest() for p in ([s.path] if s.path.is_file() else [])]
    chosen = random.Random(0).choices([p for p in files if p.stat().st_size < 20_000], k=count)  # noqa: S311
    for i, path in enumerate(chosen):
        target = folder / f"{i // 100:03}" / f"{i % 100:02}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _start_up(bench: _Bench) -> Iterator[Bar]:
    path = bench.folder / "tiny.pkl"
    path.write_bytes(b"\x80\x04}\x94.")
    timed = process(sys.executable, "-m", "credenza", "scan", str(path))
    timed()
    times = [timed() for _ in range(4 * bench.runs)]
    yield seconds("credenza scan of a tiny file, whole process", times, 0.25)


ROWS: Final[tuple[Rows, ...]] = (
    _start_up,
    _large,
    _weighed,
    _small_pickles,
    _tree,
    _honest,
    _packaged,
    _malicious,
    _mutants,
)
