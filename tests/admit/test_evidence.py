"""What is no evidence, though a trusted key signed it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from credenza.attest import Statement, Subject
from credenza.attest.examination import Examination, from_statement, to_statement
from credenza.errors import InputError
from credenza.findings import Figure, Report

ROOT = "5e" * 32
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
REPORT = Report(
    examination="probe",
    subject="reader",
    root=ROOT,
    covered=("marks",),
    figures=(Figure(name="count", value=3),),
)
GOOD = Examination(Subject("reader", "credenza-blake3", ROOT), REPORT, NOW)


def test_good_evidence_is_read_back() -> None:
    assert from_statement(to_statement(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("subject", "report", "time", "message"),
    [
        (Subject("r", "credenza-blake3", ROOT.upper()), REPORT, NOW, "lower-case hex"),
        (Subject("r", "sha256", ROOT), REPORT, NOW, "a model root"),
        (GOOD.subject, replace(REPORT, root="ff" * 32), NOW, "signed for"),
        (GOOD.subject, replace(REPORT, covered=()), NOW, "looked at nothing"),
        (GOOD.subject, REPORT, NOW.replace(tzinfo=None), "a time with its zone"),
    ],
)
def test_what_is_no_evidence_cannot_be_said(
    subject: Subject, report: Report, time: dt.datetime, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Examination(subject, report, time)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["report"].update(Findings=[]),
        lambda p: p["report"].pop("findings"),
        lambda p: p.update(more=1),
        lambda p: p["report"].update(root="00" * 32),
    ],
)
def test_any_other_spelling_is_refused(change: Callable[[Any], object]) -> None:
    good = to_statement(GOOD)
    predicate = json.loads(good.predicate)
    change(predicate)
    data = json.dumps(predicate, separators=(",", ":")).encode()
    with pytest.raises(InputError):
        from_statement(Statement(good.subjects, good.predicate_type, data))


def test_a_member_given_twice_is_refused() -> None:
    good = to_statement(GOOD)
    twice = good.predicate.replace(b'"findings":[]', b'"findings":[1],"findings":[]')
    with pytest.raises(InputError):
        from_statement(Statement(good.subjects, good.predicate_type, twice))
