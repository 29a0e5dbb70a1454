from __future__ import annotations

import re

import pytest

from credenza.report import text

from .samples import BAD, QUIET, hostile

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
