"""Findings and reports: values that order, print and survive JSON."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.errors import AlteredError, CredenzaError, RefusedError
from credenza.findings import Figure, Finding, Picture, Report, Severity, Where, spans

RULE = "seal.tensor-altered"


def _finding(severity: Severity, what: str = "changed") -> Finding:
    return Finding(rule=RULE, severity=severity, what=what)


def test_severities_are_ordered_from_note_to_critical() -> None:
    names = [severity.value for severity in sorted(Severity)]
    assert names == ["note", "low", "medium", "high", "critical"]
    assert Severity.HIGH >= Severity.HIGH > Severity.MEDIUM


def test_the_worst_finding_is_the_verdict() -> None:
    found = (_finding(Severity.LOW), _finding(Severity.HIGH), _finding(Severity.NOTE))
    assert Report(examination="x", subject="m", covered=(), findings=found).worst is Severity.HIGH
    assert Report(examination="x", subject="m", covered=("all",)).worst is None


def test_a_finding_takes_its_remedy_from_the_rule_unless_it_has_its_own() -> None:
    assert "Restore the file" in _finding(Severity.HIGH).remedy
    own = Finding(rule=RULE, severity=Severity.HIGH, what="x", remedy="Ask Ada.")
    assert own.remedy == "Ask Ada."


def test_a_finding_of_no_rule_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Finding(rule="seal.invented", severity=Severity.HIGH, what="x")


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where(), ""),
        (Where(file="m"), "m"),
        (Where(file="m", tensor="w", rows=(5, 2)), "m, tensor w, rows 2, 5"),
        (Where(tensor="w", rows=(3,)), "tensor w, row 3"),
        (Where(classes=(2, 5)), "classes 2, 5"),
        (Where(samples=(1, 2, 3, 9)), "samples 1-3, 9"),
        (Where(file="m", start=0, stop=8), "m, bytes 0 to 8"),
        (Where(file="m", start=7), "m, byte 7"),
    ],
)
def test_a_place_reads_as_people_write_it(where: Where, text: str) -> None:
    assert str(where) == text


@given(st.sets(st.integers(0, 300), max_size=60))
def test_spans_name_or_count_every_index(indices: set[int]) -> None:
    text, _, more = spans(tuple(indices)).partition(" and ")
    named: set[int] = set()
    for run in filter(None, text.split(", ")):
        first, _, last = run.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named <= indices
    assert len(named) + int(more.removesuffix(" more") or 0) == len(indices)


def test_a_report_survives_json() -> None:
    picture = Picture(title="p", width=1, height=2, channels=3, pixels=bytes(6))
    figure = Figure(name="rate", value=0.5, low=0.4, high=0.6, definition="hits / all")
    finding = Finding(
        rule=RULE,
        severity=Severity.CRITICAL,
        what="changed",
        where=Where(file="m", tensor="w", rows=(1, 2)),
        figures=(figure,),
        pictures=(picture,),
    )
    report = Report(examination="x", subject="m", covered=("all",), findings=(finding,))
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert hash(report) == hash(msgspec.json.decode(msgspec.json.encode(report), type=Report))


@pytest.mark.parametrize(("channels", "size"), [(1, 5), (3, 6), (2, 12), (4, 24)])
def test_a_picture_has_as_many_bytes_as_it_says(channels: int, size: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        Picture(title="p", width=2, height=3, channels=channels, pixels=bytes(size))


def test_a_refusal_tells_its_first_finding_and_how_many_more() -> None:
    found = (_finding(Severity.HIGH, "one"), _finding(Severity.HIGH, "two"))
    error = AlteredError(Report(examination="verify", subject="m", covered=(), findings=found))
    assert str(error) == "one, and 1 more"
    assert error.hint == found[0].remedy
    assert isinstance(error, RefusedError)
    assert isinstance(error, CredenzaError)
