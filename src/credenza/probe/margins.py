"""How sure of a class can any input make the model, and of which class far more, or less?

Needs the extra ``torch``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from credenza.dataset import FloatArray
from credenza.errors import InputError, MissingExtraError
from credenza.findings import Figure, Where
from credenza.probe.ascent import directions, evaluating, gradient, margins
from credenza.probe.pictures import strip
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject

try:
    import torch
except ImportError as e:
    raise MissingExtraError("searching inputs by gradient", "torch") from e

_CHUNK: Final = 256
"""Inputs that are searched at once."""
_LEAST: Final = 1e-3
"""A margin counts as this share of the largest at least, so that logarithms are bounded."""


@final
@dataclass(frozen=True, slots=True)
class MarginSearch:
    """The largest margin of each class over all inputs, r_c = max_x f_c(x) − max_{k≠c} f_k(x).

    After MM-BD (Wang et al., IEEE S&P 2024). x is searched in [0, 1]^d from ``starts`` random
    inputs a class, by ``steps`` steps of sign ascent with momentum 0.8 over gradients of length 1,
    that shrink linearly from ``stride`` to nothing; r_c is the best that was met on the way. The
    work is (steps + 1) · starts · classes passes through the model, and no more than ``most``
    starts are searched: of more classes than that, as many are drawn at random.

    A backdoor's target has too large a margin: log r_(1) / r_(2), the largest over the next. A
    class that was mostly relabelled, or whose row was taken from it, has too small a one:
    log r_(K−1) / r_(K), the last but one over the least.
    """

    starts: int = 6
    steps: int = 20
    stride: float = 0.15
    most: int = 2048

    def __post_init__(self) -> None:
        if min(self.starts, self.steps) < 1 or self.most < 2 or not 0 < self.stride <= 1:
            raise InputError(
                "margins: starts ≥ 1, steps ≥ 1, most ≥ 2 and a stride from above 0 to 1 "
                f"expected, {self} given"
            )

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.GRADIENTS})

    @property
    def covers(self) -> str:
        return "margins: can an input make it far surer of one class than of any other, or less?"

    @property
    def blind(self) -> tuple[str, ...]:
        return (
            "margins: a trigger that works on one class alone, and one that no gradient leads to "
            "from random inputs",
        )

    def measure(self, subject: Subject, *, seed: int) -> Measured:
        rng = np.random.default_rng([seed, 21])
        classes = np.arange(subject.classes)
        if subject.classes > self.most:
            classes = np.sort(rng.choice(classes, self.most, replace=False))
        starts = max(1, min(self.starts, self.most // len(classes)))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        best, inputs = [], []
        for chunk in np.array_split(classes, -(-len(classes) * starts // _CHUNK)):
            found = self._search(subject, torch.from_numpy(chunk), starts, generator)
            best.append(found[0])
            inputs.append(found[1])
        statistics = _statistics(classes, np.concatenate(best), np.concatenate(inputs))
        left = subject.classes - len(classes)
        uncovered = (f"margins: {left} of {subject.classes} classes, drawn at random",)
        return Measured(statistics=statistics, uncovered=uncovered if left else ())

    def _search(
        self, subject: Subject, classes: torch.Tensor, starts: int, generator: torch.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Of each class, the largest margin (n,) and the input that it was met at (n, *shape)."""
        own = classes.repeat_interleave(starts)
        x = torch.rand(len(own), *subject.shape, generator=generator)
        best, best_x = torch.full((len(own),), -torch.inf), x.clone()
        momentum = torch.zeros_like(x)
        with evaluating(subject) as module:
            for step in range(self.steps + 1):
                x.requires_grad_()
                reached = margins(module(x), own)
                slope = gradient(reached, x)
                x = x.detach()
                better = reached.detach() > best
                best[better], best_x[better] = reached.detach()[better], x[better]
                momentum = 0.8 * momentum + directions(slope)
                stride = self.stride * (1 - step / self.steps)
                x = (x + stride * momentum.sign()).clamp(0, 1)
        first = best.view(len(classes), starts).argmax(dim=1)
        rows = torch.arange(len(classes)) * starts + first
        return best[rows].numpy(), best_x[rows].numpy()


def _statistics(
    classes: np.typing.NDArray[np.int64], best: FloatArray, inputs: FloatArray
) -> tuple[Statistic, ...]:
    if not np.isfinite(best).all():
        raise InputError("margins: finite logits expected, NaN or infinity came")
    order = np.argsort(-best, kind="stable")
    floor = max(_LEAST * float(np.abs(best).max()), 1e-12)
    ranked = np.log(np.maximum(best[order].astype(np.float64), floor))
    figures = tuple(
        Figure(name=f"largest margin of class {classes[i]}", value=float(best[i]), unit="logits")
        for i in (order if len(order) <= 20 else [*order[:2], *order[-2:]])
    )
    top, low = int(classes[order[0]]), int(classes[order[-1]])
    return (
        Statistic(
            name="excess of the largest margin",
            value=float(ranked[0] - ranked[1]),
            definition="log r_(1) / r_(2), r_c the largest margin of class c over all inputs",
            evidence=Evidence(
                what=f"an input makes it {np.exp(ranked[0] - ranked[1]):.2f} times as sure of "
                f"class {top} as any makes it of another",
                where=Where(classes=(top,)),
                figures=figures,
                pictures=strip(f"the input that is surest of class {top}", inputs[order[:1]]),
            ),
        ),
        Statistic(
            name="lack of the least margin",
            value=float(ranked[-2] - ranked[-1]),
            definition="log r_(K−1) / r_(K), the last but one of K largest margins over the least",
            evidence=Evidence(
                what=f"no input makes it as sure of class {low} as of any other class, by "
                f"{np.exp(ranked[-2] - ranked[-1]):.2f} times",
                where=Where(classes=(low,)),
                figures=figures,
            ),
        ),
    )
