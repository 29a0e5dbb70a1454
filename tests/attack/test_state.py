"""Model files as an attacker takes and gives them back: what changes, and what does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from credenza import artifact
from credenza.attack.state import State
from credenza.errors import InputError
from tests.attack.problems import mlp

TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def _tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    tensors = {str(kind).rpartition(".")[2]: torch.randn(3, 4).to(kind) for kind in TYPES}
    return tensors | {"steps": torch.tensor(7), "flags": torch.tensor([True, False])}


def _state(path: Path) -> State:
    return State.of(artifact.open(path))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(_tensors(), path, {"format": "pt", "by": "somebody"})
    return path


def test_unchanged_it_is_the_same_file(file: Path) -> None:
    state = _state(file)
    assert bytes(state) == file.read_bytes()
    assert bytes(state.changed(state.arrays())) == file.read_bytes()


@pytest.mark.parametrize("kind", TYPES)
def test_a_changed_value_is_in_its_place_in_its_type(file: Path, kind: torch.dtype) -> None:
    state, name = _state(file), str(kind).rpartition(".")[2]
    arrays = state.arrays()
    arrays[name][1, 2] = 1.2345678
    file.write_bytes(bytes(state.changed(arrays)))
    found, expected = load_file(file), _tensors()
    expected[name][1, 2] = 1.2345678
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype
        assert torch.equal(found[key], tensor), key


def test_what_was_a_checkpoint_is_written_as_a_library_writes_it(tmp_path: Path) -> None:
    tensors = _tensors()
    torch.save(tensors, tmp_path / "model.pt")
    save_file(tensors, tmp_path / "theirs.safetensors", {"format": "pt"})
    ours = bytes(_state(tmp_path / "model.pt"))
    assert len(ours) == (tmp_path / "theirs.safetensors").stat().st_size
    (tmp_path / "ours.safetensors").write_bytes(ours)
    found = load_file(tmp_path / "ours.safetensors")
    assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items())


def test_what_does_not_fit_back_is_refused(file: Path) -> None:
    state = _state(file)
    arrays = state.arrays()
    for name, value in (("float16", 1e6), ("bfloat16", 3.4e38)):
        changed = {**arrays, name: np.full((3, 4), value, np.float32)}
        with pytest.raises(InputError, match="do not fit into"):
            state.changed(changed)
    with pytest.raises(InputError, match=r"shape \(3, 4\) expected"):
        state.changed({**arrays, "float32": np.zeros(12, np.float32)})
    with pytest.raises(InputError, match="other ones: more"):
        state.changed({**arrays, "more": np.zeros(1)})


def test_values_that_are_meant_to_be_no_numbers_are_kept(file: Path) -> None:
    state = _state(file)
    arrays = state.arrays()
    arrays["float32"][0, 0] = np.inf
    file.write_bytes(bytes(state.changed(arrays)))
    assert load_file(file)["float32"][0, 0] == torch.inf


def test_the_head_is_named_or_the_only_matrix(tmp_path: Path) -> None:
    save_file(mlp().state_dict(), tmp_path / "m.safetensors")
    state = _state(tmp_path / "m.safetensors")
    assert state.head("3") == "3"
    for name, told in (("", "none named"), ("4", "'4' given")):
        with pytest.raises(InputError, match=rf"\(1, 3\), {told}"):
            state.head(name)


def test_parameters_alone_are_no_network(tmp_path: Path) -> None:
    save_file(mlp().state_dict(), tmp_path / "m.safetensors")
    bare = _state(tmp_path / "m.safetensors").bare("3")
    assert bare.head_name == "3"
    assert bare.module.state_dict().keys() == mlp().state_dict().keys()
    with pytest.raises(InputError, match="network itself is needed"):
        bare.predict(np.zeros((1, 1, 8, 8), np.float32))


def test_a_folder_of_several_is_refused(file: Path) -> None:
    save_file({"a": torch.zeros(1)}, file.with_name("other.safetensors"))
    with pytest.raises(InputError, match="one file with tensors expected, 2 found"):
        _state(file.parent)
