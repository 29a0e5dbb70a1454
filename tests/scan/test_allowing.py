"""What does not count, and who answers for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.errors import InputError
from credenza.findings import Examined, Finding, Report, Severity, Unread, Where
from credenza.report import json
from credenza.scan.allowing import (
    KNOWN,
    Allowance,
    apply,
    fingerprints,
    parse,
    suggest,
    without_known,
)

DIGEST = "9f" * 32
TODAY = dt.date(2026, 11, 24)


def finding(found: str = "os.system", file: str = "a/m.pkl", member: str | None = None) -> Finding:
    where = Where(file=file, member=member, start=7)
    what = "it would call something"
    return Finding(rule="scan.bomb", severity=Severity.HIGH, what=what, where=where, found=found)


def report(*findings: Finding, sha256: str = "") -> Report:
    files = tuple(
        Examined(path=f, size=1, checks=("calls",), sha256=sha256)
        for f in dict.fromkeys(x.where.file or "" for x in findings)
    )
    return Report(examination="scan", subject="m", covered=("x",), findings=findings, files=files)


def entry(**changes: str) -> bytes:
    lines = {
        "rule": '"scan.bomb"',
        "file": '"a/m.pkl"',
        "found": '"os.system"',
        "reason": '"ours, read in change 12"',
        "owner": '"Ada"',
        "expires": "2027-05-24",
    } | changes
    told = "\n".join(f"{name} = {value}" for name, value in lines.items() if value)
    return f"version = 1\n\n[[allow]]\n{told}\n".encode()


def left(data: bytes, *findings: Finding, today: dt.date = TODAY, sha256: str = "") -> list[str]:
    applied = apply([report(*findings, sha256=sha256)], parse(data), today)
    return [f.found for f in applied.reports[0].findings]


def test_the_specifications_example_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "allow.md").read_text("utf-8")
    shown = re.findall("```toml\n(.*?)```", page, re.DOTALL)
    (allowance,) = parse(shown[0].encode())
    assert allowance.expires == dt.date(2027, 5, 24)
    assert allowance.file == "readers/*/corpus.zip"


def test_what_is_allowed_stays_in_the_report_with_who_answers_for_it() -> None:
    applied = apply([report(finding(), finding("builtins.eval"))], parse(entry()), TODAY)
    (after,) = applied.reports
    assert [f.found for f in after.findings] == ["builtins.eval"]
    (accepted,) = after.accepted
    assert accepted.finding == finding()
    assert accepted.why == "allowed until 2027-05-24 by Ada: ours, read in change 12"
    assert applied.notes == ()


@pytest.mark.parametrize(
    ("pattern", "place", "allowed"),
    [
        ("a/m.pkl", "a/m.pkl", True),
        ("a/*.pkl", "a/m.pkl", True),
        ("*.pkl", "a/m.pkl", False),
        ("*", "a/m.pkl", False),
        ("**/m.pkl", "a/m.pkl", True),
        ("**/m.pkl", "m.pkl", True),
        ("**/m.pkl", "a/b/c/m.pkl", True),
        ("a/**/m.pkl", "a/m.pkl", True),
        ("a/**", "a/b/m.pkl", True),
        ("a/**", "b/a/m.pkl", False),
        ("**.pkl", "a/m.pkl", False),
        ("a/?.pkl", "a/m.pkl", True),
        ("a/[lm].pkl", "a/m.pkl", True),
        ("a/[!x].pkl", "a/m.pkl", False),  # what stands behind ! is a member
        ("a/M.pkl", "a/m.pkl", False),
        ("a/m.pkl", "a/m.pkl.pkl", False),
        ("a/m.pkl", "b/a/m.pkl", False),
        ("a[1].pkl", "a[1].pkl", True),
        ("m.zip", "m.zip!x/data.pkl", True),
        ("m.zip!x/data.pkl", "m.zip!x/data.pkl", True),
        ("m.zip!*/data.pkl", "m.zip!x/data.pkl", True),
        ("m.zip!y/data.pkl", "m.zip!x/data.pkl", False),
        ("m.zip!x/data.pkl", "m.zip", False),
    ],
)
def test_patterns(pattern: str, place: str, allowed: bool) -> None:
    file, _, member = place.partition("!")
    said = left(entry(file=f'"{pattern}"'), finding(file=file, member=member or None))
    assert said == ([] if allowed else ["os.system"])


@pytest.mark.parametrize("found", ["os.systemd", "os.syste", "OS.system", "*", "os.*", "", "os"])
def test_evidence_is_letter_for_letter(found: str) -> None:
    assert left(entry(found='"os.system"'), finding(found or "x")) != []
    if found:
        assert left(entry(found=f'"{found}"'), finding()) == ["os.system"]


def test_evidence_is_the_sentence_where_nothing_was_found() -> None:
    assert left(entry(found='"it would call something"'), finding("")) == []


@pytest.mark.parametrize(
    ("today", "counts"),
    [(dt.date(2027, 5, 23), False), (dt.date(2027, 5, 24), True), (dt.date(2030, 1, 1), True)],
)
def test_an_entry_ends_on_its_day_and_says_so(today: dt.date, counts: bool) -> None:
    applied = apply([report(finding())], parse(entry()), today)
    assert bool(applied.reports[0].findings) == counts
    expected = "entry 1 does not hold for a/m.pkl, byte 7: it expired on 2027-05-24"
    assert [expected in note for note in applied.notes] == [True] * counts


@pytest.mark.parametrize(("digest", "counts"), [(DIGEST, False), ("0" * 64, True), ("", True)])
def test_another_file_of_that_name_is_not_allowed(digest: str, counts: bool) -> None:
    data = entry(sha256=f'"{DIGEST}"')
    applied = apply([report(finding(), sha256=digest)], parse(data), TODAY)
    assert bool(applied.reports[0].findings) == counts
    assert ["the file is another one" in note for note in applied.notes] == [True] * counts


def test_an_entry_that_matches_nothing_is_said() -> None:
    applied = apply([report(finding("builtins.eval"))], parse(entry()), TODAY)
    assert applied.notes == ("allow file: entry 1 matches nothing: scan.bomb in a/m.pkl",)


@pytest.mark.parametrize(
    ("file", "folder", "pattern", "allowed"),
    [
        ("a/m.pkl", "models", "models/a/m.pkl", True),
        ("m.pkl", "models/a", "models/a/m.pkl", True),
        ("m.pkl", "models/a", "m.pkl", True),
        ("models/a/m.pkl", "", "models/a/m.pkl", True),
        ("m.pkl", "models/b", "models/a/m.pkl", False),
        ("m.pkl", "models/a", "a/m.pkl", False),
    ],
)
def test_one_entry_holds_for_a_scan_of_the_folder_and_of_the_file(
    file: str, folder: str, pattern: str, allowed: bool
) -> None:
    said = report(finding(file=file))
    applied = apply([said], parse(entry(file=f'"{pattern}"')), TODAY, [folder])
    assert (applied.reports[0].findings == ()) == allowed
    suggested = suggest([said], TODAY, [folder])
    assert f'file = "{folder}/{file}"'.replace('"/', '"') in suggested


def test_what_was_not_read_cannot_be_allowed() -> None:
    unread = (Unread(where=Where(file="a/m.pkl"), why="it breaks off"),)
    broken = dataclasses.replace(report(finding()), unread=unread)
    (after,) = apply([broken], parse(entry()), TODAY).reports
    assert after.unread == unread


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"version = 1",
        b"version = 1\nallow = []",
        b"version = 1\nallow = [1]",
        entry().replace(b"version = 1", b"version = 2"),
        entry().replace(b"version = 1", b"version = true"),
        entry().replace(b"version = 1", b"version = 1\nother = 1"),
        entry(reason='""'),
        entry(owner='"  "'),
        entry(reason=""),
        entry(owner=""),
        entry(expires=""),
        entry(expires='"2027-05-24"'),
        entry(expires="2027-05-24T10:00:00Z"),
        entry(rule='"scan.no-such-rule"'),
        entry(file='""'),
        entry(found="1"),
        entry(sha256='"9F"'),
        entry(sha256=f'"{"9F" * 32}"'),
        entry(reasn='"x"'),
        entry(owner='"a\\nb"'),
        entry(reason='"a\\u202eb"'),
        b"a = " + b"[" * 20_000,
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="allow file"):
        parse(data)


def test_a_suggestion_is_refused_until_a_person_completes_it_and_then_allows() -> None:
    many = report(finding(), finding("builtins.eval", "b.zip", "x!data.pkl"), sha256=DIGEST)
    text = suggest([many], TODAY)
    with pytest.raises(InputError, match="reason"):
        parse(text.encode())
    done = text.replace('reason = ""', 'reason = "read"').replace('owner = ""', 'owner = "Ada"')
    applied = apply([many], parse(done.encode()), TODAY)
    assert (applied.reports[0].findings, applied.notes) == ((), ())
    assert text.count(f'sha256 = "{DIGEST}"') == 2


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_suggestion_speaks_of_any_name_and_evidence_and_of_no_other(name: str) -> None:
    mine = report(finding(found=name, file=name, member=name))
    text = suggest([mine], TODAY)
    done = text.replace('reason = ""', 'reason = "read"').replace('owner = ""', 'owner = "Ada"')
    (allowance,) = parse(done.encode())
    assert allowance.speaks_of(mine.findings[0])
    assert not allowance.speaks_of(finding(found=name, file=f"{name}x", member=name))


def test_a_suggested_name_is_no_pattern() -> None:
    text = suggest([report(finding(file="**/*.pkl"))], TODAY)
    done = text.replace('reason = ""', 'reason = "read"').replace('owner = ""', 'owner = "Ada"')
    assert left(done.encode(), finding(file="**/*.pkl")) == []
    assert left(done.encode(), finding(file="a/m.pkl")) == ["os.system"]


def test_a_pattern_of_many_stars_is_quick() -> None:
    allowance = Allowance(
        rule="scan.bomb",
        file="**/" * 60 + "x",
        found="os.system",
        reason="r",
        owner="o",
        expires=TODAY,
    )
    assert not allowance.speaks_of(finding(file="a/" * 500 + "y"))


def test_only_what_is_new_counts_against_a_baseline() -> None:
    before = json([report(finding())])
    (after,) = without_known([report(finding(), finding("builtins.eval"))], fingerprints(before))
    assert [f.found for f in after.findings] == ["builtins.eval"]
    assert [(a.finding.found, a.why) for a in after.accepted] == [("os.system", KNOWN)]


def test_the_same_thing_in_one_more_place_is_new() -> None:
    known = fingerprints(json([report(finding())]))
    once, twice = without_known([report(finding()), report(finding())], known)
    assert (len(once.findings), len(twice.findings)) == (0, 1)


def test_what_was_known_stays_known_and_what_was_allowed_does_not() -> None:
    known = without_known([report(finding())], fingerprints(json([report(finding())])))
    assert sum(fingerprints(json(known)).values()) == 1
    allowed = apply([report(finding())], parse(entry()), TODAY).reports
    assert sum(fingerprints(json(allowed)).values()) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"reports": 1}',
        b'{"reports": [{"findings": [{"fingerprint": 1}]}]}',
        b'{"reports": [{"findings": [], "accepted": [1]}]}',
        b"[" * 100_000,
    ],
)
def test_anything_that_is_no_report_is_no_baseline(data: bytes) -> None:
    with pytest.raises(InputError, match="baseline"):
        fingerprints(data)
