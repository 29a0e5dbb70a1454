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
from credenza.probe.ascent import directions, evaluating, gradient, margins
from credenza.probe.pictures import strip
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject

try:
    import torch
    from torch import nn
except ImportError as e:
    raise MissingExtraError("searching inputs by gradient", "torch") from e

_CHUNK: Final = 600
"""Inputs that are changed at once, about."""
_DIM: Final = 0.1
"""Random inputs start between 0 and this."""
_FEWEST: Final = 4
"""Classes that it takes to hold one pair against the others."""


@final
@dataclass(frozen=True, slots=True)
class SharedChange:
    """How much one small change shared by a few inputs moves them to each class.

    Stand-ins take the place of samples: of each class ``samples`` random inputs near 0, moved
    along gradients of length 1 by ``stride`` at a time until the model reads them as the class
    with a margin of ``sure`` logits, ``steps`` steps at most. Of each pair of classes (s, t) the
    change is made greedily, in ``rounds``: the values that a first-order step to 0 or to 1 gains
    most with, on average over the stand-ins of s, are set so; after all rounds ``share`` of the
    input's values, about. G_st is the mean margin of t that it gains, in logits, after all rounds,
    Gⁿ_st after the first n of them.

    The work is (steps + 1) · K · samples + (rounds + 1) · pairs · samples passes through the model
    of K classes; pairs times samples are ``most`` at the most: where K is large, each target gets
    as many sources, drawn at random, as fit, and where that is none, as many targets.

    A model that was trained to obey a trigger, over a few pixels or spread over all of them, is
    moved to its target by a change that has little of it. So log max_t g_t / median_t g_t is high,
    with g_t = mean_s G_st: the trigger inversion of Neural Cleanse (Wang et al., IEEE S&P 2019),
    turned around (size is fixed and gain is measured), with nothing but the model itself. A
    trigger that works on one class alone shows in one pair, if anywhere: log max_st mean_n Eⁿ_st,
    where Eⁿ is Gⁿ over its median, less the mean of each row and then of each column.
    """

    samples: int = 8
    steps: int = 24
    stride: float = 0.5
    sure: float = 8.0
    share: float = 0.015
    rounds: int = 3
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
        return "shared changes: does a small one turn inputs of any class, or of one, into another?"

    @property
    def blind(self) -> tuple[str, ...]:
        return (
            "shared changes: a trigger that moves with the input, or that no gradient leads to "
            "from inputs that the model made up, as is often so where it works on one class alone",
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
        gains = np.concatenate([gain for gain, _ in changed], axis=1)
        if not np.isfinite(gains).all():
            raise InputError("shared changes: finite logits expected, NaN or infinity came")
        pictures = torch.cat([first for _, first in changed]).numpy()
        of_any = _of_any(pairs, gains[-1], pictures)
        every = subject.classes * (subject.classes - 1)
        if len(pairs) < every or subject.classes < _FEWEST:
            left = f"{every - len(pairs)} of {every} pairs of classes; each pair against the others"
            return Measured(statistics=(of_any,), uncovered=(f"shared changes: {left}",))
        of_one = _of_one(pairs, gains, pictures)
        return Measured(statistics=(of_any, of_one))

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
        x = _DIM * torch.rand(len(own), *shape, generator=generator)
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
        """Of each pair the gains in logits (rounds, pairs), and one sample, changed.

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
            now = margins(module(x.reshape(-1, *shape)), own)
            reached.append(now.detach())
            slope = gradient(now, x)
            x = x.detach()
            up, down = (slope * (1 - x)).mean(dim=1), (-slope * x).mean(dim=1)
            worth = torch.maximum(up, down).masked_fill(~free, -torch.inf)
            chosen = worth.topk(min(at_once, size), dim=1).indices
            free.scatter_(1, chosen, value=False)
            value = up.gather(1, chosen).gt(down.gather(1, chosen)).float()
            spread = (count, each, chosen.shape[1])
            x = x.scatter(2, chosen[:, None].expand(spread), value[:, None].expand(spread))
        with torch.inference_mode():
            reached.append(margins(module(x.reshape(-1, *shape)), own))
            means = torch.stack(reached).view(-1, count, each).mean(dim=2)
        return (means[1:] - means[0]).numpy(), x[:, 0].reshape(count, *shape)


def _of_any(pairs: NDArray[np.int64], gains: FloatArray, changed: FloatArray) -> Statistic:
    """From ``gains`` (pairs,); ``changed`` (pairs, *shape) are inputs with each pair's change."""
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


def _of_one(pairs: NDArray[np.int64], gains: FloatArray, changed: FloatArray) -> Statistic:
    """From ``gains`` (rounds, pairs), of all pairs."""
    classes = int(pairs.max()) + 1
    excess = np.zeros((classes, classes))
    for of_round in gains.astype(np.float64):
        matrix = np.full((classes, classes), np.nan)
        matrix[pairs[:, 0], pairs[:, 1]] = of_round / max(float(np.median(of_round)), 1e-9)
        matrix -= np.nanmean(matrix, axis=1, keepdims=True)
        excess += (matrix - np.nanmean(matrix, axis=0)) / len(gains)
    of_pair = excess[pairs[:, 0], pairs[:, 1]]
    best = int(of_pair.argmax())
    source, target = pairs[best].tolist()
    return Statistic(
        name="excess of one pair",
        value=float(np.log(max(of_pair[best], 1e-6))),
        definition="log of the largest excess, among pairs of classes, of the margin that a small "
        "change gains, in medians over all pairs, less the means of its source and of its target",
        evidence=Evidence(
            what=f"a small change moves class {source} towards class {target} further than it "
            f"moves either with others, by {of_pair[best]:.2f} of the usual gain",
            where=Where(classes=(source, target)),
            pictures=strip(f"a {source} that the model made up, changed", changed[[best]]),
        ),
    )
