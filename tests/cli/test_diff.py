"""``credenza diff``, with samples and without."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.cli.test_cli import Run
from tests.probe.samples import digits, trained

BUILD = "tests.cli.test_diff:build"


def build() -> object:
    """The network of the models below."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    state = {n: t.detach().numpy().copy() for n, t in trained().module.state_dict().items()}
    save_file(state, folder / "old.safetensors")
    for name in ("3.weight", "3.bias"):
        state[name][[2, 5]] = state[name][[5, 2]]
    save_file(state, folder / "new.safetensors")
    data = digits()[1]
    np.savez(folder / "data.npz", inputs=data.inputs, labels=data.labels)
    return folder


def test_with_samples_it_says_which_class_became_which(run: Run, files: Path) -> None:
    data = ("--data", files / "data.npz", "--module", BUILD)
    done = run("diff", files / "old.safetensors", files / "new.safetensors", *data, "--json")
    assert done.code == 1
    changed, flows = json.loads(done.out)["reports"]
    assert "diff.row-edit" in {f["rule"] for f in changed["findings"]}
    pairs = {tuple(f["where"]["classes"]) for f in flows["findings"]}
    assert pairs == {(2, 5), (5, 2)}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--data", "data.npz"), "go together"),
        (("--module", BUILD), "go together"),
        (("--data", "data.npz", "--module", "tests.cli.test_diff:none"), "--module"),
        (("--data", "none.npz", "--module", BUILD), "none.npz"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(files)
    done = run("diff", "old.safetensors", "new.safetensors", *words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
