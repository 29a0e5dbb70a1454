"""What people say about a sealed model, and what the roles of a trust document make of it."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import credenza
from credenza.admit import Policy
from credenza.attest import (
    Envelope,
    PrivateKey,
    Signature,
    Statement,
    Subject,
    Trust,
    sign,
)
from credenza.attest import approval as approvals
from credenza.attest import examination as examinations
from credenza.attest import release as releases
from credenza.attest.bundle import Bundle
from credenza.attest.predicate import TrustVersion
from credenza.attest.roles import Role, role_of
from credenza.errors import (
    AlteredError,
    CredenzaError,
    ExpiredReleaseError,
    ExpiredTrustError,
    InputError,
    MixAndMatchError,
    NotAdmittedError,
    RevokedKeyError,
    RevokedModelError,
    SamePersonError,
    SeparationError,
    ThresholdError,
    TrustRollbackError,
    UntrustedError,
)
from credenza.findings import Finding, Report, Severity
from credenza.seal import approve, attach, read_seal, release, seal, seal_path, verify, wire
from credenza.seal.signing import opened
from tests.attest.people import (
    ADA,
    ADA2,
    BOB,
    CAROL,
    LATER,
    MONA,
    NOW,
    PAST,
    RHEA,
    TINA,
    chain,
    document,
    key,
    person,
    revoked,
    trust,
    with_role,
)
from tests.seal.models import small_model

EVE = key("eve")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Sealed by tina, and approved by nobody."""
    made = small_model(tmp_path)
    seal(credenza.open(made), TINA)
    return made


def subject(model: Path) -> Subject:
    [found] = Statement.parse(Bundle.parse(seal_path(model).read_bytes()).seal.payload).subjects
    return found


def add(model: Path, *envelopes: Envelope) -> None:
    """Write lines behind a seal, as whoever may write the file can."""
    with seal_path(model).open("ab") as file:
        file.writelines(map(bytes, envelopes))


def approved(
    model: Path,
    *signers: PrivateKey,
    role: str = "approver",
    about: Subject | None = None,
    seen: TrustVersion | None = None,
) -> list[Envelope]:
    """A line of each signer."""
    said = approvals.Approval(about or subject(model), role, NOW, seen)
    return [sign(approvals.to_statement(said), [signer]) for signer in signers]


def released(
    model: Path,
    *signers: PrivateKey,
    version: int = 1,
    name: str = "reader",
    expires: dt.datetime | None = None,
    about: Subject | None = None,
) -> Envelope:
    said = releases.Release(about or subject(model), name, version, PAST, expires)
    return sign(releases.to_statement(said), signers or [RHEA])


def examined(model: Path, signer: PrivateKey, *findings: Finding) -> Envelope:
    about = subject(model)
    report = Report(
        examination="probe",
        subject="reader",
        root=about.digest,
        covered=("canaries",),
        findings=findings,
    )
    said = examinations.Examination(about, report, NOW)
    return sign(examinations.to_statement(said), [signer])


MARK = Finding(rule="seal.tensor-altered", severity=Severity.HIGH, what="a mark")
OTHER = Subject("other", "credenza-blake3", "00" * 32)


def test_two_approvers_neither_the_trainer(model: Path) -> None:
    for signer in (ADA, BOB):
        approve(model, trust(), signer, now=NOW)
    verified = verify(model, trust())
    said = verified.standing
    assert [(v.role, v.person, v.key) for v in said.vouches] == [
        ("trainer", "tina", TINA.public.id),
        ("approver", "ada", ADA.public.id),
        ("approver", "bob", BOB.public.id),
    ]
    assert [v.at for v in said.vouches] == [verified.value.sealed_at, NOW, NOW]
    assert (said.trust, said.version, said.uncounted) == ("Bank", 1, ())
    shown = {r.role: (r.signed, r.unsigned, r.missing, r.required) for r in said.roles}
    assert shown == {
        "approver": (("ada", "bob"), ("tina",), 0, True),
        "examiner": ((), ("mona",), 1, False),
        "releaser": ((), ("rhea",), 1, False),
        "trainer": (("tina",), ("carol",), 0, True),
    }


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_threshold_from_both_sides(model: Path, count: int) -> None:
    roles = with_role(Role("approver", ("ada", "bob", "mona"), 2))
    held = trust(roles=roles)
    add(model, *approved(model, ADA, BOB, MONA)[:count])
    if count >= 2:
        verify(model, held)
        return
    with pytest.raises(ThresholdError, match=f"approver: {count} of 2") as refused:
        verify(model, held)
    assert refused.value.missing == (("approver", 2 - count),)


def test_one_person_with_two_keys_counts_once(model: Path) -> None:
    add(model, *approved(model, ADA, ADA2))
    with pytest.raises(SamePersonError, match="2 keys signed, and a person counts once"):
        verify(model, trust())


def test_the_trainer_may_not_approve(model: Path) -> None:
    with pytest.raises(SeparationError, match="tina acted as approver and trainer"):
        approve(model, trust(), TINA)
    assert Bundle.parse(seal_path(model).read_bytes()).others == ()
    add(model, *approved(model, ADA, BOB, TINA))
    with pytest.raises(SeparationError):
        verify(model, trust())
    verify(model, trust(separate=()))


def test_a_revoked_key_counts_for_nothing(model: Path) -> None:
    add(model, *approved(model, ADA2, BOB))
    verify(model, trust())
    held = trust(revoked_keys=revoked(ADA2.public.id))
    with pytest.raises(RevokedKeyError, match=r"ada's key \w{16} was revoked on .*: stolen"):
        verify(model, held)
    add(model, *approved(model, ADA))
    [uncounted] = verify(model, held).standing.uncounted
    assert (uncounted.line, uncounted.revoked) == (2, True)


def test_a_seal_by_a_revoked_key_is_refused(model: Path) -> None:
    add(model, *approved(model, ADA, BOB))
    with pytest.raises(RevokedKeyError, match="tina's key"):
        verify(model, trust(revoked_keys=revoked(TINA.public.id)))


def test_a_revoked_model_is_refused(model: Path) -> None:
    add(model, *approved(model, ADA, BOB))
    root = subject(model).digest
    with pytest.raises(RevokedModelError, match=rf"{root[:16]} was revoked on 2026-11-24: stolen"):
        verify(model, trust(revoked_roots=revoked(root)))
    verify(model, trust(revoked_roots=revoked("00" * 32)))


def test_a_frozen_trust_document_is_refused(model: Path) -> None:
    add(model, *approved(model, ADA, BOB))
    with pytest.raises(ExpiredTrustError):
        verify(model, Trust(chain=chain(document(expires=PAST))))


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_a_signer_who_saw_a_newer_trust_document(model: Path, seen: int) -> None:
    add(model, *approved(model, ADA, BOB, seen=TrustVersion("Bank", seen)))
    if seen > 1:
        with pytest.raises(TrustRollbackError, match="saw version 2 of 'Bank', and version 1"):
            verify(model, trust())
    else:
        verify(model, trust())


def test_another_banks_versions_say_nothing_of_ours(model: Path) -> None:
    add(model, *approved(model, ADA, BOB, seen=TrustVersion("Bench", 9)))
    verify(model, trust())


@pytest.mark.parametrize("algorithm", ["credenza-blake3", "credenza-sha256"])
def test_an_approval_of_another_model_is_refused(model: Path, algorithm: str) -> None:
    digest = "00" * 32 if algorithm == "credenza-blake3" else subject(model).digest
    about = Subject("reader", algorithm, digest)
    add(model, *approved(model, ADA, BOB), *approved(model, ADA, about=about))
    with pytest.raises(MixAndMatchError, match="line 4 of its seal: it is about"):
        verify(model, trust())


def test_a_release_that_names_another_root_is_refused(model: Path) -> None:
    add(model, *approved(model, ADA, BOB), released(model, about=OTHER))
    with pytest.raises(MixAndMatchError):
        verify(model, trust())


def test_a_statement_about_two_models_is_refused(model: Path) -> None:
    both = Statement((subject(model), OTHER), "https://example.com/x", b"{}")
    add(model, *approved(model, ADA, BOB), sign(both, [ADA]))
    with pytest.raises(MixAndMatchError):
        verify(model, trust())


def test_lines_of_strangers_count_for_nothing_and_are_not_parsed(model: Path) -> None:
    junk = Envelope(b"{not JSON", "text/plain", (Signature("eve", b"1"),))
    add(model, *approved(model, ADA, BOB, EVE), junk, *approved(model, EVE, about=OTHER))
    said = verify(model, trust()).standing
    assert [u.line for u in said.uncounted] == [4, 5, 6]
    assert all("no trusted key signed it" in u.why for u in said.uncounted)
    assert {v.person for v in said.vouches} == {"tina", "ada", "bob"}


def test_who_may_not_act_in_a_role_is_listed(model: Path) -> None:
    add(model, *approved(model, ADA, BOB, RHEA))
    [uncounted] = verify(model, trust()).standing.uncounted
    assert (uncounted.line, uncounted.why) == (4, "rhea may not act as 'approver'")


def test_a_seal_by_somebody_else_than_a_trainer_is_refused(model: Path) -> None:
    seal(credenza.open(model), RHEA)
    with pytest.raises(UntrustedError, match="rhea signed it, who may not act as trainer"):
        verify(model, trust())


def test_a_statement_of_an_unknown_type_counts_for_nothing(model: Path) -> None:
    other = sign(Statement((subject(model),), "https://example.com/x", b"{}"), [ADA])
    add(model, *approved(model, ADA, BOB), other)
    [uncounted] = verify(model, trust()).standing.uncounted
    assert uncounted.why == "ada may not act as 'https://example.com/x'"
    with pytest.raises(UntrustedError, match="may not act as anybody"):
        trust().verify(other)


def test_a_second_seal_counts_for_nothing(model: Path) -> None:
    first = Bundle.parse(seal_path(model).read_bytes()).seal
    again = sign(Statement.parse(first.payload), [CAROL])
    add(model, *approved(model, ADA, BOB), again)
    assert [u.line for u in verify(model, trust()).standing.uncounted] == [4]


@pytest.mark.parametrize(
    "predicate",
    [
        b'{"role":"approver"}',
        b'{"role":"root","approvedAt":"2026-11-24T12:00:00Z"}',
        b'{"role":"approver","approvedAt":"2026-11-24T12:00:00"}',
        b'{"role":"approver","approvedAt":"2026-11-24T12:00:00Z","more":1}',
        b'{"role":"approver","approvedAt":"2026-11-24T13:00:00+01:00"}',
        b'{"role": "approver","approvedAt":"2026-11-24T12:00:00Z"}',
    ],
)
def test_a_line_of_a_trusted_key_that_is_not_well_formed(model: Path, predicate: bytes) -> None:
    statement = Statement((subject(model),), "https://credenza.dev/approval/v1", predicate)
    add(model, *approved(model, ADA, BOB), sign(statement, [BOB]))
    with pytest.raises(UntrustedError, match="line 4 of its seal: approval"):
        verify(model, trust())


def test_a_signature_that_names_a_trusted_key_and_is_not_by_it(model: Path) -> None:
    [line] = approved(model, EVE)
    lying = Envelope(
        line.payload, line.payload_type, (Signature(BOB.public.id, line.signatures[0].sig),)
    )
    add(model, *approved(model, ADA, BOB), lying)
    with pytest.raises(UntrustedError, match="line 4 of its seal: the signature is not by key"):
        verify(model, trust())


def test_a_signature_given_twice_is_refused(model: Path) -> None:
    [line] = approved(model, ADA)
    twice = Envelope(line.payload, line.payload_type, line.signatures * 2)
    add(model, twice, *approved(model, BOB))
    with pytest.raises(UntrustedError, match="each signature once expected"):
        verify(model, trust())


@pytest.mark.parametrize("days", [-1, 1])
def test_a_release_expires(model: Path, days: int) -> None:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    add(model, *approved(model, ADA, BOB), released(model, expires=until))
    if days < 0:
        with pytest.raises(ExpiredReleaseError, match="release 'reader' version 1 expired"):
            verify(model, trust())
    else:
        [held] = verify(model, trust()).standing.releases
        assert held.expires == until.replace(microsecond=0)


def test_the_highest_version_of_a_name_counts(model: Path) -> None:
    old = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    add(model, *approved(model, ADA, BOB), released(model, version=2, expires=LATER))
    add(model, released(model, version=1, expires=old))
    [held] = verify(model, trust()).standing.releases
    assert held.version == 2


def test_releasers_vouch_together_and_the_earliest_end_holds(model: Path) -> None:
    held = trust(
        roles=with_role(Role("releaser", ("mona", "rhea"), 2)), require=("releaser", "trainer")
    )
    add(model, released(model, RHEA, version=7, expires=LATER), released(model, MONA, version=6))
    with pytest.raises(ThresholdError, match="releaser: 1 of 2"):
        verify(model, held)
    add(model, released(model, MONA, version=7))
    [shown] = verify(model, held).standing.releases
    assert (shown.version, shown.expires) == (7, LATER)


@pytest.mark.parametrize("name", ["reader", "fraud"])
def test_a_model_released_under_another_name(model: Path, name: str) -> None:
    add(model, *approved(model, ADA, BOB))
    with pytest.raises(ThresholdError, match="releaser: 0 of 1"):
        verify(model, trust(release=name))
    release(model, trust(), RHEA, version=1)
    if name == "reader":
        verify(model, trust(release=name))
    else:
        with pytest.raises(ThresholdError):
            verify(model, trust(release=name))


def test_an_examination_vouches_unless_it_found_something(model: Path) -> None:
    held = trust(require=("examiner", "trainer"))
    attach(model, held, examined(model, MONA))
    assert verify(model, held).standing.vouches[-1].person == "mona"
    seal(credenza.open(model), TINA)
    add(model, examined(model, MONA, MARK))
    with pytest.raises(ThresholdError, match="probe found something high"):
        verify(model, held)


def test_admission_reads_the_reports_in_the_bundle(model: Path) -> None:
    policy = Policy(examinations=("probe",))
    held = trust(require=("trainer",))
    with pytest.raises(UntrustedError, match="would count for nothing: ada may not act"):
        attach(model, held, examined(model, ADA))
    add(model, examined(model, MONA))
    verified = verify(model, held)
    credenza.admit(verified, verified.standing.examinations, policy)
    add(model, examined(model, MONA, MARK))
    verified = verify(model, held)
    with pytest.raises(NotAdmittedError, match="a mark"):
        credenza.admit(verified, verified.standing.examinations, policy)


def test_a_report_by_who_is_no_examiner_is_no_evidence(model: Path) -> None:
    with pytest.raises(UntrustedError, match="tina signed it, who may not act as examiner"):
        trust().verify(examined(model, TINA))
    assert trust().verify(examined(model, MONA)).standing.vouches[0].person == "mona"


def test_a_second_trainer_vouches_by_an_approval(model: Path) -> None:
    roles = with_role(Role("trainer", ("carol", "tina"), 2))
    held = trust(roles=roles, require=("trainer",), separate=())
    with pytest.raises(ThresholdError, match="trainer: 1 of 2"):
        verify(model, held)
    approve(model, held, CAROL, role="trainer")
    verify(model, held)


def test_two_trainers_may_sign_one_seal(model: Path) -> None:
    roles = with_role(Role("trainer", ("carol", "tina"), 2))
    seal(credenza.open(model), TINA, CAROL)
    held = trust(roles=roles, require=("trainer",), separate=())
    assert {v.person for v in verify(model, held).standing.vouches} == {"carol", "tina"}
    people = (*document().roles.people, person("dan"))
    more = with_role(Role("trainer", ("carol", "dan", "tina"), 2))
    stolen = revoked(CAROL.public.id)
    held = trust(people=people, roles=more, require=("trainer",), revoked_keys=stolen)
    with pytest.raises(RevokedKeyError, match="trainer: 1 of 2"):
        verify(model, held)


def test_under_a_bare_key_its_word_counts_in_every_role(model: Path) -> None:
    held = Trust((TINA.public,))
    said = verify(model, held).standing
    assert (said.trust, said.version) == ("", 0)
    assert [(v.role, v.person) for v in said.vouches] == [("trainer", TINA.public.id[:16])]
    release(model, held, TINA, version=1, expires=LATER)
    assert verify(model, held).standing.releases[0].name == "reader"
    add(model, released(model, TINA, version=2, about=OTHER))
    with pytest.raises(MixAndMatchError):
        verify(model, held)


def test_any_of_several_bare_keys_is_enough(model: Path, tmp_path: Path) -> None:
    for signer, name in ((EVE, "eve.pub"), (TINA, "tina.pub")):
        (tmp_path / name).write_bytes(signer.public.pem)
    verify(model, Trust.read(tmp_path / "eve.pub", tmp_path / "tina.pub"))
    with pytest.raises(UntrustedError, match="no trusted key signed it"):
        verify(model, Trust.read(tmp_path / "eve.pub"))


def test_an_altered_model_is_not_approved(model: Path) -> None:
    (model / "config.json").write_text("{}")
    before = seal_path(model).read_bytes()
    with pytest.raises(AlteredError):
        approve(model, trust(), ADA)
    with pytest.raises(AlteredError):
        release(model, trust(), RHEA, version=1)
    assert seal_path(model).read_bytes() == before


@pytest.mark.parametrize("signer", [EVE, RHEA])
def test_who_may_not_approve_leaves_no_line(model: Path, signer: PrivateKey) -> None:
    with pytest.raises(UntrustedError, match="it would count for nothing"):
        approve(model, trust(), signer)
    assert Bundle.parse(seal_path(model).read_bytes()).others == ()


def test_an_approval_says_which_trust_document_was_seen(model: Path) -> None:
    approve(model, trust(), ADA)
    [line] = Bundle.parse(seal_path(model).read_bytes()).others
    said = approvals.from_statement(Statement.parse(line.payload))
    assert said.trust == TrustVersion("Bank", 1)


def test_a_new_seal_takes_what_was_said_about_the_old_with_it(model: Path) -> None:
    add(model, *approved(model, ADA, BOB))
    (model / "config.json").write_text("{}")
    seal(credenza.open(model), TINA)
    with pytest.raises(ThresholdError):
        verify(model, trust())


def test_the_same_line_twice_is_refused(model: Path) -> None:
    [line] = approved(model, ADA)
    attach(model, trust(), line)
    with pytest.raises(InputError, match="comes twice"):
        attach(model, trust(), line)


def test_lines_from_both_sides_of_the_limit(model: Path) -> None:
    first = bytes(Bundle.parse(seal_path(model).read_bytes()).seal)
    lines = [bytes(Envelope(b"", f"t{i}", ())) for i in range(1024)]
    assert len(Bundle.parse(first + b"".join(lines[:1023])).others) == 1023
    with pytest.raises(InputError, match="1 to 1024 whole lines"):
        Bundle.parse(first + b"".join(lines))
    long = Envelope(bytes(12 * 2**20), "t", ())
    with pytest.raises(InputError, match="line 2: at most 16777216 bytes"):
        Bundle.parse(first + bytes(long))


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"{}"])
def test_what_is_no_bundle_is_refused(model: Path, data: bytes) -> None:
    seal_path(model).write_bytes(data)
    with pytest.raises(UntrustedError, match="is no seal"):
        verify(model, trust())
    with pytest.raises(InputError):
        Bundle.parse(data)


def test_any_flipped_bit_of_what_is_needed_is_refused(model: Path) -> None:
    add(model, *approved(model, ADA, BOB))
    data = seal_path(model).read_bytes()
    held = trust()
    read_seal(model, held)
    for place in range(0, len(data), 5):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        seal_path(model).write_bytes(changed)
        with pytest.raises(CredenzaError):
            read_seal(model, held)


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_a_line_that_was_taken_away_is_missed(model: Path, left_out: int) -> None:
    add(model, *approved(model, ADA, BOB))
    lines = seal_path(model).read_bytes().splitlines(keepends=True)
    seal_path(model).write_bytes(b"".join(lines[:left_out] + lines[left_out + 1 :]))
    with pytest.raises(UntrustedError):
        verify(model, trust())


def test_each_type_speaks_in_its_role() -> None:
    types = {
        wire.PREDICATE_TYPE: "trainer",
        examinations.PREDICATE_TYPE: "examiner",
        releases.PREDICATE_TYPE: "releaser",
        "https://example.com": "",
    }
    for kind, role in types.items():
        assert role_of(Statement((OTHER,), kind, b"{}")) == role
    assert role_of(approvals.to_statement(approvals.Approval(OTHER, "legal", NOW))) == "legal"


def _approve(model: Path, signer: str) -> None:
    approve(model, _many(), key(signer))


def _many() -> Trust:
    names = tuple(f"p{i}" for i in range(6))
    people = (*document().roles.people, *(person(name) for name in names))
    roles = with_role(Role("approver", names, 6))
    return trust(people=people, roles=roles, separate=())


def test_nobody_is_lost_who_approves_at_the_same_time(model: Path) -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_approve, args=(model, f"p{i}")) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(verify(model, _many()).standing.vouches) == 7


def test_an_expired_release_can_be_renewed(model: Path) -> None:
    held = trust(require=("releaser", "trainer"))
    add(model, released(model, expires=dt.datetime(2026, 2, 1, tzinfo=dt.UTC)))
    with pytest.raises(ExpiredReleaseError):
        verify(model, held)
    release(model, held, RHEA, version=2, expires=LATER)
    assert verify(model, held).standing.releases[0].version == 2


def test_what_was_added_to_is_not_verified_by_that(model: Path) -> None:
    added = approve(model, trust(), ADA)
    assert [r.missing for r in added.standing.roles if r.role == "approver"] == [1]
    assert added.root == subject(model).digest
    with pytest.raises(ThresholdError):
        verify(model, trust())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
TYPES = [
    approvals.PREDICATE_TYPE,
    releases.PREDICATE_TYPE,
    examinations.PREDICATE_TYPE,
    wire.PREDICATE_TYPE,
]


@pytest.fixture(scope="module")
def sealed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = small_model(tmp_path_factory.mktemp("fuzz"))
    seal(credenza.open(made), TINA)
    return made


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(TYPES), who=st.sampled_from([ADA, MONA, RHEA, TINA]))
def test_whatever_a_trusted_key_signs_is_counted_or_refused(
    sealed_once: Path, data: st.DataObject, kind: str, who: PrivateKey
) -> None:
    """A member of a good predicate changed to any JSON, or the payload to any bytes."""
    held, bundle = trust(require=("trainer",)), Bundle.parse(seal_path(sealed_once).read_bytes())
    good = {
        approvals.PREDICATE_TYPE: approved(sealed_once, who)[0],
        releases.PREDICATE_TYPE: released(sealed_once, who, expires=LATER),
        examinations.PREDICATE_TYPE: examined(sealed_once, who, MARK),
        wire.PREDICATE_TYPE: bundle.seal,
    }[kind]
    if data.draw(st.booleans()):
        statement = json.loads(good.payload)
        where = data.draw(st.sampled_from([statement, statement["predicate"]]))
        where[data.draw(st.sampled_from(sorted(where)))] = data.draw(JSON)
        payload = json.dumps(statement, separators=(",", ":")).encode()
    else:
        payload = data.draw(st.binary(max_size=30))
    unsigned = Envelope(payload, good.payload_type, ())
    line = Envelope(payload, good.payload_type, (who.sign(unsigned.signed_bytes),))
    statement_, sealed = opened(sealed_once, bundle, held)
    try:
        said = held.judge(statement_, sealed.sealed_at, [line]).standing
    except UntrustedError:
        return
    assert len(said.vouches) + len(said.uncounted) >= 2


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_mutated_bundle_is_read_whole_or_refused(sealed_once: Path, data: st.DataObject) -> None:
    lines = bytearray(b"".join(map(bytes, [*approved(sealed_once, ADA), released(sealed_once)])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        read = Bundle.parse(bytes(lines))
    except InputError:
        return
    assert bytes(read) == lines
