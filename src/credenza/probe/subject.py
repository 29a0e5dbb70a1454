"""What is probed, and what a detector says of it: statistics, which calibration then judges."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError
from credenza.findings import Figure, Picture, Where

if TYPE_CHECKING:  # torch is not needed to look at weights alone
    from credenza.classifier import Classifier


class BlackBox(Protocol):
    """Something that answers: ONNX Runtime, a service, a torch module."""

    def logits(self, inputs: FloatArray) -> FloatArray:
        """Logits (n, classes), float32, for inputs (n, …)."""
        ...


class Need(enum.Enum):
    """What a detector has to be given."""

    WEIGHTS = "the parameters"
    ANSWERS = "answers to inputs"
    GRADIENTS = "a torch module"
    TRUSTED = "trusted samples"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Subject:
    """A model, as far as it was handed in. What is None or empty no detector may ask for.

    ``weights`` holds every tensor by its name. ``classifier`` can be differentiated, ``box`` only
    asked; where there is a classifier it is the box as well. ``trusted`` are samples that the
    model was not trained on, with the right labels: keep them secret, and take new ones from time
    to time, lest somebody trains a model to pass. ``shape`` is that of one input, without the
    batch; inputs lie in 0 to 1.

    Raises `InputError` for fewer than two classes, and trusted samples that are not finite, not of
    the classes, or leave one out.
    """

    classes: int
    shape: tuple[int, ...] = ()
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    classifier: Classifier | None = None
    box: BlackBox | None = None
    trusted: Dataset | None = None

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise InputError(f"probe: a model of two classes or more expected, {self.classes} came")
        if self.trusted is not None:
            _check(self.trusted, self.classes)

    @classmethod
    def of(
        cls,
        classifier: Classifier,
        trusted: Dataset | None = None,
        *,
        shape: tuple[int, ...] | None = None,
    ) -> Subject:
        """A torch classifier with its parameters and buffers, and what is trusted, if anything.

        ``shape`` is that of one input; the trusted samples have it where it is not given. Raises
        `InputError` where neither says it, or the model cannot read such inputs.
        """
        if shape is None and trusted is not None and len(trusted):
            shape = trusted.inputs.shape[1:]
        if shape is None:
            raise InputError("probe: trusted samples, or the shape of an input, expected")
        weights = {n: t.detach().numpy() for n, t in classifier.module.state_dict().items()}
        return cls(
            classes=_classes(classifier, shape),
            shape=shape,
            weights=weights,
            classifier=classifier,
            trusted=trusted,
        )

    @property
    def has(self) -> frozenset[Need]:
        """What detectors can be given of it."""
        present = {
            Need.WEIGHTS: bool(self.weights),
            Need.ANSWERS: self.box is not None or self.classifier is not None,
            Need.GRADIENTS: self.classifier is not None,
            Need.TRUSTED: self.trusted is not None,
        }
        return frozenset(need for need, there in present.items() if there)


def _classes(box: BlackBox, shape: tuple[int, ...]) -> int:
    try:
        logits = box.logits(np.full((2, *shape), 0.5, np.float32))
    except (RuntimeError, ValueError, IndexError, TypeError) as e:  # what a model may raise
        raise InputError(f"probe: the model cannot read inputs of shape {shape}: {e}") from e
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise InputError(f"probe: logits (n, ≥ 2 classes) expected, {logits.shape} came")
    return int(logits.shape[1])


def _check(trusted: Dataset, classes: int) -> None:
    """Raises `InputError` for samples that no detector could use."""
    if not len(trusted) or not np.isfinite(trusted.inputs).all():
        raise InputError("trusted: samples with finite inputs expected")
    low, high = int(trusted.labels.min()), int(trusted.labels.max())
    if low < 0 or high >= classes:
        raise InputError(f"trusted: labels 0 to {classes - 1} expected, {low} to {high} given")
    missing = np.flatnonzero(np.bincount(trusted.labels, minlength=classes) == 0)
    if len(missing):
        raise InputError(f"trusted: samples of each class expected, class {missing[0]} has none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a person is shown where a statistic is extreme.

    ``what`` is a sentence that names it ("a mark of 9 pixels makes it read any class as 2"). Of
    ``where.classes`` the last is the target, and the one before it, if any, the source. ``rule``
    is that of the finding which it becomes.
    """

    what: str
    rule: str = "probe.unlike-clean"
    where: Where = field(default_factory=Where)
    figures: tuple[Figure, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One number about a model, on a scale on which clean models of one kind lie close together.

    ``name`` is the same for every model. The higher, the more suspicious; where ``two_sided``, the
    further from what clean models show, either way. Take logarithms of ratios and of sizes. The
    value is finite: a detector that cannot come to one says so in its `Measured.uncovered`.

    Statistics of one ``family``, one a pair of classes, say, count as one: calibration measures
    each in the units of its own twins, since a 4 is closer to a 9 than to a 1 in every honest
    model, and takes the largest.
    """

    name: str
    value: float
    definition: str
    evidence: Evidence
    two_sided: bool = False
    family: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one detector came to. ``uncovered`` says what it could not look at, in this run."""

    statistics: tuple[Statistic, ...]
    uncovered: tuple[str, ...] = ()


class Detector(Protocol):
    """A frozen value that holds its settings; its ``str`` names them all.

    The same subject and seed give the same statistics, whatever else was run before.
    """

    @property
    def needs(self) -> frozenset[Need]: ...

    @property
    def covers(self) -> str:
        """What is looked at, for the report."""
        ...

    @property
    def blind(self) -> tuple[str, ...]:
        """What it cannot see, whatever it is given."""
        ...

    def measure(self, subject: Subject, *, seed: int) -> Measured:
        """Its statistics of a subject that has all of ``needs``.

        Parameters and answers are finite, and each class has a trusted sample at least. Raises
        `InputError` where they do not suffice: never "nothing found" instead.
        """
        ...
