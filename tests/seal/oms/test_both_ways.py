"""Against the installed ``model-signing``: what we sign it takes, what it signs we take."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from credenza.errors import AlteredError, InputError
from credenza.seal import oms
from tests.seal.oms import samples as s
from tests.seal.oms import theirs

HASHES = [("sha256", oms.Hash.SHA256), ("blake2", oms.Hash.BLAKE2B), ("blake3", oms.Hash.BLAKE3)]
SIZES = [None, 1000, 7]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return s.write_model(tmp_path)


@pytest.fixture
def signature(tmp_path: Path) -> Path:
    return tmp_path / "model.sig"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return s.write_keys(tmp_path)


def test_their_command_takes_our_signature(
    model: Path, signature: Path, keys: tuple[Path, Path]
) -> None:
    (model / "empty").touch()
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    inside = model / "model.sig"
    for where in (inside, signature):
        oms.sign(model, s.SIGNER, where, ignore=["model.sig"])
    (model / "credenza.seal").write_text("a seal made afterwards")
    for where in (inside, signature):
        done = theirs.command("verify", "key", "--public_key", keys[1], "--signature", where, model)
        assert done.returncode == 0, done.stderr
        assert oms.verify(model, where, s.TRUST).signers[0].names == ()


def test_their_command_takes_our_signature_by_a_certificate(
    model: Path, signature: Path, tmp_path: Path
) -> None:
    oms.sign(model, s.SIGNER, signature, chain=[s.LEAF, s.MIDDLE], now=s.NOW)
    root = s.write_pem(tmp_path / "root.pem", s.ROOT)
    done = theirs.command(
        "verify", "certificate", "--certificate_chain", root, "--signature", signature, model
    )
    assert done.returncode == 0, done.stderr
    verified = oms.verify(model, signature, s.CERTIFICATE_TRUST, now=s.NOW)
    assert verified.signers[0].names == (s.ANNA, "CN=anna")


@pytest.mark.parametrize(("name", "hash_"), HASHES)
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_their_library_takes_our_signature(
    model: Path,
    signature: Path,
    tmp_path: Path,
    name: str,
    hash_: oms.Hash,
    curve: ec.EllipticCurve,
) -> None:
    key = ec.derive_private_key(11, curve)
    _, public = s.write_keys(tmp_path, key)
    oms.sign(model, oms.PrivateKey(key), signature, hash_=hash_)
    assert theirs.accepts(model, signature, key=public, how=theirs.hashing(name))
    oms.verify(model, signature, oms.KeyTrust((key.public_key(),)))


@pytest.mark.parametrize(("name", "hash_"), HASHES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("by_certificate", [False, True])
def test_we_take_their_signature(
    model: Path,
    signature: Path,
    tmp_path: Path,
    keys: tuple[Path, Path],
    name: str,
    hash_: oms.Hash,
    size: int | None,
    by_certificate: bool,
) -> None:
    chain = [s.write_pem(tmp_path / f"{i}.pem", c) for i, c in enumerate([s.LEAF, s.MIDDLE])]
    how = theirs.hashing(name, size)
    theirs.sign(model, keys[0], signature, how, chain if by_certificate else ())
    trust: oms.Trust = s.CERTIFICATE_TRUST if by_certificate else s.TRUST
    manifest = oms.verify(model, signature, trust, now=s.NOW).manifest
    assert manifest.hash is hash_
    assert manifest.shard_size == (None if hash_ is oms.Hash.BLAKE3 else size)  # it ignores shards
    assert {r.path for r in manifest.resources} == s.FILES.keys()
    (model / "weights.bin").write_bytes(s.FILES["weights.bin"][:-1] + b"\0")
    with pytest.raises(AlteredError) as refused:
        oms.verify(model, signature, trust, now=s.NOW)
    [finding] = refused.value.report.findings
    assert finding.where.file == "weights.bin"
    assert finding.where.stop == (None if manifest.shard_size is None else 2500)
    assert len(bytes.fromhex(finding.expected)) == hash_.size
    assert finding.expected != finding.found


def test_their_command_signs_and_we_take_it(
    model: Path, signature: Path, keys: tuple[Path, Path]
) -> None:
    done = theirs.command(
        "sign", "key", "--private_key", keys[0], "--signature", signature,
        "--ignore-paths", model / "a" / "b", model,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verified = oms.verify(model, signature, s.TRUST)
    assert [str(f) for f in verified.report.findings] == ["a/b: 1 file is not signed"]


def test_one_file(model: Path, signature: Path, keys: tuple[Path, Path]) -> None:
    """The specification names it (section 6.1.2), and model-signing calls it ``.``."""
    file = model / "weights.bin"
    theirs.sign(file, keys[0], signature, theirs.hashing("sha256"))
    assert [r.name for r in oms.verify(file, signature, s.TRUST).manifest.resources] == ["."]
    theirs.sign(file, keys[0], signature, theirs.hashing("sha256", 1000))
    oms.verify(file, signature, s.TRUST)
    manifest = oms.sign(file, s.SIGNER, signature)
    assert [r.name for r in manifest.resources] == ["weights.bin"]
    oms.verify(file, signature, s.TRUST)
    assert not theirs.accepts(file, signature, key=keys[1])
    oms.sign(file, s.SIGNER, signature, one_file_as_dot=True)
    oms.verify(file, signature, s.TRUST)
    assert theirs.accepts(file, signature, key=keys[1])


def test_shards_are_written_as_specified(
    model: Path, signature: Path, keys: tuple[Path, Path]
) -> None:
    """With the hash's own name; model-signing calls it ``sha256-sharded-1000``, and demands it."""
    manifest = oms.sign(model, s.SIGNER, signature, shard_size=1000)
    names = [r.name for r in manifest.resources if r.path == "weights.bin"]
    assert names == ["weights.bin:0:1000", "weights.bin:1000:2000", "weights.bin:2000:2500"]
    resources = s.statement_of(signature)["predicate"]["resources"]
    assert {r["algorithm"] for r in resources} == {"sha256"}
    oms.verify(model, signature, s.TRUST)
    how = theirs.hashing("sha256", 1000)
    assert not theirs.accepts(model, signature, key=keys[1], how=how)
    (model / "empty").touch()
    with pytest.raises(InputError, match="'empty' is empty, and shards leave empty files out"):
        oms.sign(model, s.SIGNER, signature, shard_size=1000)


def test_an_encrypted_key(model: Path, signature: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.pem"
    secret = BestAvailableEncryption(b"pass word")
    path.write_bytes(s.KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    oms.sign(model, oms.PrivateKey.read(path, b"pass word"), signature)
    oms.verify(model, signature, s.TRUST)
    with pytest.raises(InputError, match="is encrypted, and no password was given"):
        oms.PrivateKey.read(path)
    with pytest.raises(InputError, match="and its password expected"):
        oms.PrivateKey.read(path, b"another")
    with pytest.raises(InputError, match="is not encrypted, and a password was given"):
        oms.PrivateKey.read(s.write_keys(tmp_path)[0], b"any")
    done = theirs.command(
        "sign", "key", "--private_key", path, "--password", "pass word",
        "--signature", tmp_path / "theirs.sig", model,
    )  # fmt: skip
    assert done.returncode == 1  # why ours is tested


MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.mark.skipif(
    not MODULE.exists() or shutil.which("softhsm2-util") is None, reason="needs softhsm2"
)
def test_what_their_command_signs_with_a_token(
    model: Path, signature: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    """Its PKCS #11 method writes what its key method writes."""
    pytest.importorskip("PyKCS11")
    (tmp_path / "tokens").mkdir()
    conf = tmp_path / "softhsm.conf"
    conf.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    environment = {"SOFTHSM2_CONF": str(conf)}
    for line in (
        "--init-token --free --label bank --pin 1234 --so-pin 5678",
        f"--import {keys[0]} --token bank --pin 1234 --label release --id 0A",
    ):
        command = ["softhsm2-util", *line.split()]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)
    uri = f"pkcs11:token=bank;object=release?pin-value=1234&module-path={MODULE}"
    done = theirs.command(
        "sign", "pkcs11-key", "--pkcs11_uri", uri, "--signature", signature, model, **environment
    )
    assert done.returncode == 0, done.stderr
    assert len(oms.verify(model, signature, s.TRUST).signers) == 1
