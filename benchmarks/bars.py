"""Print each bar that falls short, or was measured before the code that it speaks of."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.results import HERE, ROOT


def main() -> None:
    short = 0
    for path in sorted((HERE / "results").glob("*.json")):
        record = json.loads(path.read_text())
        if _changed_since(record["commit"].rstrip("+")):
            print(f"{record['name']}: older than the code (measured at {record['commit']})")
            short += 1
        for bar in record["bars"]:
            if bar["met"] is False:
                aim = f"{bar['sense']} {bar['target']:g}"
                print(f"{record['name']}: {bar['bar']}: {bar['value']:.4g}, not {aim}")
                short += 1
    sys.exit(1 if short else 0)


def _changed_since(commit: str) -> bool:
    run = ["git", "-C", str(ROOT), "diff", "--quiet", commit, "--", "src"]
    return subprocess.run(run, capture_output=True, check=False).returncode != 0


if __name__ == "__main__":
    main()
