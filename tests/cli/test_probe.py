"""``credenza probe`` and ``credenza probe calibrate``, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from credenza.probe import Calibration
from credenza.training import Recipe, train
from tests.cli.test_cli import Run
from tests.probe.samples import digits

TRAINING, TRUSTED = digits()
BUILD = "tests.cli.test_probe:build"


def build() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    for name, data in (("train", TRAINING), ("trusted", TRUSTED)):
        np.savez(folder / f"{name}.npz", inputs=data.inputs, labels=data.labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build()
    train(module, TRAINING, Recipe(epochs=4, rate=2e-2), seed=0)
    state = {n: t.detach().numpy() for n, t in module.state_dict().items()}
    save_file(state, folder / "m.safetensors")
    state["3.weight"] = state["3.weight"].copy()
    state["3.weight"][[2, 5]] = state["3.weight"][[5, 2]]
    save_file(state, folder / "edited.safetensors")
    (folder / "recipe.toml").write_text("epochs = 2\nrate = 2e-2\n")
    return folder


@pytest.fixture(scope="module")
def calibrated(files: Path) -> Path:
    return files / "c.json"


def calibrate(run: Run, files: Path, out: Path, *more: object) -> object:
    return run(
        *("probe", "calibrate", "--module", BUILD, "--data", files / "train.npz", "--out", out),
        *("--recipe", files / "recipe.toml", "--processes", 1, *more),
    )


def test_weights_alone(run: Run, files: Path) -> None:
    done = run("probe", files / "m.safetensors", "--json")
    assert done.code in (0, 1)
    (report,) = json.loads(done.out)["reports"]
    assert report["subject"] == "m.safetensors: a model of 10 classes"
    assert any("uncalibrated" in text for text in report["uncovered"])
    assert any("no seal was asked for" in text for text in report["uncovered"])
    assert {f["severity"] for f in report["findings"]} <= {"medium"}


def test_twins_without_data_calibrate_what_needs_none(
    run: Run, files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "c.json"
    done = calibrate(run, files, out, "--twins", 2)
    assert (done.code, done.out) == (0, "")  # type: ignore[attr-defined]
    assert "twin 2 of 2" in done.err  # type: ignore[attr-defined]
    assert Calibration.read(out).trusted == 0
    assert [p.name for p in tmp_path.iterdir()] == ["c.json"]

    done = run("probe", files / "m.safetensors", "--calibration", out, "--json")
    (report,) = json.loads(done.out)["reports"]
    assert any("2 twins can tell no less than 0.333" in text for text in report["uncovered"])

    again = calibrate(run, files, out, "--twins", 2)
    assert again.code == 2  # type: ignore[attr-defined]
    assert "exists already, and is kept" in again.err  # type: ignore[attr-defined]


def test_a_run_that_was_stopped_goes_on(
    run: Run, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is interrupted leaves no calibration; the next run makes only the twins that miss."""
    out = tmp_path / "c.json"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("credenza.cli.calibrating.write_whole", stop)
        assert calibrate(run, files, out, "--twins", 2).code == 130  # type: ignore[attr-defined]
    assert not out.exists()
    (journal,) = tmp_path.iterdir()
    with journal.open("ab") as file:
        file.write(b'["half a li')
    done = calibrate(run, files, out, "--twins", 3)
    assert "2 twins are known" in done.err  # type: ignore[attr-defined]
    assert "twin 3 of 3" in done.err  # type: ignore[attr-defined]
    whole = tmp_path / "whole.json"
    assert calibrate(run, files, whole, "--twins", 3).code == 0  # type: ignore[attr-defined]
    assert Calibration.read(out).twins == Calibration.read(whole).twins
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.json", "whole.json"]


def test_an_edit_is_found_with_trusted_samples(run: Run, files: Path) -> None:
    data = ("--module", BUILD, "--data", files / "trusted.npz")
    done = run("probe", files / "edited.safetensors", *data, "--json")
    assert done.code == 1
    found = json.loads(done.out)["reports"][0]["findings"]
    assert "probe.misread-class" in {f["rule"] for f in found}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["m.safetensors", "--data", "trusted.npz"], "nothing to read them with"),
        (["m.safetensors", "--run", "pickle"], "onnx, torchscript, export expected"),
        (["m.safetensors", "--run", "onnx", "--module", BUILD], "neither --module"),
        (["m.safetensors", "--run", "onnx", "--shape", "1x8x8"], "onnxruntime refuses"),
        (["m.safetensors", "--run", "torchscript", "--shape", "1x8x8"], "torch"),
        (["m.safetensors", "--module", BUILD], "the shape of an input"),
        (["m.safetensors", "--module", BUILD, "--shape", "1x8xa"], "sizes as in"),
        (["m.safetensors", "--module", BUILD, "--shape", "1x8x9"], "cannot read inputs"),
        (["m.safetensors", "--module", "tests.cli.test_probe:none", "--shape", "8"], "--module"),
        (["m.safetensors", "--calibration", "recipe.toml"], "a calibration expected"),
        (["m.safetensors", "--level", "0"], "between 0 and 1"),
        (["missing.npz"], "missing.npz"),
        (["calibrate", "--module", BUILD, "--data", "trusted.npz", "--trusted", "trusted.npz",
          "--out", "x.json"], "among the training samples"),
        (["calibrate", "--module", BUILD, "--data", "train.npz", "--recipe", "m.safetensors",
          "--out", "x.json"], "TOML expected"),
        (["calibrate", "--module", BUILD, "--data", "train.npz", "--out", "no/x.json"], "--out"),
    ],
)  # fmt: skip
def test_a_wrong_call_says_what_is_wrong(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    done = run("probe", *words)
    assert done.code == 2
    assert done.out == ""
    assert says in done.err.splitlines()[0], done.err
    assert sorted(files.iterdir()) == before
