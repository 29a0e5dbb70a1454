"""No honest file is accused: those of `tests/vectors/scan/honest`, and what PyTorch writes here."""

from __future__ import annotations

from pathlib import Path

import pytest

from credenza.findings import Report, Severity
from credenza.scan import scan
from tests.vectors.honest import torches

HONEST = Path(__file__).parents[1] / "vectors" / "scan" / "honest"
LIBRARIES = sorted(path for year in HONEST.iterdir() for path in year.iterdir())
WRITTEN_HERE = ("module-legacy.pth", "scripted.pt", "traced.pt", "exported.pt2", "views.pt")
"""Those that name the folder which their library lies in, and so are not kept."""


def accusations(report: Report) -> list[str]:
    """What speaks against an honest subject, or could not be read: nothing, it should be."""
    found = [f"{f.rule} {f}" for f in report.findings if f.severity >= Severity.MEDIUM]
    return [*found, *map(str, report.unread)]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_nobody_is_accused(library: Path) -> None:
    report = scan(library)
    assert not accusations(report)
    assert report.files


def test_every_honest_file_is_known() -> None:
    """But for UBJSON, and tensors outside of their model, which are bytes and nothing else."""
    unknown = {f.path for library in LIBRARIES for f in scan(library).files if not f.checks}
    assert unknown == {"xgboost-model.ubj", "external/model.onnx.data"}


@pytest.mark.parametrize("name", WRITTEN_HERE)
@pytest.mark.filterwarnings("ignore")
def test_nobody_is_accused_who_writes_programs_of_pytorch(name: str, tmp_path: Path) -> None:
    torches.files()[name](tmp_path / name)
    assert not accusations(scan(tmp_path / name))


def test_the_population_is_large_enough() -> None:
    assert sum(path.is_file() for path in HONEST.rglob("*")) >= 300
