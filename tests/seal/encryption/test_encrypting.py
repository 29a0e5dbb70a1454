"""Encrypting, and getting back exactly what was encrypted."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

import credenza
from credenza.errors import (
    AlteredError,
    InputError,
    NotRecipientError,
    UnsealedError,
    UntrustedError,
)
from credenza.seal import Algorithm, load_torch, read, seal, seal_path, verify
from credenza.seal import encryption as enc
from credenza.seal.encryption import Identity, Kem
from tests.seal.encryption import reference
from tests.seal.models import KEY, OTHER, TRUST, small_model

READERS = {kem: Identity.new(kem) for kem in Kem}
HYBRID = READERS[Kem.HYBRID]
STRANGER = Identity.new(Kem.X25519)
ALL = [identity.recipient for identity in READERS.values()]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY)
    return model


@pytest.fixture
def encrypted(model: Path, tmp_path: Path) -> Path:
    enc.encrypt(model, TRUST, ALL, tmp_path / "enc")
    return tmp_path / "enc"


def large_model(folder: Path) -> Path:
    """A model whose tensors take several records, and some of which end with a whole one."""
    rng = np.random.default_rng(2)
    folder.mkdir()
    weights = {
        "a": torch.from_numpy(rng.standard_normal((1024, 1024), np.float32)),
        "b": torch.from_numpy(rng.standard_normal((3000, 300), np.float32)),
        "c": torch.from_numpy(rng.standard_normal(7, np.float32)),
    }
    save_file(weights, folder / "model.safetensors")
    seal(credenza.open(folder), KEY)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if not p.is_dir()}


@pytest.mark.parametrize("kem", list(Kem))
def test_a_model_comes_back_as_it_was(
    model: Path, encrypted: Path, tmp_path: Path, kem: Kem
) -> None:
    written = enc.decrypt(encrypted, TRUST, READERS[kem], tmp_path / "plain")
    assert _files(tmp_path / "plain") == _files(model)
    assert written.value.path == tmp_path / "plain"
    assert verify(written.value.path, TRUST).value.seal == written.value.seal


@pytest.mark.parametrize("kem", list(Kem))
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_specification_alone_decrypts_it(
    tmp_path: Path, kem: Kem, algorithm: Algorithm
) -> None:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY, algorithm=algorithm)
    enc.encrypt(model, TRUST, ALL, tmp_path / "enc")
    identity = READERS[kem]
    kind, sealed, files = reference.decrypt(tmp_path / "enc", identity.x25519, identity.mlkem)
    assert kind == 0
    assert files | {"credenza.seal": sealed} == _files(model)


def test_the_specification_alone_decrypts_records_of_a_large_model(tmp_path: Path) -> None:
    model = large_model(tmp_path / "m")
    enc.encrypt(model, TRUST, [HYBRID.recipient], tmp_path / "enc")
    _, sealed, files = reference.decrypt(tmp_path / "enc", HYBRID.x25519, HYBRID.mlkem)
    assert files | {"credenza.seal": sealed} == _files(model)


def test_a_model_of_one_file(model: Path, tmp_path: Path) -> None:
    file = model / "model.safetensors"
    seal(credenza.open(file), KEY)
    enc.encrypt(file, TRUST, ALL, tmp_path / "one")
    assert "fc.weight" in credenza.load(tmp_path / "one", TRUST, identity=HYBRID)
    written = enc.decrypt(tmp_path / "one", TRUST, HYBRID, tmp_path / "plain").value.path
    assert written == tmp_path / "plain" / "model.safetensors"
    assert written.read_bytes() == file.read_bytes()
    verify(written, TRUST)
    assert reference.decrypt(tmp_path / "one", HYBRID.x25519, HYBRID.mlkem)[0] == 1


def test_loading_gives_what_loading_the_plain_one_gives(model: Path, encrypted: Path) -> None:
    plain, secret = read(model, TRUST), read(encrypted, TRUST, identity=HYBRID)
    assert secret.keys == plain.keys
    assert secret.value.sealed.seal == plain.value.sealed.seal
    assert secret.value.sealed.name == "reader"
    assert secret.value.contents == plain.value.contents
    assert secret.value.file("config.json") == b'{"classes": 10}'
    loaded = credenza.load(encrypted, TRUST, identity=HYBRID)
    for name, array in load_file(model / "model.safetensors").items():
        np.testing.assert_array_equal(loaded[name], array)
    loaded["fc.weight"][0] = 1  # private memory: the caller's own


def test_torch_tensors_of_many_records(tmp_path: Path) -> None:
    model = large_model(tmp_path / "m")
    enc.encrypt(model, TRUST, [HYBRID.recipient], tmp_path / "enc")
    plain, secret = load_torch(model, TRUST), load_torch(tmp_path / "enc", TRUST, identity=HYBRID)
    assert secret.keys() == plain.keys()
    assert all(torch.equal(secret[name], plain[name]) for name in plain)


def test_one_tensor_is_read_without_the_rest(tmp_path: Path) -> None:
    model = large_model(tmp_path / "m")
    enc.encrypt(model, TRUST, [HYBRID.recipient], tmp_path / "enc")
    expected = load_file(model / "model.safetensors")["c"]
    start = credenza.open(model).tensor("a").region.start
    payload = bytearray((tmp_path / "enc" / "payload").read_bytes())
    middle = len(payload) - (model / "model.safetensors").stat().st_size + start + 2**20
    payload[middle] ^= 1  # in the middle of "a", which is the first in the file
    (tmp_path / "enc" / "payload").write_bytes(payload)
    loaded = credenza.load(tmp_path / "enc", TRUST, identity=HYBRID, tensors=["c"])
    np.testing.assert_array_equal(loaded["c"], expected)
    with pytest.raises(AlteredError):
        credenza.load(tmp_path / "enc", TRUST, identity=HYBRID, tensors=["c", "a"])


def test_some_tensors_by_name(model: Path, encrypted: Path) -> None:
    names = ["fc.bias", "none", "steps", "mean"]
    loaded = credenza.load(encrypted, TRUST, identity=HYBRID, tensors=names)
    plain = credenza.load(model, TRUST)
    assert loaded.keys() == set(names)
    for name in names:
        np.testing.assert_array_equal(loaded[name], plain[name])
    with pytest.raises(InputError, match="no tensor 'other'"):
        credenza.load(encrypted, TRUST, identity=HYBRID, tensors=["other"])
    with pytest.raises(InputError, match="cannot be mapped"):
        credenza.load(encrypted, TRUST, identity=HYBRID, map_unprotected=True)


def test_nothing_of_the_model_is_seen_from_outside(encrypted: Path) -> None:
    seen = b"".join(_files(encrypted).values())
    for name in (
        b"reader",
        b"fc.weight",
        b"config.json",
        b"F32",
        b"classes",
        KEY.public.id.encode(),
    ):
        assert name not in seen


def test_two_encryptions_of_a_model_have_nothing_in_common(model: Path, tmp_path: Path) -> None:
    payloads = []
    for name in ("one", "two"):
        enc.encrypt(model, TRUST, ALL, tmp_path / name)
        payloads.append((tmp_path / name / "payload").read_bytes())
    blocks = [{p[i : i + 16] for i in range(len(p) - 16)} for p in payloads]
    assert len(payloads[0]) == len(payloads[1])
    assert not blocks[0] & blocks[1]


def test_who_is_no_recipient_cannot_open_it(encrypted: Path, tmp_path: Path) -> None:
    for stranger in (STRANGER, Identity.new(Kem.HYBRID)):
        with pytest.raises(NotRecipientError, match="opens for none of its 2 recipients"):
            read(encrypted, TRUST, identity=stranger)
        with pytest.raises(NotRecipientError):
            enc.decrypt(encrypted, TRUST, stranger, tmp_path / "plain")
    assert not (tmp_path / "plain").exists()


def test_half_of_a_hybrid_key_opens_nothing(model: Path, tmp_path: Path) -> None:
    enc.encrypt(model, TRUST, [HYBRID.recipient], tmp_path / "enc")
    other = Identity.new(Kem.HYBRID)
    for half in (
        Identity(HYBRID.x25519),
        Identity(HYBRID.x25519, other.mlkem),
        Identity(other.x25519, HYBRID.mlkem),
    ):
        with pytest.raises(NotRecipientError):
            read(tmp_path / "enc", TRUST, identity=half)


def test_recipients_are_exchanged_without_the_payload(encrypted: Path) -> None:
    before = (encrypted / "payload").stat()
    enc.rekey(encrypted, HYBRID, [STRANGER.recipient])
    after = (encrypted / "payload").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "fc.weight" in credenza.load(encrypted, TRUST, identity=STRANGER)
    with pytest.raises(NotRecipientError):
        read(encrypted, TRUST, identity=HYBRID)
    with pytest.raises(NotRecipientError):
        enc.rekey(encrypted, HYBRID, ALL)
    assert reference.decrypt(encrypted, STRANGER.x25519)[0] == 0


@pytest.mark.parametrize("count", [0, 257])
def test_how_many_recipients(encrypted: Path, model: Path, tmp_path: Path, count: int) -> None:
    header = (encrypted / "credenza.encrypted").read_bytes()
    recipients = [STRANGER.recipient] * count
    with pytest.raises(InputError, match=f"1 to 256 recipients expected, {count} given"):
        enc.encrypt(model, TRUST, recipients, tmp_path / "other")
    with pytest.raises(InputError, match="1 to 256 recipients"):
        enc.rekey(encrypted, HYBRID, recipients)
    assert not (tmp_path / "other").exists()
    assert (encrypted / "credenza.encrypted").read_bytes() == header


def test_as_many_recipients_as_may_be(encrypted: Path) -> None:
    enc.rekey(encrypted, HYBRID, [HYBRID.recipient] * 255 + [STRANGER.recipient])
    assert "fc.weight" in credenza.load(encrypted, TRUST, identity=STRANGER)


def test_an_altered_model_is_not_encrypted(model: Path, tmp_path: Path) -> None:
    weight = credenza.open(model).tensor("fc.weight")
    path = model / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[weight.region.start + 3 * 256] ^= 1
    path.write_bytes(data)
    with pytest.raises(AlteredError) as refused:
        enc.encrypt(model, TRUST, ALL, tmp_path / "enc")
    [finding] = refused.value.report.findings
    assert (finding.where.tensor, finding.where.rows) == ("fc.weight", (3,))
    assert sorted(os.listdir(tmp_path)) == ["reader"]


def test_what_is_not_as_sealed_is_not_encrypted(model: Path, tmp_path: Path) -> None:
    (model / "more" / "extra").touch()
    with pytest.raises(AlteredError, match="the file is not sealed"):
        enc.encrypt(model, TRUST, ALL, tmp_path / "enc")
    (model / "more" / "extra").unlink()
    seal_path(model).unlink()
    with pytest.raises(UnsealedError):
        enc.encrypt(model, TRUST, ALL, tmp_path / "enc")
    seal(credenza.open(model), OTHER)
    with pytest.raises(UntrustedError):
        enc.encrypt(model, TRUST, ALL, tmp_path / "enc")
    assert sorted(os.listdir(tmp_path)) == ["reader"]


def test_the_seal_inside_must_be_by_a_trusted_key(model: Path, tmp_path: Path) -> None:
    from credenza.attest import Trust

    seal(credenza.open(model), OTHER)
    other = Trust((OTHER.public,))
    enc.encrypt(model, other, ALL, tmp_path / "enc")
    read(tmp_path / "enc", other, identity=HYBRID)
    with pytest.raises(UntrustedError, match="no trusted key signed it"):
        read(tmp_path / "enc", TRUST, identity=HYBRID)
    with pytest.raises(UntrustedError):
        enc.decrypt(tmp_path / "enc", TRUST, HYBRID, tmp_path / "plain")
    assert not (tmp_path / "plain").exists()


def test_existing_outputs_are_kept(model: Path, encrypted: Path, tmp_path: Path) -> None:
    before = _files(encrypted)
    with pytest.raises(InputError, match="exists already, and is kept"):
        enc.encrypt(model, TRUST, ALL, encrypted)
    assert _files(encrypted) == before
    with pytest.raises(InputError, match="exists already, and is kept"):
        enc.decrypt(encrypted, TRUST, HYBRID, model)
    verify(model, TRUST)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="exists already, and is kept"):
        enc.decrypt(encrypted, TRUST, HYBRID, tmp_path / "file")
    assert sorted(os.listdir(tmp_path)) == ["enc", "file", "reader"]


def test_not_into_the_model_itself(model: Path) -> None:
    with pytest.raises(InputError, match="is inside the model"):
        enc.encrypt(model, TRUST, ALL, model / "more" / "enc")
    verify(model, TRUST)


def test_decrypted_files_are_their_owners_alone(encrypted: Path, tmp_path: Path) -> None:
    enc.decrypt(encrypted, TRUST, HYBRID, tmp_path / "plain")
    for path in [tmp_path / "plain", *(tmp_path / "plain").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_plain_and_encrypted_are_not_confused(model: Path, encrypted: Path) -> None:
    with pytest.raises(UnsealedError, match="is encrypted: the key of a recipient"):
        verify(encrypted, TRUST)
    with pytest.raises(UnsealedError, match="is encrypted"):
        enc.encrypt(encrypted, TRUST, ALL, encrypted.parent / "twice")
    for path in (model, model / "config.json", model / "none"):
        with pytest.raises(InputError, match="an encrypted model expected"):
            read(path, TRUST, identity=HYBRID)


def test_a_moved_or_copied_model_opens(encrypted: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(encrypted, tmp_path / "moved")
    (moved / "README").write_text("not looked at")
    assert "fc.weight" in credenza.load(moved, TRUST, identity=HYBRID)


def test_progress_counts_every_byte(model: Path, tmp_path: Path) -> None:
    total = sum(len(data) for name, data in _files(model).items() if name != "credenza.seal")
    counts: list[int] = []
    enc.encrypt(model, TRUST, ALL, tmp_path / "enc", progress=counts.append)
    assert sum(counts) == total
    counts.clear()
    read(tmp_path / "enc", TRUST, identity=HYBRID, progress=counts.append)
    assert sum(counts) == total
