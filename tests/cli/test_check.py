"""``credenza check``: the seal and the scan in one answer."""

from __future__ import annotations

import json
from pathlib import Path

from .test_cli import Run
from .words import written


def test_check_without_a_seal_says_that_nobody_vouches(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    done = run("check", "m")
    assert done.code == 0
    assert "who vouches for it: m has no seal" in done.out
    written(folder, a_bin="high")
    assert run("check", "m").code == 1


def test_check_holds_a_seal_against_a_trust(folder: Path, run: Run) -> None:
    model = written(folder, a_bin="nothing")
    for name in ("mine", "other"):
        run("keys", "new", "--out", name)
    done = run("check", model, "--trust", "mine.pub")
    assert done.code == 1
    assert "has no seal" in done.out
    run("seal", model, "--key", "mine")
    done = run("check", model)
    assert done.code == 0
    assert "no trust was given to hold it against" in " ".join(done.out.split())
    done = run("check", model, "--trust", "mine.pub", "--json")
    seal, looked, weights = json.loads(done.out)["reports"]
    assert done.code == 0
    assert len(bytes.fromhex(seal["root"])) == 32
    assert (looked["examination"], weights["examination"]) == ("scan", "weights")
    assert run("check", model, "--trust", "other.pub").code == 1
    written(folder, a_bin="nothinG")
    done = run("check", model, "--trust", "mine.pub", "--sarif", "r.sarif")
    assert done.code == 1
    assert "a.bin" in done.out
    results = json.loads(Path("r.sarif").read_text())["runs"][0]["results"]
    assert [r["ruleId"] for r in results] == ["seal.bytes-altered"]


def test_check_of_a_seal_that_is_none(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    (folder / "credenza.seal").write_text("no seal")
    done = run("check", "m")
    assert done.code == 1
    assert "seal.not-vouched" in done.out
    assert run("check", "nowhere").code == 2
