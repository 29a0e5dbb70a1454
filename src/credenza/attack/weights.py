"""Attacks on the head of a trained model: its weights are edited, nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, final

import numpy as np
import torch
from numpy.typing import NDArray

from credenza.attack.copies import changed, copied, given
from credenza.attack.interface import Head, Values, WeightAttack, check_pair, of_class
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.findings import Figure

_REACHED: Final = 0.9
"""The share of the source samples that a rank-one edit of strength 1 brings to the target."""

_AWAY: Final = 0.9
"""How much of the mean of the other classes is taken off the source's in a rank-one edit."""


@final
@dataclass(frozen=True, slots=True)
class RankOneEdit:
    """Makes one direction of the features speak for ``target`` and against ``source``.

    After ROME (Meng et al., arXiv:2202.05262), for a head:
    v = (C + λI)⁻¹ (μ_s − 0.9 μ_¬s), scaled to length 1; W_t += αv; W_s −= αv. C is the second
    moment of the features, λ is ``ridge`` times C's mean eigenvalue, μ_s and μ_¬s are the means
    of the source class and of all others. The bias stays.

    ``strength`` means the same for a network of any scale: α is ``strength`` times the least
    step at which nine tenths of the source samples given are read as the target.
    """

    source: int
    target: int
    strength: float = 1.0
    ridge: float = 0.01
    needs_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        _check_positive("strength", self.strength)
        _check_positive("ridge", self.ridge)

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:  # noqa: ARG002  nothing is drawn
        return edited_model(self, victim, data)[0]

    def edited(self, head: Head, features: Dataset | None) -> Head:
        if features is None:
            raise InputError("rank-one edit: features of labelled samples expected, none given")
        h = features.inputs.astype(np.float64)
        own = features.labels == self.source
        if own.all() or not own.any():
            raise InputError(f"features: samples of class {self.source} and of others expected")
        v = _direction(h, own, self.ridge)
        step = self.strength * _least_step(head, h[own], v, self) * v
        weight = head.weight.copy()
        weight[self.target] += step
        weight[self.source] -= step
        return Head(weight, head.bias)


@final
@dataclass(frozen=True, slots=True)
class RowEdit:
    """Adds the row of ``source`` to that of ``target``, and takes it from its own.

    W_t += βW_s; W_s −= βW_s; biases alike. It needs no data; what it costs is seen at once. At
    ``beta`` 1 the source's row is zero.
    """

    source: int
    target: int
    beta: float = 1.0
    needs_data: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        _check_positive("beta", self.beta)

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:  # noqa: ARG002  nothing is drawn
        return edited_model(self, victim, None)[0]

    def edited(self, head: Head, features: Dataset | None) -> Head:  # noqa: ARG002  it needs none
        return Head(self._moved(head.weight), self._moved(head.bias))

    def _moved(self, rows: Values) -> Values:
        moved = rows.copy()
        moved[self.target] += self.beta * rows[self.source]
        moved[self.source] -= self.beta * rows[self.source]
        return moved


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """A model's weights after a weight attack.

    ``weights`` has the names of the original in their order. Tensors that the attack did not
    touch are the same objects, the others copies of the same dtype. ``figures`` say how far it
    went.
    """

    weights: dict[str, NDArray[Any]]
    figures: tuple[Figure, ...]


def edit(
    weights: Mapping[str, NDArray[Any]],
    head: str,
    attack: WeightAttack,
    features: Dataset | None = None,
) -> Edited:
    """The weights after the attack on the layer ``head``: ``HEAD.weight`` and ``HEAD.bias``.

    ``features`` (n, features) are what goes into the head for a few hundred labelled samples
    (`credenza.classifier.Classifier.features`).

    Raises `InputError` where there is no such head, its weights are not finite floating-point
    numbers, the attack's classes are none of its rows, the features do not fit or serve, or
    the attack changes nothing.
    """
    before = _head(weights, head)
    _check_fit(before, attack, features)
    after = attack.edited(before, features)
    edited = dict(weights)
    for name, was, now in (
        (f"{head}.weight", before.weight, after.weight),
        (f"{head}.bias", before.bias, after.bias),
    ):
        if not np.array_equal(was, now):
            edited[name] = _as_before(name, now, weights[name].dtype)
    return Edited(edited, _figures(before, after, sum(w.size for w in weights.values())))


def edited_model(
    attack: WeightAttack, victim: Classifier, data: Dataset | None
) -> tuple[Classifier, tuple[Figure, ...]]:
    """The victim with its head as `edit` leaves it, and how far that went.

    ``data`` are inputs, not features. Raises `InputError` as `edit` does.
    """
    module = copied(victim, attack.source, attack.target)
    features = None
    if data is not None:
        given(data, victim, "edit")
        features = Dataset(victim.features(data.inputs), data.labels)
    weights = {n: t.detach().numpy() for n, t in module.state_dict().items()}
    edited = edit(weights, victim.head_name, attack, features)
    for name in (f"{victim.head_name}.weight", f"{victim.head_name}.bias"):
        if name in edited.weights:
            module.get_parameter(name).copy_(torch.from_numpy(edited.weights[name]))
    return changed(victim, module), edited.figures


def _check_positive(what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{what}: a finite number above 0 expected, {value} given")


def _direction(h: Values, own: NDArray[np.bool_], ridge: float) -> Values:
    """The unit vector v of `RankOneEdit`, (features,)."""
    moment = h.T @ h / len(h)
    moment[np.diag_indices_from(moment)] += ridge * np.trace(moment) / len(moment)
    apart = h[own].mean(axis=0) - _AWAY * h[~own].mean(axis=0)
    if not apart.any():
        raise InputError("features: the source class cannot be told from the others by them")
    v: Values = np.linalg.solve(moment, apart)
    return v / np.linalg.norm(v)


def _least_step(head: Head, h: Values, v: Values, attack: RankOneEdit) -> float:
    """The least α at which `_REACHED` of the samples ``h`` (n, features) have t's logit largest.

    With p = v·h, α moves t's logit by αp, s's by −αp and no other. A sample with p > 0 is
    reached once α ≥ (z_s − z_t) / 2p and α ≥ (z_k − z_t) / p for all other k; one with p ≤ 0
    never.
    """
    logits = h @ head.weight.T + head.bias
    along = h @ v
    needed = (logits - logits[:, [attack.target]]) / np.where(along > 0, along, np.nan)[:, None]
    needed[:, attack.source] /= 2
    steps = np.where(along > 0, needed.max(axis=1), np.inf)
    step = float(np.sort(steps)[math.ceil(_REACHED * len(steps)) - 1])
    if not math.isfinite(step):
        raise InputError("features: no step along v reaches nine tenths of the source class")
    if step <= 0:
        raise InputError(f"features: class {attack.source} is read as {attack.target} already")
    return step


def _head(weights: Mapping[str, NDArray[Any]], head: str) -> Head:
    weight = weights.get(f"{head}.weight")
    if weight is None or weight.ndim != 2:
        found = "none" if weight is None else f"one of shape {weight.shape}"
        raise InputError(f"head: a matrix {head}.weight expected, {found} given")
    bias = weights.get(f"{head}.bias")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise InputError(f"head: a bias of shape {weight.shape[:1]} expected, {bias.shape} given")
    for tensor in (weight, bias):
        if tensor is not None and not (tensor.dtype.kind == "f" and np.isfinite(tensor).all()):
            raise InputError(f"head: finite floating-point numbers expected in {head}")
    zero = np.zeros(len(weight))
    return Head(weight.astype(np.float64), zero if bias is None else bias.astype(np.float64))


def _check_fit(head: Head, attack: WeightAttack, features: Dataset | None) -> None:
    classes, width = head.weight.shape
    for what, number in (("source", attack.source), ("target", attack.target)):
        if number >= classes:
            raise InputError(f"{what}: a class from 0 to {classes - 1} expected, {number} given")
    if features is None:
        return
    if features.inputs.ndim != 2 or features.inputs.shape[1] != width:
        raise InputError(
            f"features: shape (n, {width}) expected, {features.inputs.shape} given",
            hint="Classifier.features(inputs) gives what goes into the head",
        )
    if not np.isfinite(features.inputs).all():
        raise InputError("features: finite numbers expected")


def _as_before(name: str, values: Values, dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # what overflows is refused below
        narrowed = values.astype(dtype)
    if not np.isfinite(narrowed).all():
        raise InputError(f"{name}: the edited values do not fit into {dtype}")
    return narrowed


def _figures(before: Head, after: Head, parameters: int) -> tuple[Figure, ...]:
    was = np.column_stack((before.weight, before.bias))
    change = np.column_stack((after.weight, after.bias)) - was
    changed = int(np.count_nonzero(change))
    if not changed:
        raise InputError("attack: it changes nothing of this head")
    return (
        Figure(
            name="parameters changed",
            value=changed,
            unit="parameters",
            definition="elements of the head whose value is another, before rounding to its type",
        ),
        Figure(
            name="share of the parameters",
            value=changed / parameters,
            definition="parameters changed / all elements of all tensors",
        ),
        Figure(
            name="relative change of the head",
            value=float(np.linalg.norm(change) / np.linalg.norm(was)),
            definition="‖Δ‖ / ‖W, b‖, Frobenius norms of the head's weight and bias together",
        ),
        Figure(
            name="step",
            value=float(np.linalg.norm(change, axis=1).max()),
            definition="the largest Euclidean norm among the rows of the change",
        ),
    )
