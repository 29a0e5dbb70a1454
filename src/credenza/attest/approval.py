"""Somebody in some role says yes to one model. Specification: docs/formats/approval.md."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import msgspec

from credenza.attest.predicate import (
    TrustVersion,
    model_subject,
    predicate_of,
    proper_time,
)
from credenza.attest.roles import APPROVAL_TYPE
from credenza.attest.statement import Statement, Subject
from credenza.errors import InputError

PREDICATE_TYPE = APPROVAL_TYPE
ROLE_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")

_OTHERWISE = frozenset({"root", "examiner", "releaser"})


@dataclass(frozen=True, slots=True)
class Approval:
    """Approves the model of that root, in that role, at the time that its signer says.

    Raises `InputError` unless the subject is a root as a seal names one, the role is one that
    approves, and the time has a zone.
    """

    subject: Subject
    role: str
    approved_at: dt.datetime
    trust: TrustVersion | None = None

    def __post_init__(self) -> None:
        model_subject("approval", self.subject)
        if not ROLE_NAME.fullmatch(self.role) or self.role in _OTHERWISE:
            raise InputError(f"approval: a role that approves expected, {self.role!r} found")
        object.__setattr__(self, "approved_at", proper_time("approval", self.approved_at))


def to_statement(approval: Approval) -> Statement:
    """The statement to sign."""
    wire = _Predicate(role=approval.role, approved_at=approval.approved_at, trust=approval.trust)
    return Statement((approval.subject,), PREDICATE_TYPE, msgspec.json.encode(wire))


def from_statement(statement: Statement) -> Approval:
    """The approval that the statement holds. Raises `InputError` where it holds none."""
    wire = predicate_of("approval", statement, PREDICATE_TYPE, _Predicate)
    approval = Approval(statement.subjects[0], wire.role, wire.approved_at, wire.trust)
    if to_statement(approval).predicate != statement.predicate:
        raise InputError("approval: a time in UTC and whole seconds expected")
    return approval


class _Predicate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    role: str
    approved_at: dt.datetime
    trust: TrustVersion | None = None
