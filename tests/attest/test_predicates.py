"""Approvals and releases: round trips, one spelling, and what nobody may say."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.attest import Envelope, Statement, Subject, Trust
from credenza.attest import approval as approvals
from credenza.attest import release as releases
from credenza.attest.approval import Approval
from credenza.attest.predicate import TrustVersion
from credenza.attest.release import Release
from credenza.errors import InputError
from tests.vectors import make_trust

VECTORS = Path(__file__).parent.parent / "vectors" / "trust"
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
ROOT = Subject("reader", "credenza-blake3", "5e" * 32)
TRUST = TrustVersion("Bank", 3)
TIMES = st.datetimes(timezones=st.just(dt.UTC), min_value=dt.datetime(1970, 1, 1))  # noqa: DTZ001  hypothesis wants it bare


@given(st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True), TIMES, st.none() | st.just(TRUST))
def test_an_approval_is_read_back(role: str, at: dt.datetime, trust: TrustVersion | None) -> None:
    if role in ("root", "examiner", "releaser"):
        return
    approval = Approval(ROOT, role, at, trust)
    assert approvals.from_statement(approvals.to_statement(approval)) == approval


@given(st.integers(1, 2**53 - 1), TIMES, st.none() | st.integers(1, 1000))
def test_a_release_is_read_back(version: int, at: dt.datetime, days: int | None) -> None:
    if at.year > 9990:
        return
    expires = None if days is None else at + dt.timedelta(days=days)
    release = Release(ROOT, "reader", version, at, expires, TRUST)
    assert releases.from_statement(releases.to_statement(release)) == release


@pytest.mark.parametrize(
    ("role", "subject", "at", "message"),
    [
        ("root", ROOT, NOW, "a role that approves"),
        ("examiner", ROOT, NOW, "a role that approves"),
        ("releaser", ROOT, NOW, "a role that approves"),
        ("", ROOT, NOW, "a role that approves"),
        ("Approver", ROOT, NOW, "a role that approves"),
        ("a" * 33, ROOT, NOW, "a role that approves"),
        ("approver", Subject("r", "sha256", "5e" * 32), NOW, "a model root"),
        ("approver", Subject("r", "credenza-blake3", "5E" * 32), NOW, "a model root"),
        ("approver", ROOT, NOW.replace(tzinfo=None), "a time with its zone"),
    ],
)
def test_what_is_no_approval(role: str, subject: Subject, at: dt.datetime, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Approval(subject, role, at)


@pytest.mark.parametrize(
    ("name", "version", "expires", "message"),
    [
        ("", 1, None, "1 to 64 printable"),
        ("a\nb", 1, None, "1 to 64 printable"),
        ("reader", 0, None, "a version of 1 or more"),
        ("reader", 2**53, None, "a version of 1 or more"),
        ("reader", 1, NOW, "before it begins"),
        ("reader", 1, NOW.replace(year=2027, tzinfo=None), "a time with its zone"),
    ],
)
def test_what_is_no_release(
    name: str, version: int, expires: dt.datetime | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Release(ROOT, name, version, NOW, expires)


@given(st.data())
def test_a_mutated_predicate_is_read_whole_or_refused(data: st.DataObject) -> None:
    release = releases.to_statement(Release(ROOT, "reader", 7, NOW, None, TRUST))
    predicate = bytearray(release.predicate)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(predicate) - 1))
        predicate[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    changed = Statement((ROOT,), releases.PREDICATE_TYPE, bytes(predicate))
    try:
        read = releases.from_statement(changed)
    except InputError:
        return
    assert releases.to_statement(read).predicate == changed.predicate


def test_one_is_not_the_other() -> None:
    approval = approvals.to_statement(Approval(ROOT, "approver", NOW))
    with pytest.raises(InputError, match=r"release/v1 expected"):
        releases.from_statement(approval)
    both = Statement((ROOT, ROOT), approval.predicate_type, approval.predicate)
    with pytest.raises(InputError, match="one subject expected"):
        approvals.from_statement(both)


def test_the_vectors_are_what_is_written_today() -> None:
    written = (VECTORS / "statements.jsonl").read_bytes().splitlines(keepends=True)
    assert written == [bytes(envelope) for envelope in make_trust.statements()]
    approval, release = (Envelope.parse(line) for line in written)
    trust = Trust.read(VECTORS / "bank.trust")
    for envelope, person, role in ((approval, "bob", "approver"), (release, "rhea", "releaser")):
        [vouch] = trust.verify(envelope).standing.vouches
        assert (vouch.person, vouch.role) == (person, role)
    assert json.loads(release.payload)["predicate"] == {
        "name": "reader",
        "version": 7,
        "releasedAt": "2026-11-24T12:00:00Z",
        "expires": "2099-01-01T00:00:00Z",
        "trust": {"name": "Bank", "version": 3},
    }
    assert json.loads(approval.payload)["predicate"] == {
        "role": "approver",
        "approvedAt": "2026-11-24T12:00:00Z",
        "trust": {"name": "Bank", "version": 3},
    }
