"""``credenza encrypt``, ``decrypt``, ``rekey``, ``keys recipient``."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.cli.test_cli import Run, _trust, model, run, sealed

__all__ = ["model", "run", "sealed"]


@pytest.fixture
def encrypted(sealed: Path, run: Run) -> Path:
    folder = sealed.parent
    assert run("keys", "recipient", "--out", folder / "r").code == 0
    done = run(
        "encrypt",
        sealed,
        "--to",
        folder / "r.pub",
        "--trust",
        _trust(sealed),
        "--out",
        folder / "enc",
    )
    assert done.code == 0
    assert "as it was sealed" in done.out
    assert "MLKEM768-X25519" in done.out
    assert done.err == ""
    return folder / "enc"


def test_there_and_back(encrypted: Path, sealed: Path, run: Run) -> None:
    folder, trust = encrypted.parent, _trust(sealed)
    done = run(
        "decrypt", encrypted, "--identity", folder / "r", "--trust", trust, "--out", folder / "p"
    )
    assert (done.code, done.err) == (0, "")
    assert "is what was sealed" in done.out
    assert run("verify", folder / "p", "--trust", trust).code == 0


def test_as_json_and_in_the_ledger(encrypted: Path, sealed: Path, run: Run) -> None:
    folder, trust, ledger = encrypted.parent, _trust(sealed), encrypted.parent / "ledger"
    assert run("log", "new", ledger, "--origin", "example.com/models").code == 0
    ours = ("--log", ledger, "--json", "--trust", trust)
    done = run("encrypt", sealed, "--to", folder / "r.pub", "--out", folder / "e", *ours)
    told = json.loads(done.out)
    assert len(told["recipients"]) == 1
    done = run("decrypt", folder / "e", "--identity", folder / "r", "--out", folder / "p", *ours)
    assert json.loads(done.out)["root"] == told["root"]
    assert json.loads(done.out)["model"] == str(folder / "p")
    shown = run("log", "show", ledger)
    assert [line.split()[2] for line in shown.out.splitlines()] == ["encrypted", "decrypted"]


def test_other_recipients(encrypted: Path, sealed: Path, run: Run) -> None:
    folder, trust = encrypted.parent, _trust(sealed)
    (folder / "password").write_text("geheim\n")
    (folder / "password").chmod(0o600)
    password = ("--password-file", folder / "password")
    made = run("keys", "recipient", "--out", folder / "s", "--kem", "X25519", *password)
    assert made.code == 0
    assert b"ENCRYPTED" in (folder / "s").read_bytes()
    assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o600
    done = run("rekey", encrypted, "--identity", folder / "r", "--to", folder / "s.pub")
    assert done.code == 0
    assert "nobody else" in done.out
    decrypt = ("decrypt", encrypted, "--trust", trust, "--out", folder / "p")
    done = run(*decrypt, "--identity", folder / "r")
    assert done.code == 1
    assert "opens for none of its 1 recipients" in done.err
    assert run(*decrypt, "--identity", folder / "s", *password).code == 0
    again = run(
        "rekey",
        encrypted,
        "--identity",
        folder / "s",
        "--to",
        folder / "r.pub",
        "--json",
        *password,
    )
    assert len(json.loads(again.out)["recipients"]) == 1


def test_a_refusal_exits_with_one_and_says_where(encrypted: Path, sealed: Path, run: Run) -> None:
    folder, trust = encrypted.parent, _trust(sealed)
    payload = bytearray((encrypted / "payload").read_bytes())
    payload[-1] ^= 1
    (encrypted / "payload").write_bytes(payload)
    decrypt = (
        "decrypt",
        encrypted,
        "--trust",
        trust,
        "--out",
        folder / "p",
        "--identity",
        folder / "r",
    )
    done = run(*decrypt)
    assert done.code == 1
    assert "does not open under the model's key" in done.out
    [report] = json.loads(run(*decrypt, "--json").out)["reports"]
    assert report["findings"][0]["rule"] == "seal.encrypted-payload"
    (sealed / "config.json").write_text('{"classes": 11}')
    encrypt = ("encrypt", sealed, "--to", folder / "r.pub", "--trust", trust, "--out", folder / "e")
    done = run(*encrypt)
    assert done.code == 1
    assert "config.json" in done.out
    assert not {"p", "e"} & set(os.listdir(folder))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("encrypt", "reader", "--to", "r.pub", "--trust", "key.pub", "--out", "enc"),
            2,
            "is kept",
        ),
        (
            ("encrypt", "reader", "--to", "r", "--trust", "key.pub", "--out", "e"),
            2,
            "a private one",
        ),
        (
            ("encrypt", "reader", "--to", "key.pub", "--trust", "key.pub", "--out", "e"),
            2,
            "another kind",
        ),
        (
            ("encrypt", "enc", "--to", "r.pub", "--trust", "key.pub", "--out", "e"),
            1,
            "is encrypted",
        ),
        (
            ("encrypt", "none", "--to", "r.pub", "--trust", "key.pub", "--out", "e"),
            2,
            "there is none",
        ),
        (
            ("decrypt", "none", "--identity", "r", "--trust", "key.pub", "--out", "p"),
            2,
            "there is no",
        ),
        (
            ("decrypt", "reader", "--identity", "r", "--trust", "key.pub", "--out", "p"),
            2,
            "there is no",
        ),
        (
            ("decrypt", "enc", "--identity", "r.pub", "--trust", "key.pub", "--out", "p"),
            2,
            "owner alone",
        ),
        (
            ("decrypt", "enc", "--identity", "key", "--trust", "key.pub", "--out", "p"),
            2,
            "another kind",
        ),
        (
            ("decrypt", "enc", "--identity", "r", "--trust", "o.pub", "--out", "p"),
            1,
            "no trusted key",
        ),
        (
            ("decrypt", "enc", "--identity", "r", "--trust", "key.pub", "--out", "reader"),
            2,
            "is kept",
        ),
        (("rekey", "enc", "--identity", "r", "--to", "none"), 2, "none cannot be read"),
        (("verify", "enc", "--trust", "key.pub"), 1, "is encrypted"),
        (("keys", "recipient", "--out", "r"), 2, "exists already"),
        (("keys", "recipient", "--out", "s", "--kem", "P-256"), 2, "'P-256' given"),
    ],
)
def test_a_wrong_call_says_so(
    encrypted: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    folder = encrypted.parent
    monkeypatch.chdir(folder)
    assert run("keys", "new", "--out", "o").code == 0
    before = sorted(folder.rglob("*"))
    done = run(*arguments)
    assert done.code == code
    assert message in done.err
    assert done.err.startswith("credenza: error: ")
    assert len(done.err.splitlines()) <= 2
    assert sorted(folder.rglob("*")) == before
