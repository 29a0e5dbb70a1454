"""What a probe of a model is: a frozen value that holds its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.findings import Figure, Finding
from credenza.probe.population import Calibration


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one detector saw. ``uncovered`` says what it cannot see, in this run."""

    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    uncovered: tuple[str, ...]


class Detector(Protocol):
    """Watches what a model does with trusted samples."""

    @property
    def covers(self) -> str:
        """What is looked at, for the report."""
        ...

    def run(
        self, classifier: Classifier, trusted: Dataset, calibration: Calibration, seed: int
    ) -> Outcome:
        """What speaks against the model.

        The samples are finite, each class of the model has one at least, and its logits for them
        are finite. Raises `InputError` where they do not suffice: never "nothing found" instead.
        """
        ...
