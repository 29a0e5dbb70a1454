"""What is written is what others' schemas, and ours, say that it is."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from json import loads
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker, ValidationError
from referencing import Registry, Resource

from credenza.findings import (
    Accepted,
    Examined,
    Figure,
    Finding,
    Report,
    Severity,
    Unread,
    Where,
)
from credenza.report import cyclonedx, json, sarif, schema

from .samples import BAD, QUIET, hostile

SCHEMAS = Path(__file__).parent.parent / "vectors" / "schemas"
SERIAL = uuid.UUID("3e671687-395b-41f5-a30f-a58921a69b79")
TIME = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)


def found(severity: Severity, name: str, **where: Any) -> Finding:
    return Finding(
        rule="scan.bomb",
        severity=severity,
        what=f"{name} unpacks",
        where=Where(**where),
        found=name,
    )


SCANNED = Report(
    examination="scan",
    subject="models/a reader",
    covered=("files by content: 2 pickle",),
    uncovered=("c.pkl: it breaks off", "d.xyz: no format that is known here"),
    findings=(
        found(Severity.CRITICAL, "one", file="a#b %.pkl", start=7, stop=19),
        found(Severity.MEDIUM, "two", file="b.zip", member="x!data.pkl", start=3),
        found(Severity.NOTE, "three", tensor="head.weight"),
    ),
    figures=(Figure(name="time", value=float("inf"), unit="s"),),
    files=(
        Examined(path="a#b %.pkl", size=20, format="pickle", checks=("calls",), sha256="0a" * 32),
        Examined(path="b.zip", size=9),
    ),
    unread=(Unread(where=Where(file="c.pkl"), why="it breaks off"),),
    accepted=(Accepted(finding=found(Severity.HIGH, "four", file="b.zip"), why="allowed by Ada"),),
)
REPORTS = [(), (QUIET,), (BAD, QUIET), (hostile(),), (SCANNED,), (SCANNED, hostile(), SCANNED)]


def read(name: str) -> Any:
    return loads((SCHEMAS / name).read_text("utf-8-sig"))


def sarif_schema() -> Draft202012Validator:
    return Draft202012Validator(
        read("sarif-2.1.0.schema.json"), format_checker=FormatChecker(("uri-reference", "uri"))
    )


def bom_schema() -> Draft7Validator:
    others = ("jsf-0.82", "spdx")
    registry: Registry[Any] = Registry().with_resources(
        (
            f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json",
            Resource.from_contents(read(f"{name}.SNAPSHOT.schema.json")),
        )
        for name in others
    )
    whole = read("bom-1.6.SNAPSHOT.schema.json")
    return Draft7Validator(whole, registry=registry, format_checker=FormatChecker())


@pytest.mark.parametrize("reports", REPORTS, ids=len)
def test_json_is_what_our_schema_says(reports: Sequence[Report]) -> None:
    Draft202012Validator.check_schema(loads(schema()))
    Draft202012Validator(loads(schema())).validate(loads(json(reports)))
    Draft202012Validator(loads(schema())).validate(loads(json(reports, pictures=False)))


@pytest.mark.parametrize("reports", REPORTS, ids=len)
def test_sarif_is_what_its_schema_says(reports: Sequence[Report]) -> None:
    data = sarif(reports)
    assert data.isascii()
    sarif_schema().validate(loads(data))


@pytest.mark.parametrize("reports", REPORTS, ids=len)
def test_the_bill_of_materials_is_what_its_schema_says(reports: Sequence[Report]) -> None:
    data = cyclonedx(reports, serial=SERIAL, time=TIME)
    assert data.isascii()
    bom_schema().validate(loads(data))


@pytest.mark.parametrize(
    "path",
    [
        ["runs", 0, "results", 0, "level"],
        ["runs", 0, "tool"],
        ["runs", 0, "tool", "driver", "rules", 0, "helpUri"],
    ],
)
def test_the_schema_of_sarif_refuses_what_is_wrong(path: list[Any]) -> None:
    document = at = loads(sarif([SCANNED]))
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = "not right"
    with pytest.raises(ValidationError):
        sarif_schema().validate(document)


def test_the_schema_of_bills_refuses_what_is_wrong() -> None:
    document = loads(cyclonedx([SCANNED], serial=SERIAL, time=TIME))
    document["components"][0]["components"][0]["hashes"][0]["content"] = "zz"
    with pytest.raises(ValidationError):
        bom_schema().validate(document)


def test_our_schema_names_every_member_of_every_value() -> None:
    document = loads(json([SCANNED, BAD]))
    document["reports"][0]["findings"][0]["where"]["column"] = 1
    with pytest.raises(ValidationError, match="column"):
        Draft202012Validator(loads(schema())).validate(document)


@pytest.mark.parametrize("reports", REPORTS, ids=len)
def test_the_same_reports_give_the_same_bytes(reports: Sequence[Report]) -> None:
    assert sarif(reports) == sarif(reports)
    bill = cyclonedx(reports, serial=SERIAL, time=TIME)
    assert bill == cyclonedx(reports, serial=SERIAL, time=TIME)
