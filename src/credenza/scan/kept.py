"""So many findings of each severity: many that weigh little hide none that weighs much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import final

from credenza.findings import Finding, Severity, Unread


@final
@dataclass(slots=True)
class Kept:
    """The first ``most`` of each severity that are added, and of what is unread."""

    most: int
    seen: list[Finding | Unread] = field(default_factory=list)
    counts: Counter[Severity | None] = field(default_factory=Counter)

    def add(self, one: Finding | Unread) -> None:
        severity = one.severity if isinstance(one, Finding) else None
        self.counts[severity] += 1
        if self.counts[severity] <= self.most:
            self.seen.append(one)


def kept(found: Iterable[Finding], most: int) -> Iterator[Finding]:
    """Of ``found`` the first ``most`` of each severity."""
    counts: Counter[Severity] = Counter()
    for finding in found:
        counts[finding.severity] += 1
        if counts[finding.severity] <= most:
            yield finding
