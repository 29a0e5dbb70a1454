"""What an examination comes to, for whoever waits for an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

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

        Where no file that was shown was looked at, or nothing is covered, that is 2 as well: no
        evidence is no pass.
        """
        if any(True for _ in self.failing(reports)):
            return FOUND
        shown, looked_at = _files(reports)
        if any(r.unread for r in reports) or not any(r.covered for r in reports):
            return COULD_NOT
        if shown and not looked_at:
            return COULD_NOT
        return COULD_NOT if self.strict and shown - looked_at else NOTHING_AGAINST


_Files: TypeAlias = set[tuple[str, str]]


def _files(reports: Sequence[Report]) -> tuple[_Files, _Files]:
    """Every file that was shown, by subject and path, and those that some examination looked at."""
    every = [(r.subject, file) for r in reports for file in r.files]
    shown = {(subject, file.path) for subject, file in every}
    return shown, {(subject, file.path) for subject, file in every if file.checks}
