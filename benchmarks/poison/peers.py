"""Runs others' detectors on model after model, as they come, in an environment of their own.

    python -m benchmarks.poison.peers < models

Models come as a line of JSON each, and so do the answers. Nothing here imports credenza.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from benchmarks.poison.networks import NETWORKS

CLASSES: Final = 10
Answer = tuple[bool, float]
"""Whether the tool says "poisoned" at its own threshold, and the figure that it decides by."""


class Colour(nn.Module):
    """mithridatium's MM-BD hands in three channels, and asks for ``num_classes``."""

    num_classes = CLASSES

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(images.mean(dim=1, keepdim=True))
        return logits


class Head(nn.Sequential):
    """FreeEagle asks for ``fc.out_features``."""

    out_features = CLASSES


class ResNet(nn.Module):
    """FreeEagle takes nothing but a class of this name, with these parts.

    They are those of the plain network, cut behind its second convolution: the layer in the
    middle, which FreeEagle's default, behind ``layer2``, is of a residual network.
    """

    def __init__(self, plain: nn.Sequential) -> None:
        super().__init__()
        conv1, relu1, conv2, relu2, _, *head = plain
        self.conv1, self.bn1, self.relu, self.maxpool = conv1, nn.Identity(), relu1, nn.Identity()
        self.layer1, self.layer2 = conv2, relu2
        self.layer3, self.layer4, self.avgpool = nn.Identity(), nn.Identity(), nn.Identity()
        self.fc = Head(*head)


def mmbd(model: nn.Sequential, _: str) -> Answer:
    """Its p-value; it looks at the first five classes alone."""
    from mithridatium.defenses.mmbd import run_mmbd

    found = run_mmbd(Colour(model), _configuration(3))
    return found["verdict"] != "Likely clean", -float(found["p_value"])


def freeeagle(model: nn.Sequential, _: str) -> Answer:
    """Its anomaly metric."""
    from mithridatium.defenses.freeeagle import run_freeeagle

    found = run_freeeagle(ResNet(model), _configuration(1))
    return found["verdict"] != "likely clean", float(found["anomaly_metric"])


def activation_clusters(model: nn.Sequential, data: str) -> Answer:
    """ART's ActivationDefence on what the model was trained on, by size and silhouette.

    Its default, "smaller", calls the smaller cluster of each class poisoned in any data.
    """
    from art.defences.detector.poison import ActivationDefence

    inputs, labels = _loaded(data)
    defence = ActivationDefence(_classifier(model), inputs, np.eye(CLASSES)[labels])
    report, _ = defence.detect_poison(
        nb_clusters=2, nb_dims=10, reduce="PCA", cluster_analysis="silhouette-scores"
    )
    classes = [of for name, of in report.items() if name.startswith("class_")]
    scores = [float(of["avg_silhouette_score"]) for of in classes if of["suspicious"]]
    return bool(scores), max(scores, default=0.0)


def spectral_signatures(model: nn.Sequential, data: str) -> Answer:
    """ART's, on what the model was trained on. It has no verdict: it removes a share of any data.

    Its figure here is the highest outlier score of what it removes, over the median one.
    """
    from art.defences.detector.poison import SpectralSignatureDefense

    inputs, labels = _loaded(data)
    defence = SpectralSignatureDefense(_classifier(model), inputs, np.eye(CLASSES)[labels])
    report, clean = defence.detect_poison()
    scores = np.array(list(report.values()), np.float64)
    return not all(clean), float(scores.max() / max(float(np.median(scores)), 1e-12))


def neural_cleanse(model: nn.Sequential, _: str) -> Answer:
    """ART's."""
    from art.defences.transformer.poisoning import NeuralCleanse

    NeuralCleanse(_classifier(model))
    raise AssertionError("it took a torch model: run it then")


TOOLS: Final[dict[str, Callable[[nn.Sequential, str], Answer]]] = {
    "mithridatium MM-BD": mmbd,
    "mithridatium FreeEagle": freeeagle,
    "ART ActivationDefence": activation_clusters,
    "ART SpectralSignatureDefense": spectral_signatures,
    "ART NeuralCleanse": neural_cleanse,
}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of models whose answers overflow: a hundred lines each
    for line in sys.stdin:
        job = json.loads(line)
        module = NETWORKS[job["architecture"]](job["width"])
        module.load_state_dict(_parameters(job["path"]))
        for name, tool in TOOLS.items():
            print(json.dumps({"tool": name, **_answer(tool, module.eval(), job["data"])}))
        print(json.dumps({"done": job["seed"]}), flush=True)


def _answer(
    tool: Callable[[nn.Sequential, str], Answer], module: nn.Sequential, data: str
) -> dict[str, Any]:
    started = time.process_time()
    torch.manual_seed(0)
    np.random.seed(0)
    answer: dict[str, Any] = {"error": ""}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            answer["found"], answer["score"] = tool(module, data)
    except Exception as e:  # noqa: BLE001  whatever somebody else's code raises is its answer
        answer["error"] = f"{type(e).__name__}: {e}"
    return answer | {"seconds": round(time.process_time() - started, 2)}


def _configuration(channels: int) -> Any:
    from mithridatium.utils import PreprocessConfig

    none, one = (0.0,) * 3, (1.0,) * 3
    return PreprocessConfig(input_size=(channels, 28, 28), mean=none, std=one, num_classes=CLASSES)


def _classifier(model: nn.Module) -> Any:
    from art.estimators.classification import PyTorchClassifier

    return PyTorchClassifier(
        model, nn.CrossEntropyLoss(), (1, 28, 28), CLASSES, clip_values=(0, 1), device_type="cpu"
    )


def _loaded(path: str) -> tuple[Any, Any]:
    with np.load(path) as file:
        return file["inputs"], file["labels"]


def _parameters(path: str) -> dict[str, torch.Tensor]:
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


if __name__ == "__main__":
    main()
