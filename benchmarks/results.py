"""What a benchmark leaves behind: figures with their targets, and a page for people."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure and what it was to reach. ``low`` and ``high`` end its interval, if it has one: 95 %
    for a rate, least to largest for repeated timings, as the benchmark's text says.

    ``sense`` is ``<=`` or ``>=``: how the value is to stand to the target. Without a target the
    figure is there to be read.
    """

    bar: str
    value: float
    unit: str
    sense: str = "<="
    target: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None where there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.sense == "<=" else self.value >= self.target


def write(name: str, title: str, text: str, bars: Sequence[Bar], packages: Sequence[str]) -> None:
    """Write ``benchmarks/results/NAME.json`` and ``docs/results/NAME.md``."""
    record = {
        "name": name,
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {package: metadata.version(package) for package in packages},
        "commit": commit(),
        "bars": [{**asdict(bar), "met": bar.met} for bar in bars],
    }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    pages = ROOT / "docs" / "results"
    pages.mkdir(exist_ok=True)
    (pages / f"{name}.md").write_text(_page(title, text, record))


def machine() -> str:
    """Cores, memory and processor, in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, {platform.system()}"


def commit() -> str:
    """The commit that was measured, with ``+`` where the tree had changes on top of it."""
    run = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty=+"]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


def _page(title: str, text: str, record: dict[str, Any]) -> str:
    rows = "\n".join(_row(bar) for bar in record["bars"])
    versions = ", ".join(f"{k} {v}" for k, v in record["versions"].items())
    return (
        f"# {title}\n\n{text.strip()}\n\n"
        "| figure | value | interval | target | met |\n"
        f"| --- | --- | --- | --- | --- |\n{rows}\n\n"
        f"Measured {record['when']} on {record['machine']}; commit {record['commit']}; "
        f"{versions}. `make bench-{record['name']}` measures again.\n"
    )


def _row(bar: dict[str, Any]) -> str:
    interval = "" if bar["low"] is None else f"{bar['low']:.4g} to {bar['high']:.4g}"
    target = "" if bar["target"] is None else f"{bar['sense']} {bar['target']:g}"
    met = {True: "yes", False: "**no**", None: ""}[bar["met"]]
    return f"| {bar['bar']} | {bar['value']:.4g} {bar['unit']} | {interval} | {target} | {met} |"
