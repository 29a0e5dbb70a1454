"""A network as its tensors show it: layers in their order, and which of them is the head.

Only numpy: what is read here may come out of a file that nobody would run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from credenza.errors import InputError

Values = NDArray[np.float64]

_NORM: Final = ("weight", "bias", "running_mean", "running_var")
_EPSILON: Final = 1e-5
"""What batch norms add to the variance: PyTorch's default, for a file does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A tensor of weights, as a matrix of channels (out, in, kernel).

    ``kernel`` is 1 for a linear layer. ``scale`` (out,) is |γ_k| / √(v_k + ε) of the batch norm
    that follows, 1 where none does. ``untouched`` are the channels of that norm that are exactly
    as they were made (γ 1, β 0, mean 0, variance 1), where others of it are not.
    """

    name: str
    weight: Values
    scale: Values
    untouched: tuple[int, ...] = ()

    @property
    def norms(self) -> Values:
        """σ_k = ‖W_k‖ · |γ_k| / √(v_k + ε) of each channel, (out,), the Frobenius norm of W_k.

        It bounds the channel's Lipschitz constant from above (Zheng et al., Data-free Backdoor
        Removal Based on Channel Lipschitzness, ECCV 2022, which takes the spectral norm of W_k
        reshaped, so no more than this).
        """
        norms: Values = np.sqrt((self.weight**2).sum(axis=(1, 2))) * self.scale
        return norms


def layers(weights: Mapping[str, NDArray[Any]], classes: int) -> tuple[Layer, ...]:
    """The layers in the order of their tensors; the last is the head, (classes, features, 1).

    The head is the last matrix with as many rows as there are classes, or, where there is none
    (ONNX's Gemm), columns. What comes after it is left out, and what is no floating-point
    number: those are for no layer that this reads.

    Raises `InputError` where there is no head, or it is zero or not finite.
    """
    names = [n for n, w in weights.items() if w.ndim >= 2 and w.dtype.kind == "f" and w.size]
    matrices = [n for n in names if weights[n].ndim == 2]
    upright = [n for n in matrices if len(weights[n]) == classes]
    lying = [n for n in matrices if weights[n].shape[1] == classes]
    if classes < 2 or not (upright or lying):
        shapes = ", ".join(str(weights[n].shape) for n in matrices[:8]) or "none"
        raise InputError(
            f"weights: a floating-point matrix with a row for each of {max(classes, 2)} classes "
            f"or more expected as the head; matrices found: {shapes}"
        )
    head = (upright or lying)[-1]
    before = names[: names.index(head)]
    last = weights[head].astype(np.float64)
    matrix = last if upright else last.T
    if not (np.isfinite(matrix).all() and matrix.any()):
        raise InputError(f"weights: a head of finite numbers, not all zero, expected in {head}")
    read = (_layer(n, weights) for n in before)
    return (*read, Layer(head, matrix[:, :, None], np.ones(classes)))


def _layer(name: str, weights: Mapping[str, NDArray[Any]]) -> Layer:
    tensor = weights[name].astype(np.float64)
    if not np.isfinite(tensor).all():
        raise InputError(f"weights: finite numbers expected in {name}")
    cube = tensor.reshape(*tensor.shape[:2], -1)
    norm = _norm_after(name, len(cube), weights)
    if norm is None:
        return Layer(name, cube, np.ones(len(cube)))
    gamma, beta, mean, variance = norm
    untouched = (gamma == 1) & (beta == 0) & (mean == 0) & (variance == 1)
    alone = () if untouched.all() else tuple(np.flatnonzero(untouched).tolist())
    return Layer(name, cube, np.abs(gamma) / np.sqrt(np.maximum(variance, 0) + _EPSILON), alone)


def _norm_after(
    name: str, channels: int, weights: Mapping[str, NDArray[Any]]
) -> tuple[Values, ...] | None:
    """γ, β, mean and variance of the batch norm behind a layer, by names and order.

    It is one where the next tensors up to the next layer have a ``running_var`` of that length.
    """
    following = list(weights)[list(weights).index(name) + 1 :]
    for other in following:
        if weights[other].ndim >= 2:
            return None
        prefix, _, last = other.rpartition(".")
        parts = [weights.get(f"{prefix}.{part}") for part in _NORM]
        if last == "running_var" and all(p is not None and p.shape == (channels,) for p in parts):
            return tuple(np.asarray(p, np.float64) for p in parts)
    return None
