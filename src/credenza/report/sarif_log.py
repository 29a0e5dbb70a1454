"""Reports as SARIF, for code scanning.

Static Analysis Results Interchange Format 2.1.0 (OASIS standard, errata 01), in the form that
GitHub reads: https://docs.github.com/en/code-security/reference/code-scanning/sarif-files.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any, Final, final
from urllib.parse import quote

import credenza
from credenza.catalogue import VERSION, rule
from credenza.errors import InputError
from credenza.findings import Accepted, Finding, Report, Severity, Unread, Where, plain
from credenza.report.references import help_uri, tags

MOST_RESULTS: Final = 25_000
"""GitHub refuses a run with more."""

FINGERPRINT: Final = "credenza/v1"

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_BASE: Final = "SRCROOT"
_LEVELS: Final = {
    Severity.NOTE: "note",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
_SCORES: Final = {
    Severity.NOTE: "0.0",
    Severity.LOW: "3.0",
    Severity.MEDIUM: "5.5",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.5",
}
"""GitHub shows over 9.0 as critical, from 7.0 as high, from 4.0 as medium, from 0.1 as low."""


def sarif(reports: Sequence[Report], *, folders: Sequence[str] | None = None) -> bytes:
    """``reports`` as one run; the same reports give the same bytes, in ASCII.

    ``folders`` are, for each report, the folder that its files lie in, relative to the source root
    and with ``/``, so that a result stands at its file; else all lie in the root. A rule's text is
    the catalogue's, whatever was found; its number is that of the worst result. Accepted findings
    are suppressed results. What was not read is a notification, and the invocation was no success
    then. Of more than 25,000 results the worst are kept, and a notification says how many were not.

    Raises `InputError` where there is not one folder a report.
    """
    if folders is not None and len(folders) != len(reports):
        raise InputError(f"sarif: {len(reports)} folders expected, {len(folders)} given")
    placed = list(zip(folders or [""] * len(reports), reports, strict=True))
    run = _Run(placed)
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run.json()]}
    return dumps(log, indent=1, allow_nan=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class _Placed:
    """A finding, and the folder that its file lies in."""

    finding: Finding
    folder: str
    why: str = ""


@final
class _Run:
    """All reports as results of one run, for GitHub takes one run a tool and category."""

    def __init__(self, reports: Sequence[tuple[str, Report]]) -> None:
        self._reports = reports
        every = sorted(_placed(reports), key=lambda p: -p.finding.severity.rank)
        self._kept, self._cut = every[:MOST_RESULTS], len(every) - MOST_RESULTS
        self._worst: dict[str, Severity] = {}
        for placed in self._kept:
            id_, severity = placed.finding.rule, placed.finding.severity
            self._worst[id_] = max(severity, self._worst.get(id_, severity))
        self._indices = {id_: i for i, id_ in enumerate(sorted(self._worst))}

    def json(self) -> dict[str, Any]:
        notifications = list(self._notifications())
        return {
            "tool": {"driver": self._driver()},
            "invocations": [
                {
                    "executionSuccessful": not any(r.unread for _, r in self._reports),
                    "toolExecutionNotifications": notifications,
                }
            ],
            "originalUriBaseIds": {
                _BASE: {"description": {"text": "The folder that credenza was called in."}}
            },
            "columnKind": "unicodeCodePoints",
            "results": [self._result(placed) for placed in self._kept],
        }

    def _driver(self) -> dict[str, Any]:
        return {
            "name": "credenza",
            "semanticVersion": credenza.__version__,
            "rules": [_rule(id_, self._worst[id_]) for id_ in self._indices],
            "properties": {"catalogue": VERSION},
        }

    def _result(self, placed: _Placed) -> dict[str, Any]:
        finding = placed.finding
        result = {
            "ruleId": finding.rule,
            "ruleIndex": self._indices[finding.rule],
            "level": _LEVELS[finding.severity],
            "message": {"text": plain(str(finding))},
            "locations": [_location(placed.folder, finding.where)],
            "partialFingerprints": {FINGERPRINT: finding.fingerprint},
            "properties": {"severity": finding.severity.value},
        }
        if placed.why:
            accepted = {
                "kind": "external",
                "status": "accepted",
                "justification": plain(placed.why),
            }
            result["suppressions"] = [accepted]
        return result

    def _notifications(self) -> Iterator[dict[str, Any]]:
        for folder, report in self._reports:
            yield from (_unread(folder, unread) for unread in report.unread)
        if self._cut > 0:
            said = f"{self._cut:,} milder results are left out: a run holds {MOST_RESULTS:,}."
            yield {"level": "warning", "message": {"text": said}}


def _placed(reports: Sequence[tuple[str, Report]]) -> Iterator[_Placed]:
    for folder, report in reports:
        yield from (_Placed(f, folder) for f in report.findings)
        yield from (_accepted(folder, a) for a in report.accepted)


def _accepted(folder: str, accepted: Accepted) -> _Placed:
    return _Placed(accepted.finding, folder, accepted.why)


def _rule(id_: str, worst: Severity) -> dict[str, Any]:
    known = rule(id_)
    described: dict[str, Any] = {
        "id": id_,
        "name": "".join(part.capitalize() for part in re.split("[^a-z0-9]", id_)),
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.meaning},
        "help": {"text": f"{known.meaning}\n\n{known.remedy}"},
        "properties": {"tags": tags(known), "security-severity": _SCORES[worst]},
    }
    uri = help_uri(known)
    return described | ({"helpUri": uri} if uri else {})


def _location(folder: str, where: Where) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(folder, where)}
    if where.file is not None:
        physical["region"] = _region(where)
    location: dict[str, Any] = {"physicalLocation": physical}
    if logical := list(_logical(where)):
        location["logicalLocations"] = logical
    return location


def _artifact(folder: str, where: Where) -> Mapping[str, str]:
    path = posixpath.normpath(posixpath.join(folder, where.file or ""))
    return {"uri": quote(path, safe="/", errors="backslashreplace"), "uriBaseId": _BASE}


def _region(where: Where) -> Mapping[str, int]:
    """GitHub wants a line, which binary files lack; bytes of a file inside are not the file's.

    A region's lines and its bytes say nothing of each other (SARIF 2.1.0, 3.30.4).
    """
    region = {"startLine": 1}
    if where.member is None and where.start is not None:
        region["byteOffset"] = where.start
        if where.stop is not None and where.stop >= where.start:
            region["byteLength"] = where.stop - where.start
    return region


def _logical(where: Where) -> Iterator[Mapping[str, str]]:
    for kind, name in (("member", where.member), ("tensor", where.tensor)):
        if name is not None:
            yield {"fullyQualifiedName": plain(name), "kind": kind}


def _unread(folder: str, unread: Unread) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": f"not read: {plain(str(unread))}"},
        "locations": [_location(folder, unread.where)],
    }
