"""A reader's refusal as what a scan sees: an accusation, or only a file that is broken."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from credenza.errors import MalformedError
from credenza.findings import Finding, Unread


def refused(e: MalformedError, broken: Collection[str]) -> Iterator[Finding | Unread]:
    """That the piece is unread, and the finding too unless its rule is among ``broken``.

    ``broken`` holds the rules, without their ``artifact.``, that a file breaks which was cut short
    or is of a newer kind: nothing of that speaks malice.
    """
    finding = e.finding
    if finding.rule.removeprefix("artifact.") not in broken:
        yield finding
    found = f" ({finding.found})" if finding.found else ""
    yield Unread(where=finding.where, why=f"{finding.what}{found}")
