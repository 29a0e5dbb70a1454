"""Sealing, verifying and loading."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file as save_torch

import credenza
from credenza.artifact import OpenFile
from credenza.attest import Envelope, Statement, sign
from credenza.errors import (
    AlteredError,
    CredenzaError,
    InputError,
    RefusedError,
    UnsealedError,
    UntrustedError,
)
from credenza.findings import Finding
from credenza.seal import Algorithm, load_torch, read, seal, seal_path, verify
from tests.seal import reference
from tests.seal.models import KEY, OTHER, TRUST, small_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_model(tmp_path)


@pytest.fixture
def sealed(model: Path) -> Path:
    seal(credenza.open(model), KEY)
    return model


def _predicate(model: Path) -> dict[str, Any]:
    return reference.predicate_of(json.loads(seal_path(model).read_bytes())["payload"])


def _refusal(model: Path) -> tuple[Finding, ...]:
    with pytest.raises(AlteredError) as refused:
        verify(model, TRUST)
    return refused.value.report.findings


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_root_is_the_specifications(model: Path, algorithm: Algorithm) -> None:
    taken = seal(credenza.open(model), KEY, algorithm=algorithm)
    assert taken.root.hex() == reference.root(_predicate(model), model)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_what_was_sealed_verifies(model: Path, algorithm: Algorithm) -> None:
    now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
    taken = seal(credenza.open(model), KEY, algorithm=algorithm, now=now)
    verified = verify(model, TRUST)
    assert verified.value.seal == taken
    assert verified.value.sealed_at == now
    assert verified.value.name == "reader"
    assert verified.keys == (KEY.public.id,)


def test_a_model_of_one_file(model: Path) -> None:
    file = model / "model.safetensors"
    seal(credenza.open(file), KEY)
    assert seal_path(file).name == "model.safetensors.seal"
    assert verify(file, TRUST).value.name == "model.safetensors"
    assert "fc.weight" in credenza.load(file, TRUST)


def test_moving_a_model_changes_nothing(sealed: Path, tmp_path: Path) -> None:
    root = verify(sealed, TRUST).value.seal.root
    moved = shutil.copytree(sealed, tmp_path / "elsewhere")
    assert verify(moved, TRUST).value.seal.root == root


def test_a_room_is_called_by_its_verb(model: Path) -> None:
    assert credenza.seal(credenza.open(model), KEY).root == verify(model, TRUST).value.seal.root


def test_any_flipped_bit_of_any_file_is_refused(sealed: Path) -> None:
    files = [p for p in sealed.rglob("*") if p.is_file() and p != seal_path(sealed)]
    flipped = 0
    for path in files:
        good = path.read_bytes()
        for place in range(0, len(good), 7 if len(good) > 1000 else 1):
            path.write_bytes(
                good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :]
            )
            with pytest.raises(AlteredError):
                verify(sealed, TRUST)
            flipped += 1
        path.write_bytes(good)
    verify(sealed, TRUST)
    assert flipped > 700


def test_any_flipped_byte_of_the_seal_is_refused(sealed: Path) -> None:
    good = seal_path(sealed).read_bytes()
    hint = range(good.index(b'"keyid":"') + 9, good.index(b'"keyid":"') + 9 + 64)
    for place in range(0, len(good), 5):
        if place in hint:  # says whose signature it may be; is believed by nobody
            continue
        changed = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        seal_path(sealed).write_bytes(changed)
        with pytest.raises(RefusedError):
            verify(sealed, TRUST)


def test_a_refusal_names_tensor_and_rows(sealed: Path) -> None:
    weight = credenza.open(sealed).tensor("fc.weight")
    path = sealed / "model.safetensors"
    data = bytearray(path.read_bytes())
    for row in (2, 5):
        data[weight.region.start + row * 256 + 9] ^= 0x80
    path.write_bytes(data)
    [finding] = _refusal(sealed)
    assert finding.rule == "seal.tensor-altered"
    assert finding.where.file == "model.safetensors"
    assert finding.where.tensor == "fc.weight"
    assert finding.where.rows == (2, 5)
    assert finding.expected != finding.found
    assert len(bytes.fromhex(finding.found)) == 32


def test_a_changed_header_is_refused_without_being_read(sealed: Path) -> None:
    path = sealed / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"shape":[10,64]', b'"shape":[64,10]'))
    [finding] = _refusal(sealed)
    assert finding.rule == "seal.bytes-altered"


def _swap(a: Path, b: Path) -> None:
    one, two = a.read_bytes(), b.read_bytes()
    a.write_bytes(two)
    b.write_bytes(one)


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (lambda m: (m / "config.json").unlink(), {"seal.file-missing"}),
        (lambda m: (m / "empty").unlink(), {"seal.file-missing"}),
        (lambda m: (m / "extra").touch(), {"seal.file-added"}),
        (lambda m: (m / "more" / "credenza.seal").touch(), {"seal.file-added"}),
        (lambda m: (m / ".hidden").touch(), {"seal.file-added"}),
        (lambda m: (m / "empty").write_bytes(b"x"), {"seal.file-resized"}),
        (lambda m: os.truncate(m / "model.safetensors", 99), {"seal.file-resized"}),
        (lambda m: (m / "empty").rename(m / "Empty"), {"seal.file-added", "seal.file-missing"}),
        (
            lambda m: _swap(m / "config.json", m / "more" / "reader.py"),
            {"seal.file-resized"},
        ),
        (lambda m: (m / "link").symlink_to("config.json"), {"artifact.symlink"}),
    ],
)
def test_what_is_not_as_sealed_is_refused(
    sealed: Path, change: Callable[[Path], object], rules: set[str]
) -> None:
    change(sealed)
    assert {finding.rule for finding in _refusal(sealed)} == rules
    with pytest.raises(AlteredError):
        credenza.load(sealed, TRUST)


def test_tensors_of_equal_shape_cannot_change_places(tmp_path: Path) -> None:
    model = tmp_path / "m"
    model.mkdir()
    a, b = torch.zeros(8, 16), torch.ones(8, 16)
    save_torch({"a": a, "b": b}, model / "model.safetensors")
    seal(credenza.open(model), KEY)
    save_torch({"a": b, "b": a}, model / "model.safetensors")
    assert {f.where.tensor for f in _refusal(model)} == {"a", "b"}


def test_the_seal_of_another_model_is_refused(sealed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(sealed, other)
    (other / "config.json").write_text('{"classes": 11}')
    seal(credenza.open(other), KEY)
    shutil.copy(seal_path(other), seal_path(sealed))
    assert [f.where.file for f in _refusal(sealed)] == ["config.json"]


def test_no_seal_and_no_model(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsealedError, match="has no seal"):
        verify(model, TRUST)
    with pytest.raises(InputError, match="there is none"):
        verify(tmp_path / "nothing", TRUST)


def test_a_key_that_is_not_trusted(model: Path) -> None:
    seal(credenza.open(model), OTHER)
    with pytest.raises(UntrustedError, match="no trusted key signed it"):
        verify(model, TRUST)


def test_a_trusted_signature_over_something_else_is_no_seal(sealed: Path) -> None:
    statement = Statement.parse(Envelope.parse(seal_path(sealed).read_bytes()).payload)
    other = Statement(statement.subjects, "https://example.com/other", statement.predicate)
    seal_path(sealed).write_bytes(bytes(sign(other, [KEY])))
    with pytest.raises(UntrustedError, match="is no seal"):
        verify(sealed, TRUST)


def test_loaded_arrays_are_those_that_were_saved(sealed: Path) -> None:
    loaded = credenza.load(sealed, TRUST)
    saved = load_file(sealed / "model.safetensors")
    saved["mean"] = np.load(sealed / "more" / "mean.npy")
    assert loaded.keys() == saved.keys()
    for name, array in saved.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_a_change_after_loading_does_not_reach_what_was_loaded(sealed: Path) -> None:
    contents = read(sealed, TRUST).value
    before = contents.arrays()["fc.weight"].copy()
    path = sealed / "model.safetensors"
    with path.open("r+b") as file:  # in place, as whoever can write the file would
        file.write(bytes(path.stat().st_size))
    np.testing.assert_array_equal(contents.arrays()["fc.weight"], before)


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def test_torch_tensors_keep_their_type(tmp_path: Path) -> None:
    model = tmp_path / "m"
    model.mkdir()
    saved = {
        "bf16": torch.randn(4, 8).to(torch.bfloat16),
        "fp8": torch.randn(4, 8).to(torch.float8_e4m3fn),
        "fp8b": torch.randn(4, 8).to(torch.float8_e5m2),
        "f16": torch.randn(4, 8).half(),
        "bool": torch.tensor([True, False]),
        "i64": torch.arange(5),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 4),
    }
    save_torch(saved, model / "model.safetensors")
    seal(credenza.open(model), KEY)
    loaded = load_torch(model, TRUST)
    assert loaded.keys() == saved.keys()
    for name, tensor in saved.items():
        assert loaded[name].dtype == tensor.dtype
        assert loaded[name].shape == tensor.shape
        assert torch.equal(_bits(loaded[name]), _bits(tensor))


def test_a_name_in_two_files_is_not_guessed(tmp_path: Path) -> None:
    model = tmp_path / "m"
    model.mkdir()
    for name in ("a", "b"):
        save_torch({"w": torch.zeros(2)}, model / f"{name}.safetensors")
    seal(credenza.open(model), KEY)
    with pytest.raises(InputError, match=r"'w' is in a\.safetensors and in b"):
        credenza.load(model, TRUST)


def test_a_seal_is_replaced_whole_or_not_at_all(small_disk: Path) -> None:
    model = small_model(small_disk)
    seal(credenza.open(model), KEY)
    before = seal_path(model).read_bytes()
    opened = credenza.open(model)
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "filler").write_bytes(bytes(free))
    with pytest.raises(InputError, match="No space left on device"):
        seal(opened, KEY)
    assert seal_path(model).read_bytes() == before
    verify(model, TRUST)


def test_no_signer_is_an_error(model: Path) -> None:
    with pytest.raises(CredenzaError, match="at least one signer"):
        seal(credenza.open(model))
    assert not seal_path(model).exists()


def test_progress_counts_every_byte(sealed: Path) -> None:
    counts: list[int] = []
    verify(sealed, TRUST, progress=counts.append)
    sizes = [p.stat().st_size for p in sealed.rglob("*") if p.is_file() and p != seal_path(sealed)]
    assert sum(counts) == sum(sizes)


def test_a_large_file_is_cut_for_several_cores(tmp_path: Path) -> None:
    model = tmp_path / "m"
    model.mkdir()
    rng = np.random.default_rng(1)
    weights = torch.from_numpy(rng.standard_normal((3000, 1000), np.float32))
    save_torch({"w": weights}, model / "model.safetensors")
    seal(credenza.open(model), KEY)
    assert verify(model, TRUST).value.seal.root.hex() == reference.root(_predicate(model), model)
    assert torch.equal(load_torch(model, TRUST)["w"], weights)
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(-2500 * 4, os.SEEK_END)
        file.write(b"\1")
    [finding] = _refusal(model)
    assert 2997 in finding.where.rows
    assert len(finding.where.rows) <= 2**20 // 4000 + 1  # rows are named by chunks of up to 1 MiB


def _kinds(model: Path) -> set[str]:
    return {finding.rule for finding in _refusal(model)}


def test_what_is_left_out_is_named_in_the_seal(model: Path) -> None:
    (model / "README.md").write_text("a reader")
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").write_text("ref: refs/heads/main")
    seal(credenza.open(model, ignore=["README.md", ".git/"]), KEY)
    assert verify(model, TRUST).value.seal.ignored == (".git/", "README.md")
    (model / "README.md").write_text("another text")
    (model / ".git" / "index.lock").touch()
    verify(model, TRUST)
    (model / ".git" / "hook.py").write_text("print('planted')")
    assert _kinds(model) == {"seal.file-added"}
    assert any("left out by the seal: README.md" in u for u in _uncovered(model))


def _uncovered(model: Path) -> tuple[str, ...]:
    with pytest.raises(AlteredError) as refused:
        verify(model, TRUST)
    return refused.value.report.uncovered


def test_a_refusal_says_against_whose_seal(sealed: Path) -> None:
    (sealed / "config.json").unlink()
    with pytest.raises(AlteredError) as refused:
        verify(sealed, TRUST)
    assert any(f"by key {KEY.public.id[:16]}" in c for c in refused.value.report.covered)


def test_some_tensors_are_verified_without_the_rest(sealed: Path) -> None:
    saved = load_file(sealed / "model.safetensors")
    some = credenza.load(sealed, TRUST, tensors=["fc.bias", "none"])
    assert some.keys() == {"fc.bias", "none"}
    np.testing.assert_array_equal(some["fc.bias"], saved["fc.bias"])
    _flip(sealed, "fc.weight")
    np.testing.assert_array_equal(
        credenza.load(sealed, TRUST, tensors=["fc.bias"])["fc.bias"], saved["fc.bias"]
    )
    with pytest.raises(AlteredError):
        credenza.load(sealed, TRUST, tensors=["fc.weight"])
    with pytest.raises(InputError, match=r"no tensor 'fc\.wait'"):
        credenza.load(sealed, TRUST, tensors=["fc.wait"])
    (sealed / "planted.py").touch()
    with pytest.raises(AlteredError):  # names and sizes are compared all the same
        credenza.load(sealed, TRUST, tensors=["fc.bias"])


def _flip(model: Path, name: str) -> None:
    tensor = credenza.open(model).tensor(name)
    with (model / tensor.file).open("r+b") as file:
        file.seek(tensor.region.start)
        [byte] = file.read(1)
        file.seek(tensor.region.start)
        file.write(bytes([byte ^ 1]))


def test_a_file_is_not_had_from_some_of_its_tensors(sealed: Path) -> None:
    some = read(sealed, TRUST, tensors=["fc.bias"]).value
    with pytest.raises(InputError, match="was not read"):
        some.file("model.safetensors")
    whole = read(sealed, TRUST).value
    assert whole.file("model.safetensors") == (sealed / "model.safetensors").read_bytes()


def test_mapped_tensors_are_the_files_own_and_change_with_it(sealed: Path) -> None:
    saved = load_file(sealed / "model.safetensors")
    mapped = credenza.load(sealed, TRUST, map_unprotected=True)
    np.testing.assert_array_equal(mapped["fc.weight"], saved["fc.weight"])
    _flip(sealed, "fc.weight")
    assert not np.array_equal(mapped["fc.weight"], saved["fc.weight"])
    mapped["fc.bias"][0] = 7  # the caller's own copy of that page; the file stays as it is
    assert load_file(sealed / "model.safetensors")["fc.bias"][0] == saved["fc.bias"][0]
    with pytest.raises(AlteredError):
        credenza.load(sealed, TRUST, map_unprotected=True)


def test_tensors_that_are_not_aligned_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    header = b'{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}'
    path.write_bytes(
        len(header).to_bytes(8, "little") + header + np.arange(3, dtype="<f4").tobytes()
    )
    seal(credenza.open(path), KEY)
    assert (8 + len(header)) % 4
    np.testing.assert_array_equal(credenza.load(path, TRUST, map_unprotected=True)["w"], [0, 1, 2])
    torch_ = load_torch(path, TRUST, map_unprotected=True)["w"]
    assert torch.equal(torch_ * 2, torch.tensor([0.0, 2.0, 4.0]))


def test_straight_into_a_module(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    source, target = torch.nn.Linear(8, 3), torch.nn.Linear(8, 3)
    save_torch(dict(source.state_dict()), path)
    seal(credenza.open(path), KEY)
    load_torch(path, TRUST, into=target, device="cpu")
    assert torch.equal(target.weight, source.weight)
    assert isinstance(target.weight, torch.nn.Parameter)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (torch.nn.Linear(8, 4), "shape"),
        (torch.nn.Linear(8, 3, bias=False), "differ in their tensors: bias"),
        (torch.nn.Linear(8, 3, dtype=torch.float64), "float64"),
    ],
)
def test_a_module_of_another_shape_is_left_as_it_was(
    tmp_path: Path, module: torch.nn.Module, message: str
) -> None:
    path = tmp_path / "m.safetensors"
    save_torch(dict(torch.nn.Linear(8, 3).state_dict()), path)
    seal(credenza.open(path), KEY)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(InputError, match=message):
        load_torch(path, TRUST, into=module)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_device_that_is_not_there(sealed: Path) -> None:
    with pytest.raises(InputError, match="a device that torch has expected"):
        load_torch(sealed, TRUST, device="cuda:7")
    with pytest.raises(InputError, match="a device that torch has expected"):
        load_torch(sealed, TRUST, device="abacus")


def test_a_file_cut_short_while_it_is_read_is_an_altered_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it cannot be leased, and is copied."""
    path = tmp_path / "m.npy"
    np.save(path, np.zeros(2**20))
    seal(credenza.open(path), KEY)

    def fill(file: OpenFile, buffer: memoryview, start: int) -> None:
        os.truncate(path, 1000)
        raise InputError(f"{file.path}: cut short")

    monkeypatch.setattr(OpenFile, "mapped", lambda *_: None)
    monkeypatch.setattr(OpenFile, "fill", fill)
    assert {finding.rule for finding in _refusal(path)} == {"seal.file-resized"}
