"""Reports as JSON, for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from json import dumps
from typing import Any

import msgspec

import credenza
from credenza.catalogue import VERSION, rule
from credenza.files import packaged
from credenza.findings import Finding, Picture, Report
from credenza.report.pixels import data_uri

SCHEMA_VERSION = 1


def json(reports: Sequence[Report], *, pictures: bool = True) -> bytes:
    """``reports`` as JSON in ASCII; the same reports give the same bytes.

    Members are those of the values in `credenza.findings`. A picture's pixels are a PNG file in a
    ``data:`` URI, or are left out with ``pictures`` false; a figure that is not finite is null.
    ``rules`` holds what the catalogue says of each rule that is used. All that is not ASCII is
    escaped, so that no name in it can steer a terminal.
    """
    used = sorted({f.rule for report in reports for f in every_finding(report)})
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": "credenza",
        "version": credenza.__version__,
        "catalogue": VERSION,
        "reports": [_report(report, pictures=pictures) for report in reports],
        "rules": {id_: msgspec.to_builtins(rule(id_)) for id_ in used},
    }
    return dumps(_finite(document), indent=1, allow_nan=False).encode() + b"\n"


def schema() -> bytes:
    """The JSON Schema (draft 2020-12) of what `json` writes."""
    return packaged("credenza.report", "report.schema.json").encode()


def every_finding(report: Report) -> Iterator[Finding]:
    """Those that count, then those that are accepted."""
    yield from report.findings
    yield from (a.finding for a in report.accepted)


def _report(report: Report, *, pictures: bool) -> dict[str, Any]:
    return {
        **_members(report),
        "worst": None if report.worst is None else report.worst.value,
        "findings": [_finding(f, pictures=pictures) for f in report.findings],
        "accepted": [
            {"finding": _finding(a.finding, pictures=pictures), "why": a.why}
            for a in report.accepted
        ],
        "pictures": [_picture(p, pixels=pictures) for p in report.pictures],
    }


def _finding(finding: Finding, *, pictures: bool) -> dict[str, Any]:
    return {
        **_members(finding),
        "fingerprint": finding.fingerprint,
        "pictures": [_picture(p, pixels=pictures) for p in finding.pictures],
    }


def _picture(picture: Picture, *, pixels: bool) -> dict[str, Any]:
    shape = {
        "title": picture.title,
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
    }
    return shape | ({"image": data_uri(picture)} if pixels else {})


def _members(value: Report | Finding) -> dict[str, Any]:
    """Every member as JSON's types, but for those that hold pictures."""
    held = {"findings", "accepted", "pictures"}
    names = [f.name for f in fields(value) if f.name not in held]
    return {name: msgspec.to_builtins(getattr(value, name)) for name in names}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
