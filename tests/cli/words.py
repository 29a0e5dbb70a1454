"""A rule that stands in for the real ones, and a folder that is scanned with it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import credenza.check
import credenza.scan
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan import Piece, scan
from credenza.scan.interface import Seen


@dataclass(frozen=True)
class Words:
    """Finds the names of severities, and ``torn``; claims what does not end in ``.xyz``."""

    name: str = "words"

    def claims(self, piece: Piece) -> bool:
        return not piece.path.endswith(".xyz")

    def examine(self, piece: Piece) -> Iterator[Seen]:
        data = piece.pread(0, min(piece.size, 1000))
        for severity in Severity:
            if severity.value.encode() in data:
                yield Finding(
                    rule="scan.bomb", severity=severity, what="a word", found=severity.value
                )
        if b"torn" in data:
            yield Unread(where=Where(), why="it breaks off")
        if b"interrupt" in data:
            raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder beside which we stand; scans look for words alone."""
    known = functools.partial(scan, rules=(Words(),), containers=())
    monkeypatch.setattr(credenza.scan, "scan", known)
    monkeypatch.setattr(credenza.check, "scan", known)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    return tmp_path / "m"


def written(folder: Path, **files: str) -> Path:
    """With these files: ``a_bin`` is ``a.bin``."""
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder
