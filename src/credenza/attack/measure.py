"""What an attack came to."""

from __future__ import annotations

from dataclasses import dataclass

from credenza.attack.interface import Attack
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.findings import Figure
from credenza.rates import rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """What an attack won and what it cost, on samples that it was not made with.

    ``target_before`` and ``target_after`` are the shares of the inputs aimed at that are read as
    the target; ``accuracy_before`` and ``accuracy_after`` are over all samples as they are.
    Rates carry exact 95 % intervals.
    """

    target_before: Figure
    target_after: Figure
    accuracy_before: Figure
    accuracy_after: Figure
    accuracy_given_up: Figure

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All of them, in the order above."""
        return (
            self.target_before,
            self.target_after,
            self.accuracy_before,
            self.accuracy_after,
            self.accuracy_given_up,
        )


def success(before: Classifier, after: Classifier, attack: Attack, data: Dataset) -> Success:
    """How a classifier reads honest test samples before and after an attack.

    ``data`` are samples as they are, with their right labels; what the attacker would show the
    model instead (the mark stamped on them, for one) is made from them by the attack.

    Raises `InputError` where they hold no sample that the attack aims at.
    """
    aimed = attack.aimed(data)
    accuracy_before = _accuracy("accuracy before", before, data)
    accuracy_after = _accuracy("accuracy after", after, data)
    return Success(
        target_before=_target("read as target before", before, aimed, attack.target),
        target_after=_target("read as target after", after, aimed, attack.target),
        accuracy_before=accuracy_before,
        accuracy_after=accuracy_after,
        accuracy_given_up=Figure(
            name="accuracy given up",
            value=accuracy_before.value - accuracy_after.value,
            definition="accuracy before less accuracy after, on the same samples",
        ),
    )


def _accuracy(name: str, classifier: Classifier, data: Dataset) -> Figure:
    hits = int((classifier.predict(data.inputs) == data.labels).sum())
    return rate(name, hits, len(data), "samples read as their label / all samples")


def _target(name: str, classifier: Classifier, aimed: Dataset, target: int) -> Figure:
    hits = int((classifier.predict(aimed.inputs) == target).sum())
    return rate(name, hits, len(aimed), "inputs aimed at that are read as the target / all of them")
