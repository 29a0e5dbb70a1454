"""The bank's reader: a small convolutional network over the digits that `segment` cuts out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from credenza.cheques import Progress, silent
from credenza.dataset import Dataset
from credenza.errors import InputError

FEATURES: Final = 96
"""How many features the last layer weighs."""
_LEAST_STEPS: Final = 8  # fewer have no room for a rate that rises and falls


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the reader is trained: ``steps`` batches with AdamW and a one-cycle rate.

    The rate rises to ``rate`` and falls to nothing (Smith and Topin 2019, arXiv:1708.07120). 600
    steps of 256 are 2.6 passes over MNIST. The other settings say how far each training image is
    moved at random, so that people's hands, which vary more than the collection, are read too:
    ``turn`` in radians, ``lean`` as a part of the height, ``stretch`` as the logarithm of a
    factor, ``shift`` in pixels, each at most. ``stroke`` is the range of the level of ink at which
    strokes end: a low one is a broad pen.
    """

    steps: int = 600
    batch: int = 256
    rate: float = 4e-3
    weight_decay: float = 1e-2
    turn: float = 0.12
    lean: float = 0.25
    stretch: float = 0.12
    shift: float = 1.4
    stroke: tuple[float, float] = (0.25, 0.65)

    def __post_init__(self) -> None:
        if self.steps < _LEAST_STEPS:
            raise InputError(
                f"training: {_LEAST_STEPS} steps expected at least, {self.steps} given"
            )


def build() -> nn.Sequential:
    """The network, untrained: (n, 1, 28, 28) to logits (n, 10).

    Its head is the linear layer ``head``; into it go `FEATURES` outputs of a rectifier.
    """
    layers: list[tuple[str, nn.Module]] = [
        *_convolution("1", 1, 16, kernel=5),
        *_convolution("2", 16, 32, kernel=5),
        *_convolution("3", 32, 64, kernel=3),
        ("flatten", nn.Flatten()),
        ("linear", nn.Linear(64 * 4 * 4, FEATURES, bias=False)),
        ("norm", nn.BatchNorm1d(FEATURES)),
        ("features", nn.ReLU()),
        ("head", nn.Linear(FEATURES, 10)),
    ]
    network = nn.Sequential()
    for name, layer in layers:
        network.add_module(name, layer)
    return network


def train(
    data: Dataset,
    *,
    seed: int,
    settings: Training | None = None,
    progress: Progress = silent,
) -> nn.Sequential:
    """A network trained on ``data``, in evaluation mode.

    The same data, seed, settings, machine and number of threads give the same parameters. The
    global generators are left as they were. Raises `InputError` where there is no whole batch.
    """
    settings = settings or Training()
    if len(data) < settings.batch:
        raise InputError(f"training: {settings.batch} samples expected at least, {len(data)} given")
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=settings.rate, total_steps=settings.steps, pct_start=0.25
    )
    for step, (images, labels) in enumerate(_batches(data, settings, generator), start=1):
        varied = _inked(_moved(images, settings, generator), settings, generator)
        loss = functional.cross_entropy(network(varied), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        progress("training the reader", step / settings.steps)
    network.eval()
    return network


def _convolution(
    name: str, before: int, after: int, *, kernel: int
) -> Iterator[tuple[str, nn.Module]]:
    """A convolution that halves each side, normalised and rectified."""
    padding = kernel // 2
    convolution = nn.Conv2d(before, after, kernel, stride=2, padding=padding, bias=False)
    yield f"convolution{name}", convolution
    yield f"norm{name}", nn.BatchNorm2d(after)
    yield f"relu{name}", nn.ReLU()


def _batches(
    data: Dataset, settings: Training, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of one pass after another, each in an order of its own; what is left over is left."""
    images, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    drawn = 0
    while drawn < settings.steps:
        order = torch.randperm(len(data), generator=generator)
        whole = len(data) // settings.batch * settings.batch
        batches = order[:whole].reshape(-1, settings.batch)
        for indices in batches[: settings.steps - drawn]:
            yield images[indices], labels[indices]
            drawn += 1


def _moved(images: torch.Tensor, settings: Training, generator: torch.Generator) -> torch.Tensor:
    """Each image turned, leant, stretched and shifted at random, by one affine map (2, 3)."""
    most = torch.tensor(
        [
            *(settings.turn, settings.lean, settings.stretch, settings.stretch),
            # The sampling grid spans -1 to 1, whatever the size.
            *(2 * settings.shift / images.shape[3], 2 * settings.shift / images.shape[2]),
        ]
    )
    drawn = most * (2 * torch.rand(len(images), len(most), generator=generator) - 1)
    turn, lean, wide, tall, x, y = drawn.unbind(1)
    across = torch.stack([turn.cos() * wide.exp(), lean - turn.sin(), x], dim=1)
    down = torch.stack([turn.sin(), turn.cos() * tall.exp(), y], dim=1)
    maps = torch.stack([across, down], dim=1)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _inked(images: torch.Tensor, settings: Training, generator: torch.Generator) -> torch.Tensor:
    """Every other image in another pen, at random: its strokes end at another level of ink."""
    low, high = settings.stroke
    level = low + (high - low) * torch.rand(len(images[::2]), 1, 1, 1, generator=generator)
    inked = images.clone()
    inked[::2] = ((images[::2] - level) / 0.5 + 0.5).clamp(0, 1)
    return inked
