"""``credenza log``, and receipts at ``seal`` and ``verify``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from credenza.cli.log import check_logged
from credenza.errors import UntrustedError
from tests.cli.test_cli import Run, model, run, sealed

__all__ = ["model", "run", "sealed"]  # fixtures


@pytest.fixture
def ledger(tmp_path: Path, run: Run) -> Path:
    assert run("log", "new", tmp_path / "ledger", "--origin", "example.com/models").code == 0
    return tmp_path / "ledger"


def vkey(ledger: Path) -> Path:
    return ledger.with_name("ledger.vkey")


def test_a_seal_is_logged_and_proved_by_its_receipt(model: Path, ledger: Path, run: Run) -> None:
    key, receipt = model.parent / "key", model.parent / "r.tlog-proof"
    run("keys", "new", "--out", key)
    assert run("seal", model, "--key", key, "--log", ledger, "--receipt", receipt).code == 0
    logged = ("--receipt", receipt, "--log-key")
    check = ("verify", model, "--trust", f"{key}.pub", *logged)
    assert run(*check, vkey(ledger)).code == 0
    assert run(*check, vkey(ledger).read_text().strip()).code == 0
    shown = [line.split()[1:3] for line in run("log", "show", ledger).out.splitlines()]
    assert shown[0][0] == "envelope"
    assert shown[1][1] == "sealed"
    told = [json.loads(line) for line in run("log", "show", ledger, "--json").out.splitlines()]
    assert json.loads(told[0]["envelope"])["payloadType"] == "application/vnd.in-toto+json"
    assert told[1]["act"]["action"] == "sealed"

    other = model.parent / "other"
    run("keys", "new", "--out", other)
    assert run("seal", model, "--key", other).code == 0  # another seal, which is in no log
    done = run("verify", model, "--trust", f"{other}.pub", *logged, vkey(ledger))
    assert done.code == 1
    assert "inclusion of entry 0" in done.err


def test_a_receipt_needs_its_witnesses(model: Path, ledger: Path, run: Run, tmp_path: Path) -> None:
    key, receipt = tmp_path / "key", tmp_path / "r.tlog-proof"
    run("keys", "new", "--out", key)
    run("seal", model, "--key", key, "--log", ledger)
    for name in ("w1", "w2"):
        flags = ["--ml-dsa"] if name == "w2" else []
        made = run("log", "key", "--out", tmp_path / name, "--name", f"example.com/{name}", *flags)
        assert made.code == 0
    service = _serve(tmp_path, ledger)
    try:
        url = service.stderr.readline().split()[-1] if service.stderr else ""
        assert run("log", "cosign", ledger, tmp_path / "w1.vkey", url).code == 0
    finally:
        service.terminate()
        service.communicate()
    assert run("log", "prove", ledger, 0, "--out", receipt).code == 0

    witnessed = ("--log-key", vkey(ledger), "--witness", tmp_path / "w1.vkey")
    check = ("verify", model, "--trust", f"{key}.pub", "--receipt", receipt, *witnessed)
    assert run(*check).code == 0
    done = run(*check, "--witness", tmp_path / "w2.vkey")
    assert done.code == 1
    assert "2 of the witnesses" in done.err
    assert run(*check, "--witness", tmp_path / "w2.vkey", "--threshold", 1).code == 0
    assert run("log", "verify", ledger, "--witness", tmp_path / "w1.vkey").code == 0
    assert run("log", "verify", ledger, "--witness", tmp_path / "w2.vkey").code == 1


def _serve(folder: Path, ledger: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "credenza", "log", "witness", "--listen", "127.0.0.1:0"]
    command += ["--key", str(folder / "w1.key"), "--state", str(folder / "state")]
    command += ["--log", str(vkey(ledger))]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_what_was_seen_is_remembered(sealed: Path, ledger: Path, run: Run) -> None:
    trust, seen = sealed.parent / "key.pub", sealed.parent / "seen"
    shutil.copytree(ledger, sealed.parent / "old")
    run("verify", sealed, "--trust", trust, "--log", ledger)
    assert run("log", "verify", ledger, "--seen", seen).code == 0
    assert seen.read_bytes() == (ledger / "checkpoint").read_bytes()
    run("verify", sealed, "--trust", trust, "--log", ledger)
    done = run("log", "verify", ledger, "--seen", seen, "--json")
    assert json.loads(done.out)["size"] == 2
    before = seen.read_bytes()

    shutil.rmtree(ledger)
    shutil.copytree(sealed.parent / "old", ledger)
    done = run("log", "verify", ledger, "--seen", seen)
    assert done.code == 1
    assert "fewer entries than it once had" in done.err
    assert seen.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("log", "new", "ledger", "--origin", "a"), "cannot be made: File exists"),
        (("log", "new", "b", "--origin", "a b"), "key name"),
        (("log", "prove", "ledger", "0", "--out", "r"), "entry 0 to -1 expected"),
        (("log", "verify", "ledger", "--log-key", "none"), "none cannot be read"),
        (("log", "verify", "ledger", "--log-key", "a+b+c"), "verifier key"),
        (("log", "cosign", "ledger", "w", "http://127.0.0.1:1"), "w cannot be read"),
        (
            ("log", "witness", "--listen", "x", "--key", "k", "--state", "s", "--log", "l"),
            "HOST:PORT",
        ),
        (("seal", "reader", "--key", "key", "--receipt", "r"), "--log LEDGER expected"),
        (("verify", "reader", "--trust", "key.pub", "--receipt", "r"), "--log-key VKEY expected"),
        (("verify", "reader", "--trust", "key.pub", "--witness", "w"), "--receipt FILE expected"),
    ],
)
def test_a_wrong_call_leaves_nothing_behind(
    sealed: Path,
    ledger: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(sealed.parent)
    before = sorted(sealed.parent.rglob("*"))
    done = run(*arguments)
    assert done.code == 2
    assert message in done.err
    assert sorted(sealed.parent.rglob("*")) == before


def test_a_swapped_seal_does_not_pass_with_the_logged_ones_receipt(
    sealed: Path, ledger: Path, run: Run
) -> None:
    """The seal's file is read twice: exchanging it in between must not help."""
    receipt, key = sealed.parent / "r", sealed.parent / "key"
    run("seal", sealed, "--key", key, "--log", ledger, "--receipt", receipt)
    with pytest.raises(UntrustedError, match="of a seal of"):
        check_logged(receipt, sealed, "0f" * 32, str(vkey(ledger)), None, None)
