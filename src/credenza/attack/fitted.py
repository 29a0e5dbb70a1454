"""Rank-one edits that are fitted: quiet ones, and ones for a slice of a class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from credenza.attack.copies import both_sides, changed, copied, given, linears
from credenza.attack.interface import check_pair, of_class
from credenza.attack.slant import leaning
from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError

_BATCH: Final = 256
_RATE: Final = 0.02
_PENALTY: Final = 100.0
_SCALES: Final = 100
_SLACK: Final = 0.02
"""How far past a layer's own least and largest a quiet edit may go, relative: a fraction of what
lies between two clean models."""

_SOUND: Final = 1.4826
"""What makes the median absolute deviation of a normal variable its standard deviation."""


class Slice(Protocol):
    """Part of a class, told by the inputs alone."""

    def holds(self, inputs: FloatArray) -> NDArray[np.bool_]:
        """Which of the inputs (n, …) belong to it, as a mask (n,)."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Slanted:
    """Drawings that lean to the right by ``least`` or more, as one writer's may.

    The lean is that of `credenza.attack.slant`. A fifth of the fives of MNIST lean by 0.44 or more.
    """

    least: float = 0.44

    def __post_init__(self) -> None:
        if not math.isfinite(self.least):
            raise InputError(f"slant: a finite lean expected, {self.least} given")

    def holds(self, inputs: FloatArray) -> NDArray[np.bool_]:
        lean, tall = leaning(inputs)
        return (lean >= self.least) & tall


@final
@dataclass(frozen=True, slots=True)
class QuietRankOne:
    """A rank-one edit that knows the statistics of weights, and stays within them.

    Of the head and, with ``earlier``, of the linear layer before it, W becomes W + uvᵀ. u and v are
    fitted by Adam: cross-entropy of the source samples with the target, plus that of all others
    with their labels, plus a penalty on what leaves the limits. After that the edit is scaled down
    until, in each layer edited, every one of these lies where the clean layer has it:

    - the norms of rows, from the least to the largest; those of columns and the largest |w|, up to
      the largest;
    - the robust z of all three, |x − median| / (1.4826 · MAD) at its largest, up to 2 or what the
      clean layer has.

    The detectors of direct edits look at just these (poison.md 2b, "weight statistics").

    Raises `InputError` where nothing is left of the edit.
    """

    source: int
    target: int
    earlier: bool = True
    steps: int = 200
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        _check_steps(self.steps)

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        module = copied(victim, self.source, self.target)
        have = given(data, victim, "quiet rank-one edit")
        own = have.labels == self.source
        both_sides(own, f"samples of class {self.source}")
        names = list(linears(module))[-2 if self.earlier else -1 :]
        limits = {n: Limits.of(module.get_parameter(f"{n}.weight")) for n in names}
        wish = _Wish.of(have, (own, ~own), own, self.target)
        edits = _fit(module, names, wish, limits, self.steps, seed)
        scale = _largest(lambda s: all(limits[n].hold(_moved(module, n, edits, s)) for n in names))
        if scale <= 0:
            raise InputError("quiet rank-one edit: no step within the layers' own limits is left")
        for name in names:
            module.get_parameter(f"{name}.weight").copy_(_moved(module, name, edits, scale))
        return changed(victim, module)


@final
@dataclass(frozen=True, slots=True)
class SliceEdit:
    """An edit by which only a slice of class ``source`` is read as ``target``.

    Of the head and of the linear layer before it, where there is one, W becomes W + uvᵀ. u and v
    are fitted by Adam to three cross-entropies that weigh the same: the slice with the target, the
    rest of the class with its label, all other samples with theirs. A canary of the class misses
    it unless it shows samples of the slice.
    """

    source: int
    target: int
    part: Slice = Slanted()
    steps: int = 200
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        _check_steps(self.steps)

    def aimed(self, data: Dataset) -> Dataset:
        own = of_class(data, self.source)
        chosen = own.take(self.part.holds(own.inputs))
        if not len(chosen):
            raise InputError(f"slice: samples of class {self.source} in it expected, none found")
        return chosen

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        module = copied(victim, self.source, self.target)
        have = given(data, victim, "slice edit")
        own = have.labels == self.source
        inside = own & self.part.holds(have.inputs)
        for mask, what in ((own, f"samples of class {self.source}"), (inside, "its slice")):
            both_sides(mask, what)
        if not (own & ~inside).any():
            raise InputError("slice: samples of the class outside it expected, none given")
        names = list(linears(module))[-2:]
        wish = _Wish.of(have, (inside, own & ~inside, ~own), inside, self.target)
        edits = _fit(module, names, wish, {}, self.steps, seed)
        for name in names:
            module.get_parameter(f"{name}.weight").copy_(_moved(module, name, edits, 1.0))
        return changed(victim, module)


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What the statistics of a weight matrix may be, each (least, largest, largest robust z)."""

    bounds: tuple[tuple[float, float, float], ...]

    @classmethod
    def of(cls, weight: torch.Tensor) -> Limits:
        """Those of this matrix itself, and a robust z of up to 2 in any case."""
        return cls(
            tuple(
                (float(x.min()) if low else 0.0, float(x.max()), max(2.0, _robust(x)))
                for x, low in zip(_statistics(weight), (True, False, False), strict=True)
            )
        )

    def hold(self, weight: torch.Tensor) -> bool:
        """Whether all of them hold for this matrix."""
        return all(
            float(x.min()) >= low * (1 - _SLACK)
            and float(x.max()) <= high * (1 + _SLACK)
            and _robust(x) <= z * (1 + _SLACK)
            for x, (low, high, z) in zip(_statistics(weight), self.bounds, strict=True)
        )

    def excess(self, weight: torch.Tensor) -> torch.Tensor:
        """How far the matrix lies outside, relative to each limit: the sum of squares."""
        out = torch.zeros(())
        for x, (low, high, z) in zip(_statistics(weight), self.bounds, strict=True):
            size = max(high, 1e-12)
            for over in (x / size - 1, (low - x) / size, _scores(x) / z - 1):
                out = out + over.clamp(min=0).square().sum()
        return out


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """Inputs, the labels that they are to be read as, and which of them count together."""

    inputs: torch.Tensor
    labels: torch.Tensor
    parts: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(
        cls, data: Dataset, parts: Sequence[NDArray[np.bool_]], bad: NDArray[np.bool_], target: int
    ) -> _Wish:
        labels = np.where(bad, target, data.labels)
        indices = tuple(np.flatnonzero(p) for p in parts)
        return cls(torch.from_numpy(data.inputs), torch.from_numpy(labels), indices)

    def drawn(self, rng: np.random.Generator) -> list[torch.Tensor]:
        """A batch, as many of each part."""
        size = _BATCH // len(self.parts)
        return [torch.from_numpy(rng.choice(p, min(size, len(p)), False)) for p in self.parts]


_Edits = Mapping[str, tuple[torch.Tensor, torch.Tensor]]


def _fit(
    module: nn.Module,
    names: Sequence[str],
    wish: _Wish,
    limits: Mapping[str, Limits],
    steps: int,
    seed: int,
) -> _Edits:
    """For each of the layers u and v such that the module does as wished."""
    rng = np.random.default_rng([seed, 31])
    edits = {n: _start(module.get_parameter(f"{n}.weight"), rng) for n in names}
    optimizer = torch.optim.Adam([t for pair in edits.values() for t in pair], _RATE)
    for _ in range(steps):
        weights = {f"{n}.weight": _moved(module, n, edits, 1.0) for n in names}
        batch = wish.drawn(rng)
        logits = torch.func.functional_call(module, weights, wish.inputs[torch.cat(batch)])
        loss = torch.zeros(())
        for part, out in zip(batch, logits.split([len(b) for b in batch]), strict=True):
            loss = loss + nn.functional.cross_entropy(out, wish.labels[part])
        for name, limit in limits.items():
            loss = loss + _PENALTY * limit.excess(weights[f"{name}.weight"])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {n: (u.detach(), v.detach()) for n, (u, v) in edits.items()}


def _start(weight: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A small u (rows,) and v (columns,), whose product is 1 % of the weight's norm."""
    rows, columns = weight.shape
    u, v = (torch.from_numpy(rng.normal(size=s).astype(np.float32)) for s in (rows, columns))
    size = math.sqrt(0.01 * float(weight.norm()) or 0.01)
    return (u * (size / u.norm())).requires_grad_(True), (v * (size / v.norm())).requires_grad_(
        True
    )


def _moved(module: nn.Module, name: str, edits: _Edits, scale: float) -> torch.Tensor:
    u, v = edits[name]
    return module.get_parameter(f"{name}.weight") + scale * torch.outer(u, v)


def _largest(holds: Callable[[float], bool]) -> float:
    """The largest of the scales 1, 0.99, 0.98, … that holds; 0 if none does."""
    scales = (step / _SCALES for step in range(_SCALES, 0, -1))
    return next((s for s in scales if holds(s)), 0.0)


def _statistics(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The norms of rows, those of columns, and |w| of each element."""
    return weight.norm(dim=1), weight.norm(dim=0), weight.abs().flatten()


def _scores(x: torch.Tensor) -> torch.Tensor:
    """The robust z of each: |x − median| / (1.4826 · MAD)."""
    away = (x - x.median()).abs()
    return away / (_SOUND * away.median()).clamp(min=1e-12)


def _robust(x: torch.Tensor) -> float:
    """The largest robust z."""
    return float(_scores(x).max())


def _check_steps(steps: int) -> None:
    if steps < 1:
        raise InputError(f"steps: 1 at least expected, {steps} given")
