"""Ways to hurt a verifier or a sealer that were found by trying."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import credenza
from credenza.attest import Envelope, Signature
from credenza.errors import AlteredError, InputError, UntrustedError
from credenza.seal import load_torch, seal, seal_path, verify
from tests.seal.models import KEY, TRUST, small_model


def test_a_fifo_for_a_seal_is_not_waited_for(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    os.mkfifo(seal_path(model))
    with pytest.raises(InputError, match="a regular file expected"):
        verify(model, TRUST)


def test_many_signatures_are_not_tried(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    many = tuple(Signature("k", bytes([i]) * 64) for i in range(17))
    seal_path(model).write_bytes(bytes(Envelope(b"{}", "application/vnd.in-toto+json", many)))
    with pytest.raises(UntrustedError, match="at most 16 signatures"):
        verify(model, TRUST)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    seal_path(model).write_bytes(b'{"payload":' + b"[" * 200_000)
    with pytest.raises(UntrustedError):
        verify(model, TRUST)


def test_a_file_exchanged_between_open_and_seal_is_not_sealed(tmp_path: Path) -> None:
    a, b = np.zeros(4, np.float32), np.ones(4, np.float32)
    path = tmp_path / "m.safetensors"
    save_file({"a": a, "b": b}, path)
    opened = credenza.open(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"a"', b'"x"').replace(b'"b"', b'"a"').replace(b'"x"', b'"b"'))
    with pytest.raises(InputError, match="changed while it was being sealed"):
        seal(opened, KEY)
    assert not seal_path(path).exists()


def test_what_was_left_out_of_the_artifact_cannot_be_sealed_around(tmp_path: Path) -> None:
    whole = credenza.open(small_model(tmp_path))
    partial = dataclasses.replace(whole, files=whole.files[1:])
    with pytest.raises(InputError, match="changed while it was being sealed"):
        seal(partial, KEY)


def test_a_name_that_is_no_text_cannot_be_sealed(tmp_path: Path) -> None:
    torch.save({"a\ud800": torch.ones(2)}, tmp_path / "m.pt")
    with pytest.raises(InputError, match="a name that is text expected"):
        seal(credenza.open(tmp_path / "m.pt"), KEY)


def test_a_stride_that_is_never_taken_may_be_any_number(tmp_path: Path) -> None:
    value = torch.as_strided(torch.arange(8.0), (1, 2, 2), (2**62, 1, 2))
    torch.save({"w": value}, tmp_path / "m.pt")
    seal(credenza.open(tmp_path / "m.pt"), KEY)
    assert torch.equal(load_torch(tmp_path / "m.pt", TRUST)["w"], value)


def test_an_empty_array_in_a_compressed_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez_compressed(path, a=np.zeros((0, 3), np.float32), b=np.arange(5.0))
    seal(credenza.open(path), KEY)
    loaded = credenza.load(path, TRUST)
    assert loaded["a"].shape == (0, 3)
    np.testing.assert_array_equal(loaded["b"], np.arange(5.0))
    loaded["b"][0] = 1  # private memory: the caller's own


def test_a_tensor_altered_throughout_costs_no_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    np.save(path, np.zeros(300_000, np.uint8))
    seal(credenza.open(path), KEY)
    np.save(path, np.ones(300_000, np.uint8))
    with pytest.raises(AlteredError) as refused:
        verify(path, TRUST)
    [finding] = refused.value.report.findings
    assert len(finding.where.rows) == 10_000
    assert finding.where.stop == path.stat().st_size
