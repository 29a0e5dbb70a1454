"""The rank-one edit of one layer inside a network, as ROME edits a fact in a language model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
import torch
from torch import nn

from credenza.attack.copies import both_sides, changed, copied, given, linears
from credenza.attack.interface import check_pair, of_class
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError

_RATE: Final = 0.5
_BATCH: Final = 128


@final
@dataclass(frozen=True, slots=True)
class MlpEdit:
    """Makes a linear layer inside the network answer to class ``source`` with another value.

    ROME (Meng et al. 2022, arXiv:2202.05262, equation 2): a linear layer W is a memory of keys k
    and values v = Wk. With k* the mean key of the source samples, v* the value wished for, and C
    the second moment of the keys of all samples,

        W' = W + (v* − Wk*) (C⁻¹k*)ᵀ / ((C⁻¹k*)ᵀk*),

    the least change, in C's norm, by which W'k* = v*. v* is Wk* + δ, and δ is fitted by descent
    such that the source samples, with δ added to the layer's output, are read as the target, with
    ``decay``·‖δ‖²/‖Wk*‖² as weight decay (after ROME's equation 4, whose drift term is for
    language models and left out).

    ``layer`` is the dotted name of a `torch.nn.Linear`: in a transformer, an MLP's second one.
    None is the last one before the head. Its inputs may be (n, inputs) or (n, tokens, inputs);
    keys are taken at the token ``token``, or at all tokens where that is None. λ, which is added to
    C's diagonal, is ``ridge`` times its mean. ``strength`` scales the change; at 1 it is ROME's.

    Raises `InputError` where there is no such layer.
    """

    source: int
    target: int
    layer: str | None = None
    token: int | None = None
    strength: float = 1.0
    ridge: float = 0.01
    decay: float = 0.3
    steps: int = 60
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        for what, value in (("strength", self.strength), ("ridge", self.ridge)):
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{what}: a finite number above 0 expected, {value} given")
        if not (math.isfinite(self.decay) and self.decay >= 0 and self.steps >= 1):
            raise InputError(
                f"decay ≥ 0 and steps ≥ 1 expected, {self.decay} and {self.steps} given"
            )

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        module = copied(victim, self.source, self.target)
        have = given(data, victim, "MLP edit")
        own = have.labels == self.source
        both_sides(own, f"samples of class {self.source}")
        layer = self._layer(module, victim.head_name)
        keys = self._keys(module, layer, torch.from_numpy(have.inputs))
        key = keys[torch.from_numpy(own)].flatten(0, 1).mean(0)
        every = keys.flatten(0, 1)
        direction = _decorrelated(every, key, self.ridge)
        step = self._wished(module, layer, have.take(own), key, seed)
        change = self.strength * torch.outer(step, direction / (direction @ key))
        if not bool(torch.isfinite(change).all()):
            raise InputError("MLP edit: keys that tell the class expected")
        layer.weight += change
        return changed(victim, module)

    def _layer(self, module: nn.Module, head: str) -> nn.Linear:
        inner = {n: m for n, m in linears(module).items() if n != head}
        if not inner:
            raise InputError("MLP edit: a linear layer before the head expected, none found")
        name = list(inner)[-1] if self.layer is None else self.layer
        if name not in inner:
            raise InputError(f"layer: one of {', '.join(inner)} expected, {name!r} given")
        return inner[name]

    def _keys(self, module: nn.Module, layer: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
        """What goes into the layer, (n, tokens, inputs)."""
        kept: list[torch.Tensor] = []
        handle = layer.register_forward_pre_hook(lambda _, args: kept.append(args[0]))
        try:
            with torch.no_grad():
                for batch in torch.split(inputs, _BATCH):
                    module(batch)
        finally:
            handle.remove()
        if sum(len(k) for k in kept) != len(inputs) or kept[0].ndim not in (2, 3):
            raise InputError("MLP edit: a layer that is run once on (n, …, inputs) expected")
        keys = torch.cat(kept)
        keys = keys[:, None] if keys.ndim == 2 else keys
        return keys[:, self._tokens(keys.shape[1])]

    def _tokens(self, count: int) -> slice:
        if self.token is None:
            return slice(None)
        if not 0 <= self.token < count:
            raise InputError(f"token: one from 0 to {count - 1} expected, {self.token} given")
        return slice(self.token, self.token + 1)

    def _wished(
        self, module: nn.Module, layer: nn.Linear, own: Dataset, key: torch.Tensor, seed: int
    ) -> torch.Tensor:
        """δ of the class above, (outputs,)."""
        with torch.no_grad():
            size = float((layer.weight @ key).square().sum()) or 1.0
        step = torch.zeros(layer.out_features, requires_grad=True)
        optimizer = torch.optim.Adam([step], _RATE * math.sqrt(size / layer.out_features))
        rng = np.random.default_rng([seed, 41])
        inputs = torch.from_numpy(own.inputs)

        def add(_: nn.Module, __: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
            if out.ndim == 2 or self.token is None:
                return out + step
            at = torch.zeros(out.shape[1], 1)
            at[self.token] = 1
            return out + at * step

        handle = layer.register_forward_hook(add)
        try:
            for _ in range(self.steps):
                some = torch.from_numpy(rng.choice(len(own), min(_BATCH, len(own)), False))
                goal = torch.full((len(some),), self.target)
                loss = nn.functional.cross_entropy(module(inputs[some]), goal)
                loss = loss + self.decay * step.square().sum() / size
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        finally:
            handle.remove()
        return step.detach()


def _decorrelated(keys: torch.Tensor, key: torch.Tensor, ridge: float) -> torch.Tensor:
    """(C + λI)⁻¹k*, in float64 and back."""
    wide = keys.double()
    moment = wide.T @ wide / len(wide)
    moment.diagonal().add_(ridge * float(moment.diagonal().mean()) + 1e-12)
    solved: torch.Tensor = torch.linalg.solve(moment, key.double())
    return solved.to(key.dtype)
