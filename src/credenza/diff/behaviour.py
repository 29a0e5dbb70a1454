"""Which class became which: two versions of a classifier on labelled samples.

Needs the extra ``torch``. Unlike `credenza.diff.diff` it runs both models, so it is for models
that were examined before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.classifier import Classifier
from credenza.dataset import Dataset, IntArray
from credenza.errors import InputError
from credenza.findings import Figure, Finding, Report, Severity, Where
from credenza.rates import interval, rate

_LEAST: Final = 0.05
"""From which share on, of one class's inputs, a flow is a finding.

A setting: honest versions of small digit readers part on a few inputs in a hundred, spread over
all pairs. It was not calibrated; the share and its interval are in the finding.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The inputs that the change of a head answers to most.

    ``raised`` and ``lowered`` are the classes whose logits the change raises and lowers most, by
    ``up`` and ``down`` logits on average, on inputs of the class ``inputs``. ``rank`` is the
    numerical rank of the change of the head's weight, whose name is ``weight`` and of which the
    rows of both classes are responsible.
    """

    inputs: int
    raised: int
    lowered: int
    up: float
    down: float
    rank: int
    weight: str = ""

    def __str__(self) -> str:
        return (
            f"class {self.raised} raised by {self.up:.3g} and class {self.lowered} by "
            f"{self.down:.3g} on inputs of class {self.inputs}, rank {self.rank}"
        )


def behaviour(old: Classifier, new: Classifier, data: Dataset, *, least: float = _LEAST) -> Report:
    """Where two versions part: of the inputs that the old read as a, how many the new reads as b.

    A pair (a, b) is a finding where the lower bound of that share is above ``least``; the bound
    is Clopper–Pearson's at 95 % over all pairs together (Bonferroni). The finding says which
    change of the head does it, where the head changed. With enough samples of a class, and only
    then, its absence means something: ``covered`` says how many there were.

    Raises `InputError` where there are no samples or the classifiers have not the same classes.
    """
    if not len(data):
        raise InputError("behaviour: labelled samples expected, none given")
    was, now = old.logits(data.inputs), new.logits(data.inputs)
    if was.shape != now.shape:
        raise InputError(f"behaviour: {was.shape[1]} classes expected, {now.shape[1]} found")
    moved = flow(was.argmax(axis=1), now.argmax(axis=1), was.shape[1])
    answer = explain(old, new, data)
    parted = int(moved.sum() - np.trace(moved))
    per_class = moved.sum(axis=1)
    return Report(
        examination="diff",
        subject="a classifier, against its trusted version",
        covered=(
            f"{len(data)} labelled samples",
            f"between {per_class.min()} and {per_class.max()} a class as the old version reads",
        ),
        uncovered=("inputs unlike these samples: a mark that none of them bears changes nothing",),
        findings=_findings(moved, answer, least),
        figures=(
            rate("read otherwise", parted, len(data), "inputs that both read differently / all"),
            rate("right before", int((was.argmax(axis=1) == data.labels).sum()), len(data)),
            rate("right after", int((now.argmax(axis=1) == data.labels).sum()), len(data)),
        ),
    )


def flow(old: IntArray, new: IntArray, classes: int) -> NDArray[np.int64]:
    """The flow matrix (classes, classes): how many inputs read as a before are read as b now."""
    pairs = np.bincount(old * classes + new, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


def explain(old: Classifier, new: Classifier, data: Dataset) -> Answer | None:
    """Which class's inputs the change of the head answers to, and how; None if it did not change.

    On an input with features h (of the old version) the change moves the logits by ΔW·h + Δb.
    Its mean over each class of ``data`` is taken; the class on which the logits moved apart most
    is the answer. Where layers below the head changed as well this is a part of the truth.

    Raises `InputError` where the heads have not one shape.
    """
    before, after = _head(old), _head(new)
    if before.shape != after.shape:
        raise InputError(f"explain: a head of shape {before.shape} expected, {after.shape} found")
    change = after - before
    if not change.any():
        return None
    h = old.features(data.inputs).astype(np.float64)
    effect = h @ change[:, :-1].T + change[:, -1]
    known = np.unique(data.labels)
    means = np.array([effect[data.labels == c].mean(axis=0) for c in known])
    most = int(np.ptp(means, axis=1).argmax())
    raised, lowered = int(means[most].argmax()), int(means[most].argmin())
    return Answer(
        inputs=int(known[most]),
        raised=raised,
        lowered=lowered,
        up=float(means[most, raised]),
        down=float(means[most, lowered]),
        rank=_rank(change[:, :-1], after[:, :-1]),
        weight=f"{new.head_name}.weight",
    )


def _head(classifier: Classifier) -> NDArray[np.float64]:
    """Weight and bias of the head side by side, (classes, features + 1)."""
    head = classifier.head
    weight = head.weight.detach().cpu().double().numpy()
    bias = np.zeros(len(weight)) if head.bias is None else head.bias.detach().cpu().double().numpy()
    return np.column_stack((weight, bias))


def _rank(change: NDArray[np.float64], new: NDArray[np.float64]) -> int:
    """Singular values above what rounding to float32 explains, as in `credenza.diff.Change`."""
    changed = change.any(axis=1)
    tolerance = 2 * 2.0**-24 * float(np.linalg.norm(new[changed]))
    return int((np.linalg.svd(change, compute_uv=False) > tolerance).sum())


def _findings(moved: NDArray[np.int64], answer: Answer | None, least: float) -> tuple[Finding, ...]:
    classes = len(moved)
    confidence = 1 - 0.05 / max(1, classes * (classes - 1))
    found = []
    for a, b in np.argwhere(moved > 0).tolist():
        of = int(moved[a].sum())
        low, high = interval(int(moved[a, b]), of, confidence)
        if a != b and low > least:
            share = Figure(
                name="flow",
                value=float(moved[a, b] / of),
                low=low,
                high=high,
                definition="inputs read as the first class before and as the second now / inputs "
                "read as the first before; Clopper-Pearson, 95 % over all pairs together",
            )
            found.append(_finding(a, b, of, share, answer))
    return tuple(sorted(found, key=lambda f: -f.figures[0].value))


def _finding(a: int, b: int, of: int, share: Figure, answer: Answer | None) -> Finding:
    what = f"{share.value:.0%} of {of} inputs that were read as {a} are read as {b} now"
    where = Where(classes=(a, b))
    if answer is not None and answer.inputs == a:
        what += f"; by the change of the head: {answer}"
        rows = tuple(sorted((answer.raised, answer.lowered)))
        where = Where(classes=(a, b), tensor=answer.weight, rows=rows)
    return Finding(
        rule="diff.class-flow",
        severity=Severity.HIGH,
        what=what,
        where=where,
        figures=(share,),
    )
