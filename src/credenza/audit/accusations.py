"""Findings: which samples, why these, and what to look at."""

from __future__ import annotations

from typing import Final

import numpy as np

from credenza.audit import conformal
from credenza.audit.evidence import Evidence
from credenza.audit.pictures import difference, drawable, strip
from credenza.dataset import IntArray
from credenza.findings import Figure, Finding, Picture, Severity, Where

_SHOWN: Final = 8
"""Samples that a finding shows as pictures."""


def accuse(evidence: Evidence, classes: int, at_most: float) -> tuple[Finding, ...]:
    """Pairs with the most samples first; then what is left over, if it is too much.

    A test speaks where its p-value is ``at_most`` that or less.
    """
    pairs = [(y, s) for y in range(classes) for s in range(classes) if y != s]
    tested = [(pair, evidence.excess_of_pair(*pair)) for pair in pairs]
    found = [_pair(evidence, *pair, p) for pair, p in tested if p <= at_most]
    found.sort(key=lambda finding: -len(finding.where.samples))

    named = {i for finding in found for i in finding.where.samples}
    left = [int(i) for i in np.flatnonzero(evidence.odd) if i not in named]
    honest = len(evidence.data) - len(named)
    trusted_odd = int(evidence.trusted_odd.sum())
    p = conformal.excess(len(left), honest, trusted_odd, len(evidence.trusted))
    if p <= at_most:
        found.append(_scattered(evidence, tuple(left), p))
    return tuple(found)


def _pair(evidence: Evidence, label: int, other: int, p: float) -> Finding:
    """The finding that samples of one label look like another class."""
    odd = evidence.of_pair(label, other)
    bear = evidence.bearers_of(odd, label, other)
    samples = np.sort(np.concatenate([odd, bear]))
    more = f", and {len(bear)} more bear what those have in common" if len(bear) else ""
    share = len(samples) / int((evidence.data.labels == label).sum())
    return Finding(
        rule="audit.altered-pair",
        severity=Severity.HIGH,
        what=f"{len(odd)} samples labelled {label} look like {other}{more}",
        where=Where(classes=(label, other), samples=tuple(samples.tolist())),
        expected="no more than among the trusted samples",
        found=f"{share:.1%} of those labelled {label}",
        figures=(_chance(p),),
        pictures=_pictures(evidence, odd, other),
    )


def _scattered(evidence: Evidence, samples: tuple[int, ...], p: float) -> Finding:
    return Finding(
        rule="audit.altered-samples",
        severity=Severity.MEDIUM,
        what=f"{len(samples)} samples of no one pair of classes look altered",
        where=Where(samples=samples),
        expected="no more than among the trusted samples",
        found=f"{len(samples) / len(evidence.data):.1%} of all samples",
        figures=(_chance(p),),
        pictures=_strip(evidence, np.asarray(samples)),
    )


def _chance(p: float) -> Figure:
    return Figure(
        name="p-value",
        value=p,
        definition="probability of so large a difference between these and the trusted samples if "
        "both were of one kind: Fisher's exact test, one-sided",
    )


def _pictures(evidence: Evidence, samples: IntArray, other: int) -> tuple[Picture, ...]:
    if not drawable(evidence.data.inputs):
        return ()
    altered = evidence.data.inputs[samples]
    honest = evidence.trusted.inputs[evidence.trusted.labels == other]
    title = f"what they have in common: their mean minus that of trusted samples of {other}"
    return (*_strip(evidence, samples), difference(title, altered, honest))


def _strip(evidence: Evidence, samples: IntArray) -> tuple[Picture, ...]:
    """The samples that look most altered, side by side."""
    if not drawable(evidence.data.inputs):
        return ()
    worst = samples[np.argsort(evidence.p_values[samples], kind="stable")[:_SHOWN]]
    numbers = ", ".join(str(i) for i in worst)
    return (strip(f"samples {numbers}", evidence.data.inputs[worst]),)
