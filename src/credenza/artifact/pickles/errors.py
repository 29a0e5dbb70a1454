"""How a pickle, or an archive that holds one, is refused without losing what was found."""

from __future__ import annotations

from collections.abc import Iterable

from credenza.artifact.model import Program
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where


class BrokenPickleError(MalformedError):
    """The bytes break the format, and ``programs`` is what was found before they did.

    A loader runs a pickle as it reads it, so what stands before the break has run by then;
    ``calls`` counts how many calls that would have been.
    """

    def __init__(
        self, finding: Finding, programs: tuple[Program, ...] = (), calls: int = 0
    ) -> None:
        super().__init__(finding)
        self.programs = programs
        self.calls = calls

    def after(self, programs: Iterable[Program]) -> BrokenPickleError:
        """The same refusal, with what was found before its own programs."""
        return BrokenPickleError(self.finding, (*programs, *self.programs), self.calls)


def broken(
    rule: str,
    what: str,
    where: Where,
    *,
    expected: str = "",
    found: str = "",
    programs: Iterable[Program] = (),
) -> BrokenPickleError:
    """The refusal by the rule ``artifact.<rule>``, of high severity."""
    finding = Finding(
        rule=f"artifact.{rule}",
        severity=Severity.HIGH,
        what=what,
        where=where,
        expected=expected,
        found=found,
    )
    return BrokenPickleError(finding, tuple(programs))
