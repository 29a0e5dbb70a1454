"""SARIF, as GitHub's code scanning reads it."""

from __future__ import annotations

import dataclasses
from json import loads
from typing import Any

import pytest

from credenza import catalogue
from credenza.errors import InputError
from credenza.findings import Report, Severity
from credenza.report import sarif, sarif_log
from credenza.report.references import MOST_TAGS, help_uri, tags

from .test_schemas import SCANNED, found


def run_of(*reports: Report, folders: list[str] | None = None) -> Any:
    (run,) = loads(sarif(reports, folders=folders))["runs"]
    return run


def physical(result: Any) -> Any:
    return result["locations"][0]["physicalLocation"]


def test_places_are_relative_and_percent_encoded_and_members_are_logical() -> None:
    critical, high, medium, note = run_of(SCANNED, folders=["models/a reader"])["results"]
    assert physical(critical)["artifactLocation"] == {
        "uri": "models/a%20reader/a%23b%20%25.pkl",
        "uriBaseId": "SRCROOT",
    }
    assert physical(critical)["region"] == {"startLine": 1, "byteOffset": 7, "byteLength": 12}
    assert physical(medium)["artifactLocation"]["uri"] == "models/a%20reader/b.zip"
    assert physical(medium)["region"] == {"startLine": 1}  # its offset is not the file's
    assert medium["locations"][0]["logicalLocations"] == [
        {"fullyQualifiedName": "x!data.pkl", "kind": "member"}
    ]
    assert "region" not in physical(note)
    assert (critical["level"], high["level"]) == ("error", "error")
    assert (medium["level"], note["level"]) == ("warning", "note")


def test_fingerprints_are_the_findings_own() -> None:
    results = run_of(SCANNED)["results"]
    every = {*(f.fingerprint for f in SCANNED.findings), SCANNED.accepted[0].finding.fingerprint}
    assert {r["partialFingerprints"]["credenza/v1"] for r in results} == every


def test_what_somebody_answers_for_is_suppressed_and_nothing_else_is() -> None:
    suppressed = {r["message"]["text"]: r.get("suppressions") for r in run_of(SCANNED)["results"]}
    accepted = [{"kind": "external", "status": "accepted", "justification": "allowed by Ada"}]
    assert [s for s in suppressed.values() if s] == [accepted]
    assert suppressed["b.zip: four unpacks (found four)"] == accepted


def test_what_was_not_read_is_a_notification_and_no_success() -> None:
    (invocation,) = run_of(SCANNED)["invocations"]
    (said,) = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is False
    assert said["message"]["text"] == "not read: c.pkl: it breaks off"
    assert physical(said)["artifactLocation"]["uri"] == "c.pkl"
    whole = dataclasses.replace(SCANNED, unread=())
    assert run_of(whole)["invocations"][0]["executionSuccessful"] is True


def test_a_rule_says_the_same_whatever_was_found() -> None:
    other = dataclasses.replace(SCANNED, findings=(found(Severity.CRITICAL, "else", file="z"),))
    (mine,), (theirs,) = (run_of(r)["tool"]["driver"]["rules"] for r in (SCANNED, other))
    known = catalogue.rule("scan.bomb")
    assert mine == theirs
    assert mine["shortDescription"]["text"] == known.title
    assert mine["helpUri"] == "https://cwe.mitre.org/data/definitions/409.html"
    assert mine["properties"]["tags"] == [
        "security",
        "ML06:2023",
        "AML.T0010",
        "external/cwe/cwe-409",
    ]


@pytest.mark.parametrize(
    ("severity", "low", "high"),
    [
        (Severity.NOTE, 0, 0),
        (Severity.LOW, 0.1, 3.9),
        (Severity.MEDIUM, 4, 6.9),
        (Severity.HIGH, 7, 8.9),
        (Severity.CRITICAL, 9, 10),
    ],
)
def test_github_shows_our_severity(severity: Severity, low: float, high: float) -> None:
    report = dataclasses.replace(SCANNED, findings=(found(severity, "x"),), accepted=())
    (rule,) = run_of(report)["tool"]["driver"]["rules"]
    assert low <= float(rule["properties"]["security-severity"]) <= high


def test_of_too_many_the_worst_are_kept_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sarif_log.MOST_RESULTS == 25_000  # what GitHub takes of a run
    monkeypatch.setattr(sarif_log, "MOST_RESULTS", 2)
    run = run_of(SCANNED)
    assert [r["level"] for r in run["results"]] == ["error", "error"]
    said = run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    assert said == "2 milder results are left out: a run holds 2."


@pytest.mark.parametrize("rule", catalogue.rules(), ids=lambda r: r.id)
def test_every_rule_has_a_page_and_few_tags(rule: catalogue.Rule) -> None:
    assert help_uri(rule).startswith("https://")
    assert 2 <= len(tags(rule)) <= MOST_TAGS
    assert len(set(tags(rule))) == len(tags(rule))


def test_a_folder_a_report() -> None:
    with pytest.raises(InputError, match="2 folders expected, 1 given"):
        sarif([SCANNED, SCANNED], folders=["a"])
