"""The strongest single path through a network: what a one-neuron trigger has to amplify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from credenza.findings import Where
from credenza.probe.layers import Layer, Values, layers
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject


@final
@dataclass(frozen=True, slots=True)
class AmplificationPath:
    """The gain of the strongest path of single channels, over that of the usual one.

    The gain from channel i to channel k of a layer is A_ki = ‖W_ki‖ · |γ_k| / √(v_k + ε): the
    Frobenius norm of the kernel between them, with the batch norm behind it. Where a linear layer
    reads a feature map flattened, W_ki are its weights for map i, and A_ki is the largest of them
    in size, since a path runs through one place. g⁰ = 1; g_k = max_i A_ki · g_i, a product of
    matrices in the algebra of max and times. Head rows are taken against their column's median,
    since what is added to all classes decides nothing.

    The statistic is log max_k g_k of the head minus Σ over layers of log median_k max_i A_ki: the
    strongest path over one whose every step is usual. A trigger that one neuron detects and that
    overrules all the rest has to be amplified on such a path (DFBA, Cao et al., NeurIPS 2024;
    subnet replacement, Qi et al., CVPR 2022).

    Layers are taken in the order of their tensors. That is exact for a `Sequential`; elsewhere it
    is an approximation: a layer reads the latest one before it that has as many channels as it
    has inputs, or a divisor of that, and where there is none it starts anew from 1; what a
    shortcut adds is left out.
    """

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.WEIGHTS})

    @property
    def covers(self) -> str:
        return "amplification: is there a path of single channels that overrules all the rest?"

    @property
    def blind(self) -> tuple[str, ...]:
        return ("amplification: a trigger that many channels detect together, as trained ones are",)

    def measure(self, subject: Subject, *, seed: int) -> Measured:  # noqa: ARG002  no chance here
        found = layers(subject.weights, subject.classes)
        reached = _reached(found)
        target = int(reached[-1].gains.argmax())
        path = _trace(reached, target)
        usual = sum(reached[i].usual for i, _ in path)
        excess = float(np.log(max(reached[-1].gains[target], 1e-30)) - usual)
        text = " → ".join(f"{found[i].name}[{k}]" for i, k in path)
        statistic = Statistic(
            name="strongest path",
            value=excess,
            definition="log of the gain of the strongest path of single channels minus that of a "
            "path whose every step is its layer's median (AmplificationPath)",
            evidence=Evidence(
                what=f"one path of single channels amplifies {np.exp(min(excess, 99)):.3g} times "
                f"as much as a usual one, to class {target}: {text}",
                where=Where(tensor=found[-1].name, rows=(target,), classes=(target,)),
            ),
        )
        return Measured(statistics=(statistic,))


@dataclass(frozen=True, slots=True, eq=False)
class _Reached:
    """A layer, as the strongest paths reach it.

    ``gains`` (out,) are g_k, ``sources`` (out,) the channel of the layer ``before`` that each
    comes from, ``usual`` is log median_k max_i A_ki over the channels that have any weight.
    """

    gains: Values
    before: int | None
    sources: NDArray[np.intp]
    usual: float


def _reached(found: tuple[Layer, ...]) -> list[_Reached]:
    reached: list[_Reached] = []
    for layer in (*found[:-1], _above_median(found[-1])):
        before = _input_of(layer, reached)
        gains = None if before is None else reached[before].gains
        steps = _steps(layer, None if gains is None else len(gains))
        carried = steps if gains is None else steps * gains
        strongest = steps.max(axis=1)
        usual = np.log(np.median(strongest[strongest > 0])) if strongest.any() else 0.0
        reached.append(_Reached(carried.max(axis=1), before, carried.argmax(axis=1), float(usual)))
    return reached


def _input_of(layer: Layer, earlier: list[_Reached]) -> int | None:
    inputs = layer.weight.shape[1]
    kernel = layer.weight.shape[2]
    for i in reversed(range(len(earlier))):
        channels = len(earlier[i].gains)
        if channels == inputs or (kernel == 1 and inputs % channels == 0):
            return i
    return None


def _steps(layer: Layer, channels: int | None) -> Values:
    """A_ki (out, channels); ``channels`` are those of the layer before, which may be flattened."""
    strength: Values = np.sqrt((layer.weight**2).sum(axis=2)) * layer.scale[:, None]
    if channels is None or channels == strength.shape[1]:
        return strength
    steps: Values = strength.reshape(len(strength), channels, -1).max(axis=2)
    return steps


def _above_median(head: Layer) -> Layer:
    """The head with each column's median over the classes taken off, what is above it alone."""
    above = np.maximum(head.weight - np.median(head.weight, axis=0, keepdims=True), 0)
    return Layer(head.name, above, head.scale)


def _trace(reached: list[_Reached], target: int) -> tuple[tuple[int, int], ...]:
    """(layer, channel) along the strongest path to the target, from the input on."""
    path: list[tuple[int, int]] = []
    at: int | None = len(reached) - 1
    channel = target
    while at is not None:
        path.append((at, channel))
        channel, at = int(reached[at].sources[channel]), reached[at].before
    return tuple(reversed(path))
