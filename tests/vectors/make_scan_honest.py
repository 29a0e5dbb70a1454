"""Writes the honest files of `scan`, each library in the environments that it has a version for.

    python -m tests.vectors.make_scan_honest [FOLDER]

It installs the environments (`honest/environments/*.txt`, about 3 GB in all, outside of the
repository) and writes to ``scan/honest/YEAR/LIBRARY-VERSION/``. A rebuild gives files of the same
kinds, not the same bytes: some libraries write times and addresses. What names the folder that its
library lies in (PyTorch's programs do) is not kept; the tests write such files anew. Within an
environment:

    python make_scan_honest.py --here FOLDER
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
LIBRARIES = ("numpys", "sklearns", "pandases", "boosters", "onnxes", "torches", "others", "plains")
"""dill comes last: where it was imported, pickle and joblib write other files."""


def everywhere(folder: Path) -> None:
    """All environments, one after the other."""
    from benchmarks.environments import environment

    shutil.rmtree(folder, ignore_errors=True)
    for requirements in sorted((HERE / "honest" / "environments").glob("*.txt")):
        python = environment(requirements, alone=True)
        target = folder / requirements.stem
        subprocess.run([str(python), __file__, "--here", str(target)], check=True)


def here(folder: Path) -> None:
    """Every library that this environment has."""
    sys.path.insert(0, str(HERE))
    for name in LIBRARIES:
        module = importlib.import_module(f"honest.{name}")
        try:
            files = module.files()
        except ModuleNotFoundError as e:
            sys.stderr.write(f"  {folder.name}: no {e.name}, so none of {name}\n")
            continue
        version = importlib.metadata.version(module.DISTRIBUTION).partition("+")[0]
        target = folder / f"{module.DISTRIBUTION}-{version}"
        target.mkdir(parents=True)
        for file, write in files.items():
            write(target / file)
            if _names_home(target / file):
                (target / file).unlink()


def _names_home(path: Path) -> bool:
    """True for a file that holds the path of the environment, in plain or in a ZIP archive."""
    home = os.fsencode(sys.prefix)
    if not zipfile.is_zipfile(path):
        return path.is_file() and home in path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return any(home in archive.read(name) for name in archive.namelist())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--here", where]:
            here(Path(where))
        case [where]:
            everywhere(Path(where))
        case _:
            everywhere(HERE / "scan" / "honest")
