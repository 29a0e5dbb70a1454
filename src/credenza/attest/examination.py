"""A report as a signed statement: what somebody examined, and what they found.

Specification: docs/formats/examination.md.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec

from credenza.attest.statement import Statement, Subject
from credenza.errors import InputError
from credenza.findings import Report

PREDICATE_TYPE = "https://credenza.dev/examination/v1"


@dataclass(frozen=True, slots=True)
class Examination:
    """A report about the model of that root, and when it was made as its signer says."""

    subject: Subject
    report: Report
    examined_at: dt.datetime


def to_statement(examination: Examination) -> Statement:
    """The statement to sign. ``examined_at`` must have a time zone."""
    predicate = _Predicate(
        examined_at=examination.examined_at.astimezone(dt.UTC).replace(microsecond=0),
        report=examination.report,
    )
    return Statement((examination.subject,), PREDICATE_TYPE, msgspec.json.encode(predicate))


def from_statement(statement: Statement) -> Examination:
    """The report that the statement holds.

    Raises `InputError` where it holds none, or is about more than one subject.
    """
    if statement.predicate_type != PREDICATE_TYPE:
        raise InputError(f"report: {PREDICATE_TYPE} expected, {statement.predicate_type!r} found")
    if len(statement.subjects) != 1:
        raise InputError(f"report: one subject expected, {len(statement.subjects)} found")
    try:
        predicate = msgspec.json.decode(statement.predicate, type=_Predicate)
    except (ValueError, KeyError) as e:
        raise InputError(f"report: not well-formed: {e}") from e
    return Examination(statement.subjects[0], predicate.report, predicate.examined_at)


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    examined_at: dt.datetime
    report: Report
