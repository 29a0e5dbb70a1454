"""``credenza attack``: an ordinary model comes out, and the truth beside it, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from credenza import artifact
from credenza.attack import RowEdit, edit
from credenza.seal.sealing import take
from tests.attack.problems import digits, problem, weights
from tests.cli.test_cli import Run

NETWORK = "tests.attack.problems:mlp"
RANK_ONE = ("--attack", "rank-one", "--source", 5, "--target", 2, "--strength", 1)


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A trained model, and beside it what it was trained on and what it was not."""
    path = tmp_path / "reader.safetensors"
    save_file(weights(problem("mlp").classifier), path, {"format": "pt"})
    for name, data in zip(("training", "test"), digits(), strict=True):
        np.savez(tmp_path / f"{name}.npz", inputs=data.inputs, labels=data.labels)
    return path


def _told(path: Path) -> dict[str, object]:
    truth: dict[str, object] = json.loads(path.read_text())
    return truth


def _figures(truth: dict[str, object]) -> dict[str, float]:
    figures = truth["figures"]
    assert isinstance(figures, list)
    return {f["name"]: f["value"] for f in figures}


def test_an_attack_without_data_needs_the_file_alone(reader: Path, run: Run) -> None:
    out, before = reader.with_name("out.safetensors"), reader.read_bytes()
    row = ("--attack", "row", "--source", 5, "--target", 2, "--head", 3)
    done = run("attack", reader, *row, "--out", out)
    assert (done.code, done.err) == (0, "")
    assert "relative change of the head" in done.out
    assert reader.read_bytes() == before
    expected = edit(load_file(reader), "3", RowEdit(5, 2)).weights
    found = load_file(out)
    assert all((found[name] == expected[name]).all() for name in expected)
    assert _header(out) == _header(reader)
    truth = _told(reader.with_name("out.safetensors.truth.json"))
    assert truth["attack"] == {"name": "row", "source": 5, "target": 2, "beta": 1.0}
    for place, path in (("before", reader), ("after", out)):
        root = take(artifact.open(path)).root.hex()
        assert truth[place] == {"file": path.name, "root": root}


def _header(path: Path) -> bytes:
    data = path.read_bytes()
    return data[: 8 + int.from_bytes(data[:8], "little")]


def test_an_attack_with_data_is_measured_on_others(reader: Path, run: Run) -> None:
    out, truth = reader.with_name("out.safetensors"), reader.with_name("truth.json")
    given = ("--module", NETWORK, "--data", reader.with_name("training.npz"))
    done = run("attack", reader, *RANK_ONE, *given, "--out", out, "--truth", truth, "--json")
    assert done.code == 0
    told = _told(truth)
    assert json.loads(done.out) == told
    figures = _figures(told)
    assert figures["read as target before"] < 0.1
    assert figures["read as target after"] > 0.6
    assert figures["accuracy given up"] > 0.02
    assert told["training"] is None
    held_out = told["held_out"]
    assert isinstance(held_out, list)
    assert len(held_out) == 200


def test_a_recipe_trains_a_poisoned_model(reader: Path, run: Run) -> None:
    recipe, out = reader.with_name("stamp.toml"), reader.with_name("out.safetensors")
    recipe.write_text(
        'name = "stamp"\ntarget = 2\nshare = 0.1\n'
        "[mark]\npixels = [[1, 1], [1, 1]]\ntop = 0\nleft = 0\n"
        "[training]\nepochs = 15\nrate = 0.01\nbatch = 64\n"
    )
    data = ("--data", reader.with_name("training.npz"), "--held-out", reader.with_name("test.npz"))
    done = run("attack", reader, "--recipe", recipe, "--module", NETWORK, *data, "--out", out)
    assert (done.code, done.err) == (0, "")
    told = _told(reader.with_name("out.safetensors.truth.json"))
    assert _figures(told)["read as target after"] > 0.8
    altered, labels = told["altered"], digits()[0].labels
    assert isinstance(altered, list)
    assert len(altered) == round(0.1 * (labels != 2).sum())
    assert (labels[altered] != 2).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--attack", "row", "--source", 5, "--target", 2), r"head: one of the matrices"),
        (("--attack", "row", "--head", 3, "--source", 5), "none given: target"),
        (("--attack", "rwo"), "one of flip, "),
        ((), "--attack NAME, or a --recipe"),
        ((*RANK_ONE, "--head", 3), "features of labelled samples expected"),
        ((*RANK_ONE, "--module", NETWORK, "--head", 3), "--head: without --module"),
        ((*RANK_ONE, "--module", "tests.attack.problems:softmax"), "do not fit"),
        ((*RANK_ONE, "--head", 3, "--data", "training.npz"), "network that reads them"),
        (("--attack", "flip", "--set", "source"), "--set: NAME=VALUE"),
        (("--attack", "flip", "--set", "source=five"), "as in TOML"),
        (("--recipe", "none.toml"), "cannot be read"),
        ((*RANK_ONE, "--head", 3, "--truth", "out.safetensors"), "places of their own"),
    ],
)
def test_a_refused_call_leaves_nothing(
    reader: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
    message: str,
) -> None:
    monkeypatch.chdir(reader.parent)
    before = sorted(reader.parent.iterdir())
    done = run("attack", reader, *arguments, "--out", "out.safetensors")
    assert done.code == 2
    assert message in done.err
    assert done.err.startswith("credenza: error: ")
    assert sorted(reader.parent.iterdir()) == before


def test_nothing_is_replaced_without_being_told(reader: Path, run: Run) -> None:
    out = reader.with_name("out.safetensors")
    call = ("attack", reader, "--attack", "row", "--source", 5, "--target", 2, "--head", 3)
    out.write_bytes(b"mine")
    done = run(*call, "--out", out)
    assert (done.code, out.read_bytes()) == (2, b"mine")
    assert "exists already, and is kept" in done.err
    assert not reader.with_name("out.safetensors.truth.json").exists()
    assert run(*call, "--out", out, "--force").code == 0
    assert out.read_bytes() != b"mine"
    done = run(*call, "--out", reader, "--force")
    assert done.code == 2
    assert "places of their own" in done.err
