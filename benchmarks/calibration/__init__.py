"""Clean cheque readers, measured: the calibration that `probe` ships, and what it is worth.

A run trains and measures the twins that are missing, ``TWINS`` in all, then clean readers that no
calibration knows and attacked ones; each is kept as it comes, so that a killed run goes on where it
ended. The short form leaves the held-out readers at four.
"""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks.calibration.readers import attacked, clean, trained
from benchmarks.environments import cache
from benchmarks.results import ROOT, Bar, write
from credenza.cheques import digits, reader
from credenza.cheques.digits import SMALL, UnavailableError
from credenza.files import write_whole
from credenza.findings import Report
from credenza.probe import DETECTORS, Calibration, Plan, Subject, Twin, calibrate, made_here, probe
from credenza.probe.twins import MOST_LOST
from credenza.rates import interval
from credenza.training import Recipe

SHIPPED: Final = ROOT / "src" / "credenza" / "probe" / "shipped" / "mnist-reader.json"
TWINS: Final = 40
TRUSTED: Final = 1000
POPULATION: Final = (
    f"{TWINS} cheque readers (credenza.cheques.reader), each trained on 80 % of MNIST with a seed "
    "of its own, for 300 or 600 steps; half of them trained on, pruned or rounded afterwards; less "
    f"those that read {MOST_LOST:.0%} worse than most"
)
SEED: Final = 7_100_000
"""Of twins; held-out readers have the hundred thousand after it, attacked ones the next."""


def run(*, full: bool) -> None:
    plan = plan_of_readers()
    calibration = _calibrated(plan)
    if not SHIPPED.exists() or _same(Calibration.read(SHIPPED)) != _same(calibration):
        write_whole(SHIPPED, bytes(calibration))
    held_out = [_probed(clean(plan, i), plan, calibration) for i in range(12 if full else 2)]
    hit = [_probed(attacked(plan, i), plan, calibration) for i in range(6 if full else 2)]
    packages = ["credenza", "torch", "numpy"]
    text = _text(calibration, held_out, hit)
    write(
        "calibration", "Calibration of `probe`", text, _bars(held_out, hit, calibration), packages
    )


def plan_of_readers() -> Plan:
    """Raises `UnavailableError` where MNIST cannot be had: nothing else may be shipped."""
    every = digits.load()
    if every.source == SMALL:
        raise UnavailableError("MNIST could not be fetched")
    order = np.random.default_rng(0).permutation(len(every.train))
    return Plan(
        factory=reader.build,
        trainer=trained,
        data=every.train.take(order[TRUSTED:]),
        trusted=every.train.take(order[:TRUSTED]),
        recipe=Recipe(),
        detectors=DETECTORS,
        seed=SEED,
    )


def _calibrated(plan: Plan) -> Calibration:
    kept = cache() / f"calibration-{_digest(plan)}.jsonl"
    known = _known(kept)
    started, done = time.monotonic(), 0

    def told(twin: Twin) -> None:
        nonlocal done
        done += 1
        with kept.open("ab") as file:
            file.write(msgspec.json.encode(twin) + b"\n")
        left = (time.monotonic() - started) / done * (TWINS - len(known) - done)
        print(f"  twin {len(known) + done} of {TWINS}, {left / 60:.1f} min left", file=sys.stderr)

    return calibrate(plan, TWINS, population=POPULATION, made=made_here(), known=known, told=told)


def _digest(plan: Plan) -> str:
    """Of the settings, and of the code of the reader and of all of the probe's room."""
    rooms = (ROOT / "src/credenza/probe", ROOT / "benchmarks/calibration")
    code = [p for room in rooms for p in sorted(room.glob("*.py"))]
    of = hashlib.sha256(str((plan.detectors, plan.seed, plan.samples, plan.share)).encode())
    for path in (*code, Path(reader.__file__)):
        of.update(path.read_bytes())
    return of.hexdigest()[:16]


def _known(kept: Path) -> tuple[Twin, ...]:
    """Twins of a run that was stopped. Half a line, of a kill, is left out."""
    found = {}
    for line in kept.read_bytes().splitlines() if kept.exists() else ():
        try:
            twin = msgspec.json.decode(line, type=Twin)
        except msgspec.MsgspecError:
            continue
        found[twin.seed] = twin
    return tuple(found.values())


def _same(calibration: Calibration) -> Calibration:
    """Without when and where it was made: what makes it another one."""
    return replace(calibration, made=made_here())


def _probed(made: tuple[Subject, str], plan: Plan, calibration: Calibration) -> tuple[str, Report]:
    subject, how = made
    report = probe(subject, plan.detectors, seed=0, calibration=calibration)
    print(f"  {how}: {len(report.findings)} findings", file=sys.stderr)
    return how, report


def _bars(
    held_out: list[tuple[str, Report]], hit: list[tuple[str, Report]], calibration: Calibration
) -> list[Bar]:
    alarms = sum(bool(r.findings) for _, r in held_out)
    found = sum(bool(r.findings) for _, r in hit)
    return [
        _share("false alarms, held-out clean readers", alarms, len(held_out), "<="),
        _share("attacked readers found", found, len(hit), ">="),
        Bar(bar="clean readers that calibrate", value=len(calibration.twins), unit="models"),
        Bar(bar="least p-value that they can give", value=calibration.least, unit=""),
    ]


def _share(name: str, hits: int, of: int, sense: str) -> Bar:
    low, high = interval(hits, of)
    name = f"{name} ({hits} of {of})"
    return Bar(bar=name, value=hits / of, unit="", sense=sense, low=low, high=high)


def _text(
    calibration: Calibration, held_out: list[tuple[str, Report]], hit: list[tuple[str, Report]]
) -> str:
    rows = [_row(how, report) for how, report in (*held_out, *hit)]
    return "\n".join(
        [
            f"The population: {calibration.population}. Statistics were measured with "
            f"{calibration.trusted} trusted digits that trained no reader. How `probe` does on "
            "hundreds of models is another page's; this one says what is shipped, and shows a few "
            "readers that are not in it. Intervals are exact (Clopper and Pearson).",
            "",
            "| reader | p-value | findings |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _row(how: str, report: Report) -> str:
    p_value = next((f.value for f in report.figures if f.name.startswith("p-value of all")), 1.0)
    said = "; ".join(f.what for f in report.findings[:3]) or "none"
    return f"| {how} | {p_value:.3f} | {said} |"
