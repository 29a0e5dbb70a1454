from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.findings import Finding, Report, Severity, Unread, Where
from credenza.report import html, plain, text, verdict
from credenza.report.words import shortened, unread

from .samples import BAD, QUIET


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_plain_text_is_printable_and_on_one_line(hostile: str) -> None:
    assert plain(hostile).isprintable()


def test_plain_spells_out_what_would_steer_a_terminal_or_the_eye() -> None:
    assert plain("a\x1b[31m\u202eb\udcff\n") == r"a\x1b[31m\u202eb\udcff\n"
    assert plain("größe 5→2") == "größe 5→2"


def test_verdict_names_the_worst_and_what_was_not_looked_at() -> None:
    assert verdict(BAD) == "2 findings, worst: critical; 1 not looked at"
    assert verdict(QUIET) == "No finding under these tests"


def test_no_evidence_is_not_the_absence_of_findings() -> None:
    blind = Report(examination="scan", subject="reader", covered=(), uncovered=("a.bin: locked",))

    assert verdict(blind) == "Nothing was looked at; 1 not looked at"


def test_no_rendering_calls_a_model_clean_or_safe() -> None:
    for rendered in (text([QUIET]), html([QUIET]).partition("<body>")[2]):
        assert "No finding under these tests" in rendered
        assert not {"clean", "safe", "secure", "ok"} & set(rendered.lower().split())


def test_many_lines_of_one_reason_are_one() -> None:
    lines = [f"{i}.xyz: unknown" for i in range(30)] + ["a: b: torn", "c: torn"]
    assert shortened(lines) == [
        "30 places, 0.xyz, 1.xyz, 2.xyz, …: unknown",
        "a: b: torn",
        "c: torn",
    ]


def test_few_lines_are_as_they_are_and_many_reasons_are_cut() -> None:
    few = [f"{i}: why" for i in range(20)]
    assert shortened(few) == few
    many = [f"{i}: why {i}" for i in range(2_000)]
    assert shortened(many) == [*many[:20], "and 1,980 more"]


@pytest.mark.parametrize(
    ("why", "where", "line"),
    [
        ("it is wide", "a", "a: as found above"),
        ("it is wide (65)", "a", "a: as found above"),
        ("it is wide (66)", "a", "a: it is wide (66)"),
        ("it is wide", "b", "b: it is wide"),
    ],
)
def test_what_a_finding_says_of_a_place_is_not_said_again(why: str, where: str, line: str) -> None:
    wide = Finding(
        rule="scan.bomb",
        severity=Severity.HIGH,
        what="it is wide",
        where=Where(file="a"),
        found="65",
    )
    left = (Unread(where=Where(file=where), why=why),)
    report = replace(QUIET, findings=(wide,), unread=left)
    assert unread(report) == [line]
    assert "1 unread" in verdict(report)
    assert f"unread     {line}\n" in text([report])
    assert line in html([report])
