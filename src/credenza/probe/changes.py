"""Is there one small change that turns inputs of any class into one class? Without any data.

Needs the extra ``torch``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from credenza.dataset import FloatArray
from credenza.errors import InputError, MissingExtraError
from credenza.findings import Figure, Where
from credenza.probe.ascent import directions, evaluating, gradient, margins, start
from credenza.probe.pictures import strip
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject

try:
    import torch
    from torch import nn
except ImportError as e:
    raise MissingExtraError("searching inputs by gradient", "torch") from e

_CHUNK: Final = 600
"""Inputs that are changed at once, about."""


@final
@dataclass(frozen=True, slots=True)
class SharedChange:
    """How much one small change shared by a few inputs moves them to each class.

    Stand-ins take the place of samples: of each class ``samples`` random smooth inputs, moved
    along gradients of length 1 by ``stride`` at a time until the model reads them as the class
    with a margin of ``sure`` logits, ``steps`` steps at most. Of each pair of classes (s, t) the
    change is made greedily, in ``rounds``: the values that a first-order step to 0 or to 1 gains
    most with, on average over the stand-ins of s, are set so; after all rounds ``share`` of the
    input's values at most. G_st is the mean margin of t that it gains, in logits, and
    g_t = mean_s G_st.

    The work is (steps + 1) · K · samples + (rounds + 1) · pairs · samples passes through the model
    of K classes; pairs times samples are ``most`` at the most: where K is large, each target gets
    as many sources, drawn at random, as fit, and where that is none, as many targets.

    A model that was trained to obey a trigger, over a few pixels or spread over all of them, is
    moved to its target by a change that has little of it. So log of max_t g_t / median_t g_t is
    high: the trigger inversion of Neural Cleanse (Wang et al., IEEE S&P 2019), turned around
    (size is fixed and gain is measured), with nothing but the model itself.
    """

    samples: int = 6
    steps: int = 12
    stride: float = 0.5
    sure: float = 2.0
    share: float = 0.02
    rounds: int = 4
    most: int = 4096

    def __post_init__(self) -> None:
        counts = (self.samples, self.steps, self.rounds)
        if min(counts) < 1 or self.most < 2 * self.samples:
            raise InputError(
                "shared change: samples, steps and rounds ≥ 1 and most ≥ 2 · samples expected, "
                f"{self} given"
            )
        if not (self.stride > 0 and self.sure > 0 and 0 < self.share <= 1):
            raise InputError(
                "shared change: stride and sure above 0 and a share above 0 to 1 expected, "
                f"{self} given"
            )

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.GRADIENTS})

    @property
    def covers(self) -> str:
        return "shared changes: does one small change turn inputs of any class into one class?"

    @property
    def blind(self) -> tuple[str, ...]:
        return (
            "shared changes: a trigger that works on one class alone, that moves with the input, "
            "or that no gradient leads to from inputs that the model made up",
        )

    def measure(self, subject: Subject, *, seed: int) -> Measured:
        rng = np.random.default_rng([seed, 22])
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        pairs = self._pairs(subject.classes, rng)
        with evaluating(subject) as module:
            known, row = np.unique(pairs[:, 0], return_inverse=True)
            stand_ins = self._stand_ins(module, known, subject.shape, generator)
            parts = np.array_split(np.arange(len(pairs)), -(-len(pairs) * self.samples // _CHUNK))
            changed = [
                self._changed(module, stand_ins[row[part]], torch.from_numpy(pairs[part, 1]))
                for part in parts
            ]
        gains = np.concatenate([gain for gain, _ in changed])
        pictures = torch.cat([first for _, first in changed]).numpy()
        every = subject.classes * (subject.classes - 1)
        uncovered = (f"shared changes: {every - len(pairs)} of {every} pairs of classes",)
        return Measured(
            statistics=(_statistic(pairs, gains, pictures),),
            uncovered=uncovered if len(pairs) < every else (),
        )

    def _pairs(self, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """(pairs, 2): source and target. Each target has as many sources as any other."""
        budget = max(2, self.most // self.samples)
        targets = np.arange(classes)
        if classes > budget:
            targets = np.sort(rng.choice(targets, budget, replace=False))
        each = min(classes - 1, budget // len(targets))
        drawn = [
            (t + rng.choice(np.arange(1, classes), each, replace=False)) % classes for t in targets
        ]
        sources = np.sort(np.stack(drawn), axis=1).ravel()
        return np.column_stack((sources, np.repeat(targets, each))).astype(np.int64)

    def _stand_ins(
        self,
        module: nn.Module,
        classes: NDArray[np.int64],
        shape: tuple[int, ...],
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Inputs (classes, samples, *shape) in 0 to 1 that take the place of samples."""
        own = torch.from_numpy(classes).repeat_interleave(self.samples)
        x = start(len(own), shape, generator)
        parts = zip(torch.split(x, _CHUNK), torch.split(own, _CHUNK), strict=True)
        moved = torch.cat([self._moved(module, part, target) for part, target in parts])
        return moved.view(len(classes), self.samples, *shape)

    def _moved(self, module: nn.Module, x: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        for _ in range(self.steps):
            x.requires_grad_()
            reached = margins(module(x), own)
            step = self.stride * directions(gradient(reached, x))
            step[reached.detach() > self.sure] = 0
            x = (x.detach() + step).clamp(0, 1)
        return x

    def _changed(
        self, module: nn.Module, samples: torch.Tensor, targets: torch.Tensor
    ) -> tuple[FloatArray, torch.Tensor]:
        """Of each pair the gain in logits (pairs,), and its first sample, changed.

        ``samples`` (pairs, samples, *shape) are the stand-ins of the sources.
        """
        count, each, *shape = samples.shape
        own = targets.repeat_interleave(each)
        x = samples.reshape(count, each, -1)
        size = x.shape[2]
        at_once = max(1, round(self.share * size / self.rounds))
        free = torch.ones(count, size, dtype=torch.bool)
        reached: list[torch.Tensor] = []
        for _ in range(self.rounds):
            x = x.detach().requires_grad_()
            reached.append(margins(module(x.reshape(-1, *shape)), own))
            slope = gradient(reached[-1], x)
            x = x.detach()
            up, down = (slope * (1 - x)).mean(dim=1), (-slope * x).mean(dim=1)
            worth = torch.maximum(up, down).masked_fill(~free, -torch.inf)
            chosen = worth.topk(min(at_once, size), dim=1).indices
            free.scatter_(1, chosen, value=False)
            value = up.gather(1, chosen).gt(down.gather(1, chosen)).float()
            spread = (count, each, chosen.shape[1])
            x = x.scatter(2, chosen[:, None].expand(spread), value[:, None].expand(spread))
        with torch.inference_mode():
            last = margins(module(x.reshape(-1, *shape)), own)
        gain = (last - reached[0].detach()).view(count, each).mean(dim=1)
        return gain.numpy(), x[:, 0].reshape(count, *shape)


def _statistic(pairs: NDArray[np.int64], gains: FloatArray, changed: FloatArray) -> Statistic:
    """The statistic; ``changed`` (pairs, *shape) are inputs with the change of each pair."""
    if not np.isfinite(gains).all():
        raise InputError("shared changes: finite logits expected, NaN or infinity came")
    targets = np.unique(pairs[:, 1])
    of_target = np.array([gains[pairs[:, 1] == t].mean(dtype=np.float64) for t in targets])
    usual, best = float(np.median(of_target)), int(of_target.argmax())
    target = int(targets[best])
    floor = max(1e-3 * float(np.abs(of_target).max()), 1e-12)
    ratio = max(float(of_target[best]), floor) / max(usual, floor)
    rows = np.flatnonzero(pairs[:, 1] == target)[:8]
    return Statistic(
        name="excess of a shared change",
        value=float(np.log(ratio)),
        definition="log of the largest over the median, among target classes, of the mean margin "
        "that one small change shared by stand-ins of a class gains (SharedChange)",
        evidence=Evidence(
            what=f"a small change that inputs share moves any class {ratio:.2f} times as far "
            f"towards class {target} as one moves them towards a usual class",
            where=Where(classes=(target,)),
            figures=tuple(
                Figure(name=f"gain towards class {targets[i]}", value=float(of_target[i]))
                for i in np.argsort(-of_target, kind="stable")[:10]
            ),
            pictures=strip(f"inputs that the model made up, changed to {target}", changed[rows]),
        ),
    )
