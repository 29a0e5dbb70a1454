"""Which exit code a report comes to."""

from __future__ import annotations

import dataclasses

import pytest

from credenza.findings import Accepted, Examined, Finding, Report, Severity, Unread, Where
from credenza.report import Gate

LOOKED = Report(examination="scan", subject="m", covered=("1 file",))
TORN = (Unread(where=Where(file="a"), why="it breaks off"),)


def with_one(severity: Severity, *, torn: bool = False) -> Report:
    finding = Finding(rule="scan.bomb", severity=severity, what="x")
    return dataclasses.replace(LOOKED, findings=(finding,), unread=TORN if torn else ())


@pytest.mark.parametrize("fail_on", Severity)
@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("torn", [False, True])
def test_what_fails_is_1_whatever_was_not_read(
    fail_on: Severity, severity: Severity, torn: bool
) -> None:
    code = Gate(fail_on=fail_on).exit_code([LOOKED, with_one(severity, torn=torn)])
    assert code == (1 if severity.rank >= fail_on.rank else 2 if torn else 0)


@pytest.mark.parametrize("fail_on", Severity)
@pytest.mark.parametrize("severity", Severity)
def test_strict_fails_on_medium_too(fail_on: Severity, severity: Severity) -> None:
    least = min(fail_on.rank, Severity.MEDIUM.rank)
    code = Gate(fail_on=fail_on, strict=True).exit_code([with_one(severity)])
    assert code == (1 if severity.rank >= least else 0)


def test_what_is_accepted_does_not_fail() -> None:
    (finding,) = with_one(Severity.CRITICAL).findings
    accepted = dataclasses.replace(LOOKED, accepted=(Accepted(finding=finding, why="Ada"),))
    assert Gate(fail_on=Severity.NOTE, strict=True).exit_code([accepted]) == 0


def test_no_evidence_is_no_pass() -> None:
    nothing = Report(examination="scan", subject="readme", covered=())
    unknown = dataclasses.replace(nothing, files=(Examined(path="readme", size=1),))
    seal = Report(examination="verify", subject="readme", covered=("a seal",))
    weights = dataclasses.replace(nothing, examination="weights")
    assert Gate().exit_code([]) == 2
    assert Gate().exit_code([nothing]) == 2
    assert Gate().exit_code([seal, unknown]) == 2
    assert Gate().exit_code([LOOKED, weights]) == 0  # a model without weights of its own
    known = dataclasses.replace(LOOKED, files=(Examined(path="m", size=1, checks=("calls",)),))
    assert Gate().exit_code([known, unknown]) == 0  # a page among models
    assert Gate(strict=True).exit_code([known, unknown]) == 2


@pytest.mark.parametrize(("checks", "strict"), [(("calls",), 0), ((), 2)])
def test_a_file_that_nobody_looked_at_is_unread_when_strict(
    checks: tuple[str, ...], strict: int
) -> None:
    files = (Examined(path="a", size=1, checks=checks), Examined(path="b", size=1, checks=("x",)))
    report = dataclasses.replace(LOOKED, files=files)
    assert Gate().exit_code([report]) == 0
    assert Gate(strict=True).exit_code([report]) == strict
    other = dataclasses.replace(report, files=(Examined(path="a", size=1, checks=("weights",)),))
    assert Gate(strict=True).exit_code([report, other]) == 0
