"""What is probed, and what a detector says of it: statistics, which calibration then judges."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from credenza.classifier import Classifier
from credenza.dataset import Dataset, FloatArray
from credenza.findings import Figure, Picture, Where


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
    model was not trained on, with the right labels. ``shape`` is that of one input, without the
    batch; inputs lie in 0 to 1.
    """

    classes: int
    shape: tuple[int, ...] = ()
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    classifier: Classifier | None = None
    box: BlackBox | None = None
    trusted: Dataset | None = None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a person is shown where a statistic is extreme.

    ``what`` is a sentence that names it ("a mark of 9 pixels makes it read any class as 2"). Of
    ``where.classes`` the last is the target, and the one before it, if any, the source.
    """

    what: str
    where: Where = field(default_factory=Where)
    figures: tuple[Figure, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One number about a model, on a scale on which clean models of one kind lie close together.

    ``name`` is the same for every model. The higher, the more suspicious; where ``two_sided``, the
    further from what clean models show, either way. Take logarithms of ratios and of sizes. The
    value is finite: a detector that cannot come to one says so in its `Measured.uncovered`.
    """

    name: str
    value: float
    definition: str
    evidence: Evidence
    two_sided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
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
