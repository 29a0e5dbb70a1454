"""Models out of files: weights alone without torch, and graphs that are run where asked for."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import credenza
from credenza.classifier import Classifier
from credenza.errors import CredenzaError, InputError
from credenza.probe import (
    DETECTORS,
    Accuracy,
    ConfusionCanaries,
    Need,
    Subject,
    from_export,
    from_onnx,
    from_torchscript,
    from_weights,
)
from tests.probe.samples import digits, trained

TRUSTED = digits()[1]
SAMPLE = torch.from_numpy(TRUSTED.inputs[:4])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network, saved in each way; of ONNX also with a batch of one size."""
    folder = tmp_path_factory.mktemp("models")
    module = trained().module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module, SAMPLE).save(folder / "m.ts")  # type: ignore[no-untyped-call]
        batch = {0: torch.export.Dim("n", min=1, max=4096)}
        graph = torch.export.export(module, (SAMPLE,), dynamic_shapes={"input": batch})
        torch.export.save(graph, folder / "m.pt2")
        for name, axes in (("m.onnx", {"input": {0: "n"}}), ("fixed.onnx", None)):
            torch.onnx.export(
                module, (SAMPLE,), folder / name,
                input_names=["input"], dynamic_axes=axes, dynamo=False,
            )  # fmt: skip
    state = {n: t.detach().numpy() for n, t in module.state_dict().items()}
    save_file(state, folder / "m.safetensors")
    return folder


LOADED: dict[str, Callable[..., Subject]] = {
    "m.ts": from_torchscript,
    "m.pt2": from_export,
    "m.onnx": from_onnx,
    "fixed.onnx": from_onnx,
}


@pytest.mark.parametrize("name", LOADED)
def test_a_graph_answers_as_the_module_does(files: Path, name: str) -> None:
    loaded = LOADED[name](files / name, TRUSTED, shape=None)
    box = loaded.classifier or loaded.box
    assert box is not None
    expected = trained().logits(TRUSTED.inputs[:7])
    assert np.allclose(box.logits(TRUSTED.inputs[:7]), expected, atol=1e-4)
    assert list(loaded.weights) == list(trained().module.state_dict())
    assert (loaded.classes, loaded.shape) == (10, (1, 8, 8))
    assert (Need.GRADIENTS in loaded.has) is (not name.endswith("onnx"))


@pytest.mark.parametrize("name", LOADED)
def test_a_graph_is_probed(files: Path, name: str) -> None:
    loaded = LOADED[name](files / name, TRUSTED, shape=None)
    report = credenza.probe(loaded, (Accuracy(), ConfusionCanaries()), seed=0)
    assert not report.findings
    assert len(report.covered) == 2


def test_a_torchscript_can_be_differentiated(files: Path) -> None:
    loaded = from_torchscript(files / "m.ts", TRUSTED, shape=None)
    assert loaded.classifier is not None
    inputs = SAMPLE.clone().requires_grad_()
    logits = loaded.classifier.module(inputs)
    assert torch.autograd.grad(logits.sum(), inputs)[0].abs().sum() > 0


class Runs:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize(("name", "member"), [("m.ts", "data.pkl"), ("m.pt2", "inputs/model.pt")])
def test_what_would_unpickle_more_than_tensors_is_refused(
    files: Path, tmp_path: Path, name: str, member: str
) -> None:
    bad, mark = tmp_path / name, tmp_path / "ran"
    with zipfile.ZipFile(files / name) as old, zipfile.ZipFile(bad, "w") as new:
        for info in old.infolist():
            own = pickle.dumps(Runs(mark)) if info.filename.endswith(member) else old.read(info)
            new.writestr(info, own)
    with pytest.raises(InputError, match="unpickles tensors alone"):
        LOADED[name](bad, TRUSTED, shape=None)
    assert not mark.exists()


@pytest.mark.parametrize("name", LOADED)
@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_half_a_file_is_refused(files: Path, tmp_path: Path, name: str, keep: float) -> None:
    whole = (files / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(CredenzaError):
        LOADED[name](tmp_path / name, TRUSTED, shape=None)


@pytest.mark.parametrize("name", LOADED)
def test_another_shape_is_refused(files: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot read inputs of shape"):
        LOADED[name](files / name, None, shape=(3, 8, 9))


def test_weights_are_read_without_torch(files: Path) -> None:
    code = (
        "import sys, pathlib, credenza\n"
        "from credenza.probe import from_weights, WeightStatistics, AmplificationPath, shipped\n"
        "subject = from_weights(pathlib.Path(sys.argv[1]))\n"
        "tests = (WeightStatistics(), AmplificationPath())\n"
        "report = credenza.probe(subject, tests, seed=0)\n"
        "print(subject.classes, len(report.covered), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, files / "m.safetensors"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "10 2 False"


def test_tensors_of_a_file_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = [f"{i}.weight" for i in (0, 2, 10)]
    save_file({n: np.ones((3, 3), np.float32) for n in names}, tmp_path / "m.safetensors")
    assert list(from_weights(tmp_path / "m.safetensors").weights) == names


@pytest.mark.parametrize(
    ("tensors", "classes"),
    [({"w": (7, 4), "b": (7,)}, 7), ({"w": (4, 7), "b": (7,)}, 7), ({"w": (7, 4)}, 7)],
)
def test_classes_are_the_outputs_of_the_last_matrix(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], classes: int
) -> None:
    np.savez(tmp_path / "m.npz", **{n: np.ones(s, np.float32) for n, s in tensors.items()})  # type: ignore[arg-type]
    assert from_weights(tmp_path / "m.npz").classes == classes


def test_a_file_without_a_matrix_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", b=np.ones(3, np.float32))
    with pytest.raises(InputError, match="a matrix expected"):
        from_weights(tmp_path / "m.npz")


def test_every_detector_runs_on_a_torchscript(files: Path) -> None:
    loaded = from_torchscript(files / "m.ts", TRUSTED, shape=None)
    able = tuple(d for d in DETECTORS if type(d).__name__ != "NeuronNoise")
    whole = Subject.of(Classifier(trained().module), TRUSTED)
    expected = credenza.probe(whole, able, seed=0)
    report = credenza.probe(loaded, able, seed=0)
    assert report.covered == expected.covered
    assert not report.findings
