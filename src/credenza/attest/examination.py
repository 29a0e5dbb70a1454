"""A report as a signed statement: what somebody examined, and what they found.

Specification: docs/formats/examination.md.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec

from credenza.attest.predicate import model_subject, predicate_of
from credenza.attest.statement import Statement, Subject
from credenza.errors import InputError
from credenza.findings import Report

PREDICATE_TYPE = "https://credenza.dev/examination/v1"


@dataclass(frozen=True, slots=True)
class Examination:
    """A report about the model of that root, and when it was made as its signer says.

    Raises `InputError` unless the subject is a root as a seal names one, the report is about that
    very root and says what it covers, and the time has a zone.
    """

    subject: Subject
    report: Report
    examined_at: dt.datetime

    def __post_init__(self) -> None:
        model_subject("report", self.subject)
        digest = self.subject.digest
        if self.report.root != digest:
            raise InputError(f"report: it is about root {self.report.root!r}, signed for {digest}")
        if not self.report.covered:
            raise InputError("report: it looked at nothing, so it is no evidence")
        if self.examined_at.tzinfo is None:
            raise InputError("report: a time with its zone expected")


def to_statement(examination: Examination) -> Statement:
    """The statement to sign. ``examined_at`` must have a time zone."""
    predicate = _Predicate(
        examined_at=examination.examined_at.astimezone(dt.UTC).replace(microsecond=0),
        report=examination.report,
    )
    # Read back and written again, so that a figure given as 3 has the spelling of one read: 3.0.
    spelled = msgspec.json.decode(msgspec.json.encode(predicate), type=_Predicate)
    return Statement((examination.subject,), PREDICATE_TYPE, msgspec.json.encode(spelled))


def from_statement(statement: Statement) -> Examination:
    """The report that the statement holds.

    Raises `InputError` where it holds none, or is about more than one subject.
    """
    predicate = predicate_of("report", statement, PREDICATE_TYPE, _Predicate)
    return Examination(statement.subjects[0], predicate.report, predicate.examined_at)


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    examined_at: dt.datetime
    report: Report
