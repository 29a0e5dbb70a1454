from __future__ import annotations

import re
from dataclasses import replace

import pytest

from credenza.findings import Report, Where
from credenza.report import text

from .samples import BAD, QUIET, hostile
from .test_schemas import SCANNED

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_findings_stand_worst_first_with_place_sides_and_remedy() -> None:
    lines = text([BAD]).splitlines()

    assert lines[:3] == ["guard  reader", f"root {'ab' * 32}", lines[2]]
    assert [line for line in lines if line.startswith(("critical", "low"))] == [
        "critical  4 bytes differ",
        "low       one tensor more",
    ]
    assert "where     tensor head.weight, row 2" in lines
    assert "figure    bytes = 4 (95 % interval 3 to 5)" in lines
    assert "looked at  12 tensors" in lines
    assert "not seen   1 tensor on another device" in lines


def test_what_was_and_was_not_looked_at_is_told_without_findings_too() -> None:
    rendered = text([QUIET])

    assert "looked at  400 canaries" in rendered
    assert "not seen   nothing that it knows of" in rendered


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_asked(width: int) -> None:
    assert (
        max(len(line) for line in text([BAD, QUIET, hostile()], width=width).split("\n")) <= width
    )


def test_hostile_names_bring_no_control_character() -> None:
    assert all(line.isprintable() for line in text([hostile()]).split("\n"))


def test_colour_adds_colour_and_nothing_else() -> None:
    coloured = text([BAD, hostile()], colour=True)

    assert "\x1b[" in coloured
    assert _COLOUR.sub("", coloured) == text([BAD, hostile()])


def test_what_could_not_be_read_and_what_is_accepted_have_lines_of_their_own() -> None:
    lines = text([SCANNED], width=200).splitlines()

    assert lines[1] == "3 findings, worst: critical; 1 unread; 1 not looked at; 1 accepted"
    assert "where     b.zip, x!data.pkl, byte 3" in lines
    assert "unread     c.pkl: it breaks off" in lines
    assert "not seen   d.xyz: no format that is known here" in lines
    assert any(line.endswith("found four): allowed by Ada") for line in lines)


def test_several_reports_end_with_one_sentence() -> None:
    last = text([SCANNED, QUIET]).splitlines()[-1]
    assert last == "in all     2 reports, 2 files: 3 findings, worst: critical; 1 unread"


def test_a_name_of_a_million_characters_is_cut_and_quick() -> None:
    long = Report(examination="scan", subject="m" * 1_000_000, covered=("x" * 1_000_000,))
    rendered = text([long, hostile()])
    assert len(rendered) < 10_000
    assert "m…" in rendered.replace("\n", "")


def test_of_many_findings_it_says_how_many_there_are() -> None:
    findings = tuple(replace(SCANNED.findings[0], found=str(i)) for i in range(5_000))
    rendered = text([replace(SCANNED, findings=findings)])
    assert "and 4,800 findings more" in rendered
    assert rendered.count("\n") < 1_500


@pytest.mark.parametrize(
    ("count", "places"), [(1, 1), (2, 2), (5, 5), (6, "and 2 places more"), (5_000, "and 4,996")]
)
def test_findings_that_differ_in_their_place_are_said_once(count: int, places: int | str) -> None:
    first, other = SCANNED.findings[0], SCANNED.findings[-1]
    alike = tuple(replace(first, where=Where(file=f"{i}.pkl")) for i in range(count))
    rendered = text([replace(SCANNED, findings=(*alike, other), unread=(), accepted=())])
    assert rendered.count(f"  {first.what}\n") == 1
    assert other.what in rendered
    if isinstance(places, int):
        assert [line for line in rendered.split("\n") if ".pkl" in line and "where" in line] == [
            f"where     {i}.pkl" for i in range(places)
        ]
    else:
        assert f"where     3.pkl\nwhere     {places}" in rendered


@pytest.mark.parametrize(("count", "folded"), [(20, False), (21, True), (10_000, True)])
def test_of_many_reports_those_that_found_nothing_are_one_line(count: int, folded: bool) -> None:
    reports = [replace(QUIET, subject=f"{i}.pkl") for i in range(count - 1)]
    rendered = text([*reports, SCANNED])
    said = f"{count - 1:,} reports more, on 0.pkl, 1.pkl, 2.pkl, …: No finding under these tests"
    assert (said in rendered) == folded
    assert "where     b.zip, x!data.pkl, byte 3" in rendered
    assert rendered.count("\n") < 200
