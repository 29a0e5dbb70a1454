"""Where benchmarks keep what they make, and the environments that peers are installed in."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results import ROOT


def cache() -> Path:
    """A folder outside the repository: in ``CREDENZA_CACHE``, else in the temporary folder."""
    above = os.environ.get("CREDENZA_CACHE") or tempfile.gettempdir()
    path = Path(above).resolve() / "credenza-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


def environment(requirements: Path, *, alone: bool = False) -> Path:
    """The Python of a virtual environment with those requirements, made once and kept in `cache`.

    Versions that neither the requirements nor ``constraints.txt`` name are the newest, as a user
    gets them on the day on which the environment is made; with ``alone``, ours name none.
    """
    constraints = ROOT / "constraints.txt"
    limits = [] if alone else ["-c", str(constraints)]
    told = requirements.read_bytes() + sys.version.encode()
    told += b"" if alone else constraints.read_bytes()
    name = f"{requirements.parent.name}-{hashlib.sha256(told).hexdigest()[:12]}"
    folder = cache() / "environments" / name
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        print(f"  installing {requirements.relative_to(ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        with (folder / "pip.log").open("wb") as log:
            asked = [*limits, "-r", str(requirements)]
            subprocess.run([*pip, *asked], check=True, stdout=log, stderr=log)
        ready.touch()  # last, so that an interrupted install is made again
    return python


def versions(python: Path, packages: list[str]) -> dict[str, str]:
    """The versions of packages that are installed in that environment."""
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]), sep='\\n')"
    command = [str(python), "-c", code, *packages]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(zip(packages, done.stdout.split(), strict=True))
