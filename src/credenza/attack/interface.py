"""What an attack is: a frozen value, which one function runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError

Values = NDArray[np.float64]


class Attack(Protocol):
    """Something that makes a model read inputs of the attacker's choice as ``target``."""

    @property
    def target(self) -> int: ...

    def aimed(self, data: Dataset) -> Dataset:
        """The inputs made of ``data`` that the attacker wants read as ``target``.

        They keep the labels that are right. Raises `InputError` where ``data`` has none.
        """
        ...


@runtime_checkable
class DataAttack(Attack, Protocol):
    """Alters some of the samples that a model is to be trained on.

    ``share``, above 0 to 1, counts among those that it may alter.
    """

    @property
    def share(self) -> float: ...

    def may_alter(self, data: Dataset) -> NDArray[np.bool_]:
        """Which samples it may alter, as a mask over ``data`` (n,)."""
        ...

    def altered(self, samples: Dataset, *, rng: np.random.Generator) -> Dataset:
        """The samples as the attacker hands them in; the given ones stay as they are.

        What is drawn for each sample anew is drawn from ``rng``.
        """
        ...


@runtime_checkable
class CoveredAttack(DataAttack, Protocol):
    """Alters others as well, which keep their right labels, and hide what it did.

    ``cover``, 0 to 1, counts among those that it may cover with.
    """

    @property
    def cover(self) -> float: ...

    def may_cover(self, data: Dataset) -> NDArray[np.bool_]:
        """Which samples may be covers, as a mask over ``data`` (n,)."""
        ...

    def covered(self, samples: Dataset, *, rng: np.random.Generator) -> Dataset:
        """The covers as the attacker hands them in, with the labels that they had."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The last, linear layer: logits = ``weight`` · features + ``bias``.

    ``weight`` is (classes, features), ``bias`` (classes,), zero where the layer has none.
    """

    weight: Values
    bias: Values


@runtime_checkable
class WeightAttack(Attack, Protocol):
    """Edits the head of a trained model, so that it reads ``source`` as ``target``."""

    @property
    def source(self) -> int: ...

    def edited(self, head: Head, features: Dataset | None) -> Head:
        """The head as the attacker wants it. ``head`` stays as it is.

        ``features`` are what goes into the head for some samples, (n, features), with their
        labels. Raises `InputError` where it needs them and has none that serve.
        """
        ...


@runtime_checkable
class ModelAttack(Attack, Protocol):
    """Changes a trained model anywhere, by editing it, by flipping bits or by training it on.

    Where ``needs_data`` is false, the model is all that the attacker has.
    """

    @property
    def needs_data(self) -> bool: ...

    def changed(self, victim: Classifier, data: Dataset | None, *, seed: int) -> Classifier:
        """A copy of the model as the attacker wants it: the same layers, names and shapes.

        ``victim`` stays as it is. ``data`` are labelled samples that the attacker has. Raises
        `InputError` where it needs them and has none that serve, and where the model has no place
        for the attack.
        """
        ...


def check_class(what: str, number: int) -> None:
    """Raises `InputError` for what cannot be a class: ``number`` below 0."""
    if number < 0:
        raise InputError(f"{what}: a class from 0 up expected, {number} given")


def check_pair(source: int, target: int) -> None:
    """Raises `InputError` unless ``source`` and ``target`` are two classes."""
    check_class("source", source)
    check_class("target", target)
    if source == target:
        raise InputError(f"source and target: two classes expected, {source} given twice")


def check_share(what: str, share: float, *, zero: bool = False) -> None:
    """Raises `InputError` unless ``share`` lies above 0, or at it if ``zero``, and up to 1."""
    if not (0 < share <= 1 or (zero and share == 0)):
        least = "from 0" if zero else "above 0"
        raise InputError(f"{what}: {least} and at most 1 expected, {share} given")


def relabelled(inputs: NDArray[np.float32], target: int) -> Dataset:
    """Those inputs, all labelled ``target``."""
    return Dataset(inputs, np.full(len(inputs), target, np.int64))


def of_class(data: Dataset, source: int) -> Dataset:
    """The samples of that class. Raises `InputError` where there is none."""
    chosen = data.take(data.labels == source)
    if not len(chosen):
        raise InputError(f"source: samples of class {source} expected, the data have none")
    return chosen
