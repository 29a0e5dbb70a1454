"""Run benchmarks: ``python -m benchmarks [NAME…]``; FULL=1 in the environment for the long form."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path


def main() -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `credenza.cli` does, and why
    names = sys.argv[1:] or subjects()
    unknown = sorted(set(names) - set(subjects()))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(subjects())}")
    for name in names:
        print(f"benchmark {name}", file=sys.stderr)
        importlib.import_module(f"benchmarks.{name}").run(full=os.environ.get("FULL") == "1")


def subjects() -> list[str]:
    """The names of all benchmarks: the folders beside this file."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py"))


if __name__ == "__main__":
    main()
