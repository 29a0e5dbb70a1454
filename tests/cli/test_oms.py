"""``seal --oms`` and ``verify --oms``."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from tests.cli.test_cli import Run, run  # noqa: F401  the fixture
from tests.seal.oms import samples as s


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    s.write_keys(tmp_path)
    return s.write_model(tmp_path)


def test_sign_and_verify(model: Path, run: Run) -> None:  # noqa: F811
    done = run("seal", model, "--key", "key.pem", "--oms")
    assert done.code == 0
    assert "written  model.sig" in done.out
    done = run("verify", model, "--oms", "model.sig", "--trust", "key.pub")
    assert (done.code, done.err) == (0, "")
    assert "(5 files) is what was signed" in done.out
    done = run("verify", model, "--oms", "model.sig", "--trust", "key.pub", "--json")
    told = json.loads(done.out)
    assert len(told["digest"]) == 64
    assert told["signers"][0]["names"] == []


@pytest.mark.parametrize("algorithm", ["sha256", "blake2b", "blake3"])
def test_each_hash_and_shards(model: Path, run: Run, algorithm: str) -> None:  # noqa: F811
    how = ("--algorithm", algorithm, "--shard-size", "1000", "--out", "reader/x.sig")
    assert run("seal", model, "--key", "key.pem", "--oms", *how).code == 0
    assert run("verify", model, "--oms", "reader/x.sig", "--trust", "key.pub").code == 0


def test_a_refusal_exits_with_one_and_is_recorded(model: Path, run: Run) -> None:  # noqa: F811
    assert run("log", "new", "ledger", "--origin", "example.com/models").code == 0
    run("seal", model, "--key", "key.pem", "--oms", "--log", "ledger")
    (model / "a-c").write_bytes(b"x")
    arguments = ("verify", model, "--oms", "model.sig", "--trust", "key.pub", "--log", "ledger")
    done = run(*arguments)
    assert done.code == 1
    assert "a-c" in done.out
    [report] = json.loads(run(*arguments, "--json").out)["reports"]
    assert report["findings"][0]["rule"] == "seal.bytes-altered"
    assert "refused" in run("log", "show", "ledger").out


def test_by_a_certificate(model: Path, run: Run, tmp_path: Path) -> None:  # noqa: F811
    now = dt.datetime.now(dt.UTC)
    days = ((now - s.NOW).days - 1, (now - s.NOW).days + 2)
    ca = s.certificate("ca", s.ROOT_KEY, "ca", s.ROOT_KEY, s.CA, s.ISSUES, days=days)
    leaf = s.certificate("anna", s.KEY, "ca", s.ROOT_KEY, s.SIGNS, s.FOR_CODE, s.NAMED, days=days)
    s.write_pem(tmp_path / "chain.pem", leaf)
    s.write_pem(tmp_path / "ca.pem", ca)
    sign = ("seal", model, "--key", "key.pem", "--certificate", "chain.pem", "--oms")
    assert run(*sign).code == 0
    verify = ("verify", model, "--oms", "model.sig", "--trust", "ca.pem")
    done = run(*verify)
    assert done.code == 1
    assert "credenza: hint: name the signer with --identity" in done.err
    assert s.ANNA in run(*verify, "--identity", s.ANNA).out
    assert run(*verify, "--identity", "bob@example.com").code == 1
    assert run(*verify, "--any-identity").code == 0


def test_files_that_need_not_be_signed(model: Path, run: Run) -> None:  # noqa: F811
    run("seal", model, "--key", "key.pem", "--oms", "--ignore", "a")
    (model / "more").touch()
    verify = ("verify", model, "--oms", "model.sig", "--trust", "key.pub")
    assert run(*verify).code == 1
    assert "note      more: 1 file is not signed" in run(*verify, "--ignore", "more").out
    assert run(*verify, "--allow-unsigned-files").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("seal", "--key", "key.pem", "--oms", "--algorithm", "md5"), "sha256, blake2b, blake3"),
        (("seal", "--key", "key.pub", "--oms"), "a private key in PEM expected"),
        (("seal", "--key", "key.pem", "--one-file-as-dot"), "an option that needs --oms"),
        (("verify", "--trust", "key.pub", "--any-identity"), "an option that needs --oms"),
        (("verify", "--trust", "key.pem", "--oms", "model.sig"), "a private key found"),
        (
            ("verify", "--trust", "key.pub", "--oms", "model.sig", "--identity", "x"),
            "certificates expected where an identity is named",
        ),
    ],
)
def test_what_cannot_be_done(
    model: Path,
    run: Run,  # noqa: F811
    arguments: tuple[str, ...],
    message: str,
) -> None:
    done = run(arguments[0], model, *arguments[1:])
    assert done.code == 2
    assert message in done.err


def test_an_encrypted_key(model: Path, run: Run, tmp_path: Path) -> None:  # noqa: F811
    from cryptography.hazmat.primitives import serialization

    secret = s.KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"pass"),
    )
    (tmp_path / "secret.pem").write_bytes(secret)
    (tmp_path / "password").write_text("pass\n")
    (tmp_path / "password").chmod(0o600)
    sign = ("seal", model, "--key", "secret.pem", "--oms")
    assert "no password was given" in run(*sign).err
    assert run(*sign, "--password-file", "password").code == 0
    assert run("verify", model, "--oms", "model.sig", "--trust", "key.pub").code == 0
