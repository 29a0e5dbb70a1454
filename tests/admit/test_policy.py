"""Admission: evidence against policy."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import credenza
from credenza.admit import Policy
from credenza.attest import Statement, Subject, Verified, sign
from credenza.attest.examination import Examination, from_statement, to_statement
from credenza.errors import InputError, NotAdmittedError
from credenza.findings import Finding, Picture, Report, Severity
from credenza.seal import Sealed, seal, verify
from tests.seal.models import KEY, TRUST, small_model

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
POLICY = Policy(examinations=("probe", "audit"))


@pytest.fixture
def sealed(tmp_path: Path) -> Verified[Sealed]:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY)
    return verify(model, TRUST)


def _finding(severity: Severity) -> Finding:
    picture = Picture(title="mark", width=2, height=1, channels=1, pixels=b"\0\xff")
    return Finding(
        rule="seal.tensor-altered", severity=severity, what="a mark", pictures=(picture,)
    )


def _said(root: str, examination: str, *findings: Finding) -> Verified[Statement]:
    report = Report(
        examination=examination, subject="reader", root=root, covered=("all",), findings=findings
    )
    subject = Subject("reader", "credenza-blake3", root)
    return TRUST.verify(sign(to_statement(Examination(subject, report, NOW)), [KEY]))


def test_a_report_is_read_back(sealed: Verified[Sealed]) -> None:
    said = _said(sealed.value.seal.root.hex(), "probe", _finding(Severity.HIGH))
    examination = from_statement(said.value)
    assert examination.examined_at == NOW
    assert examination.report.findings == (_finding(Severity.HIGH),)


def test_all_clauses_satisfied(sealed: Verified[Sealed]) -> None:
    root = sealed.value.seal.root.hex()
    evidence = [_said(root, "probe", _finding(Severity.MEDIUM)), _said(root, "audit")]
    verdict = credenza.admit(sealed, evidence, POLICY)
    assert verdict.root == root
    assert len(verdict.clauses) == 3
    assert all(clause.satisfied for clause in verdict.clauses)


def test_a_finding_refuses_though_the_signature_is_good(sealed: Verified[Sealed]) -> None:
    root = sealed.value.seal.root.hex()
    evidence = [_said(root, "probe", _finding(Severity.HIGH)), _said(root, "audit")]
    with pytest.raises(NotAdmittedError, match="probe found: a mark"):
        credenza.admit(sealed, evidence, POLICY)


def test_a_missing_examination_refuses(sealed: Verified[Sealed]) -> None:
    evidence = [_said(sealed.value.seal.root.hex(), "probe")]
    with pytest.raises(NotAdmittedError, match="audit must have been run: there is no such report"):
        credenza.admit(sealed, evidence, POLICY)


def test_evidence_about_another_model_does_not_count(sealed: Verified[Sealed]) -> None:
    evidence = [_said("00" * 32, "probe"), _said("00" * 32, "audit")]
    with pytest.raises(NotAdmittedError, match="probe must have been run"):
        credenza.admit(sealed, evidence, POLICY)


def test_evidence_of_another_kind_is_an_error(sealed: Verified[Sealed]) -> None:
    subject = Subject("reader", "credenza-blake3", sealed.value.seal.root.hex())
    other = TRUST.verify(sign(Statement((subject,), "https://example.com", b"{}"), [KEY]))
    with pytest.raises(InputError, match=r"examination/v1 expected"):
        credenza.admit(sealed, [other], POLICY)


def test_a_policy_that_demands_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one examination"):
        Policy(examinations=())
