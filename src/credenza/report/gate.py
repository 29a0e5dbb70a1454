"""What an examination comes to, for whoever waits for an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Finding, Report, Severity

NOTHING_AGAINST: Final = 0
FOUND: Final = 1
COULD_NOT: Final = 2


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Which findings fail. ``strict``: medium ones too, and files of no known format are unread."""

    fail_on: Severity = Severity.HIGH
    strict: bool = False

    def failing(self, reports: Sequence[Report]) -> Iterator[Finding]:
        """The findings that fail, in their order."""
        least = min(self.fail_on, Severity.MEDIUM) if self.strict else self.fail_on
        yield from (f for r in reports for f in r.findings if not f.severity < least)

    def exit_code(self, reports: Sequence[Report]) -> int:
        """1 where a finding fails, else 2 where something could not be read, else 0.

        Where all reports of one examination looked at nothing, that is 2: no evidence is no pass.
        """
        if any(True for _ in self.failing(reports)):
            return FOUND
        looked = {r.examination for r in reports if r.covered}
        unread = not looked or any(r.unread or r.examination not in looked for r in reports)
        unread = unread or (self.strict and bool(_unknown(reports)))
        return COULD_NOT if unread else NOTHING_AGAINST


def _unknown(reports: Sequence[Report]) -> set[tuple[str, str]]:
    """The files that no examination looked at, by subject and path."""
    every = [(r.subject, file) for r in reports for file in r.files]
    known = {(subject, file.path) for subject, file in every if file.checks}
    return {(subject, file.path) for subject, file in every} - known
