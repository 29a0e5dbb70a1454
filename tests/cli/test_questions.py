"""What else a scan can be asked: weights, and what changed since a trusted model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .test_cli import Run


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in (("old", 1.0), ("new", 2.0)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "w.npy", np.full((4, 4), value))
    return tmp_path


def told(run: Run, *arguments: str) -> dict[str, dict[str, object]]:
    reports = json.loads(run("scan", *arguments, "--json").out)["reports"]
    return {report["examination"]: report for report in reports}


def test_a_report_for_each_question(models: Path, run: Run) -> None:
    assert told(run, "new").keys() == {"scan"}
    assert told(run, "new", "--weights").keys() == {"scan", "weights"}
    both = told(run, "new", "--weights", "--against", "old")
    assert both.keys() == {"scan", "weights", "diff"}
    assert {report["subject"] for report in both.values()} == {"new"}
    assert both["diff"]["findings"]
    assert not told(run, "old", "--against", "old")["diff"]["findings"]


def test_a_model_to_compare_with_that_is_not_there_is_said_first(models: Path, run: Run) -> None:
    done = run("scan", "new", "--against", "none", "--html", "r.html")
    assert (done.code, done.out) == (2, "")
    assert "--against none: no such file or folder" in done.err
    assert not (models / "r.html").exists()


@pytest.mark.parametrize("options", [["--weights"], ["--against", "old"]])
def test_what_another_question_comes_to_takes_nothing_from_the_scan(
    options: list[str], models: Path, run: Run
) -> None:
    """A file that breaks off, which `credenza diff` refuses to open at all."""
    (models / "new" / "torn.npy").write_bytes(b"\x93NUMPY\x01\x00")
    done = run("scan", "new", *options, "--json")
    scan, other = json.loads(done.out)["reports"]
    assert done.code == 2
    assert (scan["examination"], bool(scan["files"])) == ("scan", True)
    assert other["unread"]
