"""All that was said about a model, and what the roles make of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from credenza.attest.envelope import Envelope
from credenza.attest.roles import APPROVAL_TYPE, Role, Roles, role_of, statement_in
from credenza.attest.standing import RoleResult, Standing, Uncounted, Vouch
from credenza.attest.statement import Statement, Subject
from credenza.errors import (
    ExpiredReleaseError,
    InputError,
    MixAndMatchError,
    RevokedKeyError,
    RevokedModelError,
    SamePersonError,
    SeparationError,
    ThresholdError,
    TrustRollbackError,
    UntrustedError,
)

if TYPE_CHECKING:
    from credenza.attest.predicate import TrustVersion
    from credenza.attest.release import Release
    from credenza.attest.trust import Trust, Verified

_RELEASER = "releaser"


class _Heard(Struct):
    """What the lines say, gathered one by one."""

    vouches: list[Vouch]
    uncounted: list[Uncounted]
    releases: list[tuple[Release, Vouch]] = []
    examinations: list[Verified[Statement]] = []


def standing(
    trust: Trust, sealed: Standing, seal: Statement, others: Sequence[Envelope]
) -> Standing:
    """See `Trust.standing`. ``sealed`` holds the vouching for the seal itself."""
    trust.check_current()
    roles = trust.roles
    subject = seal.subjects[0]
    for revoked in roles.revoked_roots:
        if revoked.id == subject.digest:
            raise RevokedModelError(
                f"model {subject.digest[:16]} was revoked on {revoked.at:%Y-%m-%d}: "
                f"{revoked.reason}"
            )
    heard = _Heard(list(sealed.vouches), list(sealed.uncounted))
    for number, envelope in enumerate(others, 2):
        try:
            _hear(trust, heard, number, envelope, subject)
        except (InputError, UntrustedError) as e:
            kind = type(e) if isinstance(e, UntrustedError) else UntrustedError
            raise kind(f"line {number} of its seal: {e}") from e
    groups = _releases(roles, heard, trust.release)
    _check_separate(roles, heard.vouches)
    require = roles.require + ((_RELEASER,) if trust.release else ())
    results = tuple(
        _result(role, heard.vouches, role.name in require) for role in _of_models(roles)
    )
    return replace(
        sealed,
        vouches=tuple(heard.vouches),
        roles=results,
        uncounted=tuple(heard.uncounted),
        releases=tuple(map(_ends_first, groups)),
        examinations=tuple(heard.examinations),
    )


def _hear(trust: Trust, heard: _Heard, number: int, envelope: Envelope, subject: Subject) -> None:
    """Take in one line. Nothing of it is parsed before a trusted key's signature was checked."""
    signers = trust.roles.signers(envelope)
    heard.uncounted.extend(Uncounted(number, why, revoked=True) for why in signers.revoked)
    if not signers.people:
        if not signers.revoked:
            why = f"no trusted key signed it (it claims {signers.claims})"
            heard.uncounted.append(Uncounted(number, why))
        return
    statement = statement_in(envelope)
    if [(s.algorithm, s.digest) for s in statement.subjects] != [
        (subject.algorithm, subject.digest)
    ]:
        about = ", ".join(s.digest[:16] for s in statement.subjects) or "nothing"
        raise MixAndMatchError(f"it is about {about}, and the seal about {subject.digest[:16]}")
    said = _said(trust, statement)
    for person, key in signers.people:
        if not said.role or not trust.roles.holds(person, said.role):
            why = f"{person} may not act as {said.role or statement.predicate_type!r}"
            heard.uncounted.append(Uncounted(number, why))
            continue
        vouch = Vouch(said.role, person, key, said.at)
        if said.release is not None:
            heard.releases.append((said.release, vouch))
        elif said.against:
            heard.uncounted.append(Uncounted(number, said.against))
        else:
            heard.vouches.append(vouch)
    if said.role == "examiner" and any(trust.roles.holds(p, said.role) for p, _ in signers.people):
        heard.examinations.append(trust.verify(envelope))


class _Said(Struct, frozen=True):
    """What one line comes to. ``against`` says why it vouches for nothing."""

    role: str
    at: dt.datetime | None = None
    release: Release | None = None
    against: str = ""


def _said(trust: Trust, statement: Statement) -> _Said:
    role = role_of(statement)
    if role == _RELEASER:
        from credenza.attest import release

        released = release.from_statement(statement)
        _check_seen(trust, released.trust)
        return _Said(role, released.released_at, released)
    if role == "examiner":
        return _examined(statement)
    if statement.predicate_type != APPROVAL_TYPE:  # a second seal, or of a type unknown to us
        return _Said("")
    from credenza.attest import approval

    approved = approval.from_statement(statement)
    _check_seen(trust, approved.trust)
    return _Said(role, approved.approved_at)


def _examined(statement: Statement) -> _Said:
    """An examination vouches for a model in which it found nothing high or worse."""
    from credenza.attest.examination import from_statement
    from credenza.findings import Severity

    examination = from_statement(statement)
    worst = examination.report.worst
    against = ""
    if worst is not None and worst >= Severity.HIGH:
        against = f"{examination.report.examination} found something {worst.value}"
    return _Said("examiner", examination.examined_at, against=against)


def _check_seen(trust: Trust, seen: TrustVersion | None) -> None:
    if seen is not None and seen.name == trust.name and seen.version > trust.version:
        raise TrustRollbackError(
            f"its signer saw version {seen.version} of {seen.name!r}, "
            f"and version {trust.version} was given"
        )


def _releases(roles: Roles, heard: _Heard, wanted: str) -> list[list[Release]]:
    """What enough people say of the highest release of each name; those people are heard."""
    role = roles.role(_RELEASER)
    groups: dict[tuple[str, int], list[tuple[Release, Vouch]]] = {}
    for release, vouch in heard.releases:
        if wanted in ("", release.name):
            groups.setdefault((release.name, release.version), []).append((release, vouch))
    current: dict[str, list[tuple[Release, Vouch]]] = {}
    best: list[tuple[Release, Vouch]] = []
    for (name, _), group in sorted(groups.items(), key=lambda item: item[0]):
        people = {vouch.person for _, vouch in group}
        if len(people) > len({vouch.person for _, vouch in best}):
            best = group
        if role is not None and len(people) >= role.threshold:
            current[name] = group
    counted = [pair for group in current.values() for pair in group] or best
    heard.vouches.extend(dict.fromkeys(vouch for _, vouch in counted))
    return [[release for release, _ in group] for group in current.values()]


def _ends_first(group: Sequence[Release]) -> Release:
    never = dt.datetime.max.replace(tzinfo=dt.UTC)
    return min(group, key=lambda release: release.expires or never)


def _check_separate(roles: Roles, vouches: Iterable[Vouch]) -> None:
    acted: dict[str, set[str]] = {}
    for vouch in vouches:
        acted.setdefault(vouch.person, set()).add(vouch.role)
    for names in roles.separate:
        for person, filled in sorted(acted.items()):
            if len(both := sorted(filled & set(names))) > 1:
                raise SeparationError(f"{person} acted as {' and '.join(both)}, which are separate")


def _of_models(roles: Roles) -> Iterable[Role]:
    return (role for role in roles.roles if role.name != "root")


def _result(role: Role, vouches: Iterable[Vouch], required: bool) -> RoleResult:
    signed = tuple(dict.fromkeys(v.person for v in vouches if v.role == role.name))
    unsigned = tuple(person for person in role.people if person not in signed)
    return RoleResult(role.name, role.threshold, required, signed, unsigned)


def check_complete(standing: Standing, wanted: str) -> None:
    """Raises unless each required role is filled, and no release has expired.

    A release named ``wanted`` must be among them, where one is named.
    """
    lacking = [result for result in standing.roles if result.required and result.missing]
    if lacking:
        raise _lacking(standing, lacking)
    for r in standing.releases:
        if r.expires is not None and r.expires <= dt.datetime.now(dt.UTC):
            raise ExpiredReleaseError(
                f"release {r.name!r} version {r.version} expired on {r.expires:%Y-%m-%d}"
            )
    if wanted and wanted not in {release.name for release in standing.releases}:
        raise ThresholdError(f"the model is not released as {wanted!r}", ((_RELEASER, 1),))


def _lacking(standing: Standing, lacking: Sequence[RoleResult]) -> UntrustedError:
    what = "; ".join(
        f"{r.role}: {len(r.signed)} of {r.threshold} ({', '.join(r.signed) or 'nobody'})"
        for r in lacking
    )
    what = f"too few vouch for the model; {what}"
    if revoked := [u.why for u in standing.uncounted if u.revoked]:
        return RevokedKeyError(f"{what}; {'; '.join(revoked)}")
    for result in lacking:
        keys = {v.key for v in standing.vouches if v.role == result.role}
        if len(keys) >= result.threshold:
            return SamePersonError(f"{what}: {len(keys)} keys signed, and a person counts once")
    more = "; ".join(f"line {u.line}: {u.why}" for u in standing.uncounted)
    missing = tuple((result.role, result.missing) for result in lacking)
    return ThresholdError(f"{what}{f'; {more}' if more else ''}", missing)
