from __future__ import annotations

import base64
from json import loads

import credenza
from credenza.catalogue import VERSION, rule
from credenza.report import json, png

from .samples import BAD, GREY, HOSTILE, QUIET, hostile


def test_document_names_its_schema_tool_and_catalogue() -> None:
    document = loads(json([BAD, QUIET]))

    assert document["schema_version"] == 1
    assert (document["tool"], document["version"]) == ("credenza", credenza.__version__)
    assert document["catalogue"] == VERSION
    assert [r["worst"] for r in document["reports"]] == ["critical", None]
    assert list(document["rules"]) == ["guard.parameter-added", "guard.parameter-changed"]
    known = document["rules"]["guard.parameter-changed"]
    assert known["references"] == list(rule("guard.parameter-changed").references)


def test_same_reports_give_the_same_bytes() -> None:
    assert json([BAD, QUIET]) == json([BAD, QUIET])


def test_every_member_is_there() -> None:
    finding = loads(json([BAD]))["reports"][0]["findings"][1]

    assert finding["severity"] == "critical"
    assert finding["where"]["rows"] == [2]
    assert (finding["expected"], finding["found"]) == ("aa", "bb")
    assert finding["figures"][0] == {
        "name": "bytes",
        "value": 4.0,
        "unit": "",
        "low": 3.0,
        "high": 5.0,
        "definition": "counted",
    }


def test_pictures_are_png_files_or_left_out() -> None:
    picture = loads(json([BAD]))["reports"][0]["findings"][1]["pictures"][0]
    without = loads(json([BAD], pictures=False))["reports"][0]["findings"][1]["pictures"][0]

    head, _, data = picture["image"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == png(GREY)
    assert without == {"title": "grey", "width": 3, "height": 2, "channels": 1}


def test_hostile_text_survives_whole_and_as_ascii() -> None:
    data = json([hostile()])

    assert all(32 <= byte < 127 or byte == 10 for byte in data)
    assert loads(data)["reports"][0]["subject"] == HOSTILE


def test_a_figure_that_is_not_finite_is_null() -> None:
    assert loads(json([hostile()]))["reports"][0]["figures"][0]["value"] is None
