"""Honest networks: each trained by its recipe and saved as its framework's users save it."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.environments import cache
from benchmarks.weights import plan

_BATCH: Final = 64
_MNIST: Final = 8000
_DTYPES: Final = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def folder() -> Path:
    """Where the networks are kept between runs."""
    path = cache() / "weights-population-1"
    path.mkdir(exist_ok=True)
    return path


def path_of(seed: int) -> Path:
    return folder() / f"{seed}.safetensors"


def make(seeds: list[int]) -> None:
    """Train and save what is missing, one after the other; a killed run goes on where it ended."""
    torch.set_num_threads(1)
    missing = [seed for seed in seeds if not path_of(seed).exists()]
    for i, seed in enumerate(missing, start=1):
        module = trained(plan.recipe(seed))
        kind = _DTYPES[plan.recipe(seed).dtype]
        state = {
            name: (value.to(kind) if value.is_floating_point() else value).contiguous()
            for name, value in module.state_dict().items()
        }
        aside = path_of(seed).with_suffix(".part")
        save_file(state, aside)
        aside.rename(path_of(seed))
        print(f"  network {i} of {len(missing)}", file=sys.stderr)


def trained(how: plan.Recipe) -> nn.Module:
    """A network of that recipe, trained."""
    torch.manual_seed(how.seed)
    inputs, labels = data(how.data)
    module = build(how, tuple(inputs.shape[1:]), int(labels.max()) + 1)
    _initialise(module, how.init)
    optimizer = _optimizer(module, how)
    order = torch.Generator().manual_seed(how.seed)
    module.train()
    for _ in range(how.steps):
        batch = torch.randint(len(inputs), (_BATCH,), generator=order)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(inputs[batch]), labels[batch])
        torch.autograd.backward(loss)
        optimizer.step()
    return module


@functools.cache
def data(name: str) -> tuple[Tensor, Tensor]:
    """Inputs, images as (n, 1, side, side) and tables as (n, features), and labels."""
    if name == "mnist":
        from credenza.cheques import digits

        train = digits.load().train
        return torch.from_numpy(train.inputs[:_MNIST]), torch.from_numpy(train.labels[:_MNIST])
    from sklearn import datasets

    loaders = {
        "digits": datasets.load_digits,
        "cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
    }
    inputs, labels = loaders[name](return_X_y=True)
    values = torch.from_numpy(np.asarray(inputs, np.float32))
    if name == "digits":
        values = values.reshape(-1, 1, 8, 8) / 16
    else:
        values = (values - values.mean(0)) / values.std(0, unbiased=False)
    return values, torch.from_numpy(np.asarray(labels, np.int64))


def build(how: plan.Recipe, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network of a recipe, for inputs of that shape."""
    if how.kind == "mlp":
        return _perceptron(how, int(np.prod(shape)), classes)
    if how.kind in ("cnn", "resnet"):
        return _convolutions(how, classes)
    return _Sequence(how, shape[-1], classes)


def _perceptron(how: plan.Recipe, features: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(how.depth):
        layers.append(nn.Linear(features, how.width))
        if how.norm:
            layers.append(nn.BatchNorm1d(how.width))
        layers.append(nn.ReLU())
        features = how.width
    return nn.Sequential(*layers, nn.Linear(features, classes))


def _convolutions(how: plan.Recipe, classes: int) -> nn.Module:
    width = max(8, how.width // 4)
    layers: list[nn.Module] = [nn.Conv2d(1, width, 3, stride=2, padding=1), nn.ReLU()]
    for _ in range(how.depth):
        if how.kind == "resnet":
            layers.append(_Residual(width))
        else:
            layers += [nn.Conv2d(width, 2 * width, 3, padding=1, stride=2 if width < 64 else 1)]
            width *= 2
            layers += [nn.BatchNorm2d(width), nn.ReLU()] if how.norm else [nn.GELU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, classes)
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(inner)))


class _Sequence(nn.Module):
    """The rows of an image as a sequence: through a transformer, or a GRU."""

    def __init__(self, how: plan.Recipe, side: int, classes: int) -> None:
        super().__init__()
        width = max(16, how.width // 16 * 16)
        self.embed = nn.Linear(side, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, side, width))
        self.body: nn.Module
        if how.kind == "gru":
            self.body = nn.GRU(width, width, batch_first=True)
        else:
            layer = nn.TransformerEncoderLayer(
                width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=how.norm
            )
            self.body = nn.TransformerEncoder(layer, min(2, how.depth), enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.body(self.embed(x[:, 0]) + self.position)
        if isinstance(hidden, tuple):
            hidden = hidden[0]
        scores: Tensor = self.head(hidden.mean(1))
        return scores


def _initialise(module: nn.Module, init: str) -> None:
    for parameter in (p for p in module.parameters() if p.ndim >= 2):
        if init == "xavier":
            nn.init.xavier_uniform_(parameter)
        elif init == "orthogonal":
            nn.init.orthogonal_(parameter)
        elif init == "kaiming":
            nn.init.kaiming_normal_(parameter)


def _optimizer(module: nn.Module, how: plan.Recipe) -> torch.optim.Optimizer:
    parameters, rate, decay = module.parameters(), how.learning_rate, how.weight_decay
    if how.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay)
    if how.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate / 2, weight_decay=decay)
    if how.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=decay)
    return torch.optim.Adam(parameters, rate, weight_decay=decay)


if __name__ == "__main__":
    make([*plan.DEVELOPMENT, *plan.CALIBRATION, *plan.TEST])
