"""The bill of materials: who finds what in it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from json import loads
from typing import Any

import pytest

from credenza.errors import InputError
from credenza.findings import Report
from credenza.report import cyclonedx

from .test_schemas import SCANNED, SERIAL, TIME


def bill(*reports: Report) -> Any:
    return loads(cyclonedx(reports, serial=SERIAL, time=TIME))


def test_serial_and_time_are_the_callers() -> None:
    document = bill(SCANNED)
    assert document["serialNumber"] == "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"
    assert document["metadata"]["timestamp"] == "2026-11-24T10:00:00Z"
    with pytest.raises(InputError, match="zone"):
        cyclonedx([], serial=SERIAL, time=dt.datetime(2026, 1, 1))  # noqa: DTZ001  what is refused


def test_a_model_has_its_files_with_their_hashes() -> None:
    (model,) = bill(SCANNED)["components"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "models/a reader")
    first, second = model["components"]
    assert first["hashes"] == [{"alg": "SHA-256", "content": "0a" * 32}]
    assert "hashes" not in second
    assert "licenses" not in model
    unread = [p["value"] for p in model["modelCard"]["properties"] if p["name"].endswith("unread")]
    assert unread == ["c.pkl: it breaks off"]


def test_a_finding_is_a_vulnerability_of_its_file_with_its_weakness() -> None:
    document = bill(SCANNED)
    critical, _, note, accepted = document["vulnerabilities"]
    file = document["components"][0]["components"][0]
    assert critical["affects"] == [{"ref": file["bom-ref"]}]
    assert critical["cwes"] == [409]
    assert critical["ratings"][0]["severity"] == "critical"
    assert note["affects"] == [{"ref": document["components"][0]["bom-ref"]}]
    assert note["ratings"][0]["severity"] == "info"
    assert accepted["analysis"]["detail"] == "allowed by Ada"
    assert "analysis" not in critical


def test_two_reports_on_one_model_are_one_component_and_two_models_two() -> None:
    seal = Report(examination="verify", subject=SCANNED.subject, covered=("x",), root="ab" * 32)
    (model,) = bill(SCANNED, seal)["components"]
    assert {"name": "credenza:root", "value": "ab" * 32} in model["modelCard"]["properties"]
    other = dataclasses.replace(SCANNED, subject="other")
    refs = [c["bom-ref"] for m in bill(SCANNED, other)["components"] for c in m["components"]]
    assert len(set(refs)) == 4


def test_a_model_of_the_hub_has_its_package_url() -> None:
    (model,) = bill(dataclasses.replace(SCANNED, subject="hf://acme/reader@abc/sub"))["components"]
    assert model["purl"] == "pkg:huggingface/acme/reader@abc"
