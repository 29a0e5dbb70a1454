"""The policy, and the verdict: each clause, whether it is satisfied, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from credenza.attest import Statement, Verified
from credenza.attest.examination import Examination, from_statement
from credenza.errors import InputError, NotAdmittedError
from credenza.findings import Severity
from credenza.seal import Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What must have been examined, and how bad a finding may be.

    ``examinations`` names the verbs that must have been run on the model (``probe``, …). A
    finding of severity ``refuse_from`` or above, in any examination, is a refusal.
    """

    examinations: tuple[str, ...]
    refuse_from: Severity = Severity.HIGH

    def __post_init__(self) -> None:
        if not self.examinations:
            raise InputError("policy: at least one examination expected, none named")


@dataclass(frozen=True, slots=True)
class Clause:
    """One demand of the policy, and how it was met or not, in words."""

    demand: str
    satisfied: bool
    because: str

    def __str__(self) -> str:
        return f"{self.demand}: {self.because}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The model of ``root`` (hex) may be served, and why."""

    root: str
    clauses: tuple[Clause, ...]


def admit(
    sealed: Verified[Sealed], evidence: Sequence[Verified[Statement]], policy: Policy
) -> Verdict:
    """Hold the evidence against the policy. Evidence about another root does not count.

    Raises `NotAdmittedError` where a clause is not satisfied; its message names each such clause.
    """
    seal = sealed.value.seal
    root = seal.root.hex()
    model = (f"credenza-{seal.algorithm.value}", root)
    said = map(_examination, evidence)
    about = [e for e in said if (e.subject.algorithm, e.subject.digest) == model]
    clauses = [_examined(verb, about) for verb in policy.examinations]
    clauses.append(_nothing_found(about, policy.refuse_from))
    missed = [str(clause) for clause in clauses if not clause.satisfied]
    if missed:
        raise NotAdmittedError(f"model {root[:16]} is not admitted: {'; '.join(missed)}")
    return Verdict(root, tuple(clauses))


def _examination(statement: Verified[Statement]) -> Examination:
    return from_statement(statement.value)


def _examined(verb: str, about: Sequence[Examination]) -> Clause:
    times = [e.examined_at for e in about if e.report.examination == verb]
    because = f"done at {max(times).isoformat()}" if times else "there is no such report on it"
    return Clause(f"{verb} must have been run", bool(times), because)


def _nothing_found(about: Sequence[Examination], refuse_from: Severity) -> Clause:
    worst = [
        f"{e.report.examination} found: {finding.what}"
        for e in about
        for finding in e.report.findings
        if finding.severity >= refuse_from
    ]
    because = "; ".join(worst) or f"none in {len(about)} reports"
    return Clause(f"no finding of {refuse_from.value} or above", not worst, because)
