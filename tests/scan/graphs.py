"""Scanning bytes and vectors of the graph formats (tests/vectors/make_scan_graphs.py)."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from credenza.artifact.interface import Held
from credenza.findings import Finding, Report, Severity
from credenza.scan import CONTAINERS, Budget, Piece, scan
from credenza.scan.interface import Seen

FOLDER = Path(__file__).parent.parent / "vectors" / "scan" / "graphs"
HONEST = FOLDER / "honest"
EVIL = FOLDER / "evil"


@dataclass(frozen=True)
class Members:
    """Opens a ZIP archive as zipfile sees it, where the room has no container for it."""

    name: str = "zip"

    def claims(self, piece: Piece) -> bool:
        return piece.head(4) == b"PK\x03\x04"

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        with zipfile.ZipFile(io.BytesIO(piece.pread(0, piece.size))) as archive:
            for name in archive.namelist():
                data = archive.read(name)
                budget.take(len(data))
                yield piece.member(name, Held(name, data))


def scanned(path: Path) -> Report:
    """A scan that looks into archives."""
    return scan(path, containers=CONTAINERS or (Members(),))


def of(name: str, data: bytes) -> Report:
    """A scan of a file of that name."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        return scanned(Path(folder) / name)


def accused(report: Report) -> list[str]:
    """What would stop a person: rule and evidence of each finding at medium or above."""
    return [f"{f.rule}: {f.found}" for f in report.findings if f.severity >= Severity.MEDIUM]


def worst(report: Report) -> tuple[str, str, str]:
    """The severity, the rule and the evidence of the worst finding."""
    first: Finding = report.findings[0]
    return first.severity.value, first.rule, first.found
