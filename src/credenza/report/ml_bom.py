"""Reports as a bill of materials of the models that they speak of.

CycloneDX 1.6 (ECMA-424, first edition): https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from json import dumps
from typing import Any, Final
from urllib.parse import quote

import credenza
from credenza.catalogue import rule
from credenza.errors import InputError
from credenza.findings import Examined, Finding, Report, Severity, plain
from credenza.report.references import cwes

_SEVERITIES: Final = {
    Severity.NOTE: "info",
    Severity.LOW: "low",
    Severity.MEDIUM: "medium",
    Severity.HIGH: "high",
    Severity.CRITICAL: "critical",
}
_SOURCE: Final = {"name": "credenza"}
_HUB: Final = "hf://"


def cyclonedx(reports: Sequence[Report], *, serial: uuid.UUID, time: dt.datetime) -> bytes:
    """A bill of materials with a model for each subject, its files under it, and what was found.

    The same arguments give the same bytes, in ASCII. A file has its hash where its report holds
    it. A finding is a vulnerability of the file that it is in, one that is accepted with who
    answers for it; what could not be read stands in the model's card. No licence is given, for
    none was looked for.

    Raises `InputError` for a time without a zone.
    """
    if time.tzinfo is None:
        raise InputError("cyclonedx: a time with its zone expected")
    by_subject: dict[str, list[Report]] = {}
    for report in reports:
        by_subject.setdefault(report.subject, []).append(report)
    models = [_Model(i, said) for i, said in enumerate(by_subject.values(), 1)]
    found = (v for model in models for v in model.vulnerabilities())
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial.urn,
        "version": 1,
        "metadata": {
            "timestamp": time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [_tool()]},
        },
        "components": [model.component() for model in models],
        "vulnerabilities": list({dumps(v): v for v in found}.values()),  # each once: the schema's
    }
    return dumps(bom, indent=1, allow_nan=False).encode() + b"\n"


class _Model:
    """A subject, in all that was said of it. ``number`` makes its references its own."""

    def __init__(self, number: int, reports: Sequence[Report]) -> None:
        self._ref = f"model-{number}"
        self._reports = reports
        files = (file for report in reports for file in report.files)
        self._files = {file.path: file for file in files}

    def component(self) -> dict[str, Any]:
        subject = self._reports[0].subject
        component: dict[str, Any] = {
            "type": "machine-learning-model",
            "bom-ref": self._ref,
            "name": plain(subject) or "model",
            "modelCard": self._card(),
        }
        if subject.startswith(_HUB):
            component["purl"] = _hub_purl(subject)
        if len(self._files) == 1:
            component |= _hashes(*self._files.values())
        files = [self._file(file) for file in self._files.values()]
        return component | ({"components": files} if files else {})

    def vulnerabilities(self) -> Iterator[dict[str, Any]]:
        for report in self._reports:
            for finding in report.findings:
                yield self._vulnerability(finding)
            for accepted in report.accepted:
                answered = {"response": ["will_not_fix"], "detail": plain(accepted.why)}
                yield self._vulnerability(accepted.finding) | {"analysis": answered}

    def _card(self) -> dict[str, Any]:
        said = [("credenza:examination", r.examination) for r in self._reports]
        said += [("credenza:root", r.root) for r in self._reports if r.root]
        said += [("credenza:looked-at", line) for r in self._reports for line in r.covered]
        said += [("credenza:unread", str(u)) for r in self._reports for u in r.unread]
        return {"properties": _properties(said)}

    def _file(self, file: Examined) -> dict[str, Any]:
        said = [("credenza:size", str(file.size)), ("credenza:format", file.format)]
        component: dict[str, Any] = {
            "type": "file",
            "bom-ref": self._file_ref(file.path),
            "name": plain(file.path) or "file",
            "properties": _properties((name, value) for name, value in said if value),
        }
        return component | _hashes(file)

    def _file_ref(self, path: str) -> str:
        return f"{self._ref}/{quote(path, errors='backslashreplace')}"

    def _vulnerability(self, finding: Finding) -> dict[str, Any]:
        known, file = rule(finding.rule), finding.where.file
        ref = self._file_ref(file) if file in self._files and file is not None else self._ref
        said = (
            ("credenza:fingerprint", finding.fingerprint),
            ("credenza:where", str(finding.where)),
        )
        return {
            "id": finding.rule,
            "source": _SOURCE,
            "ratings": [
                {"source": _SOURCE, "severity": _SEVERITIES[finding.severity], "method": "other"}
            ],
            "cwes": cwes(known),
            "description": plain(str(finding)),
            "detail": known.meaning,
            "recommendation": plain(finding.remedy),
            "affects": [{"ref": ref}],
            "properties": _properties((name, value) for name, value in said if value),
        }


def _tool() -> dict[str, str]:
    return {"type": "application", "name": "credenza", "version": credenza.__version__}


def _hashes(file: Examined) -> dict[str, Any]:
    return {"hashes": [{"alg": "SHA-256", "content": file.sha256}]} if file.sha256 else {}


def _properties(said: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": plain(value)} for name, value in said]


def _hub_purl(url: str) -> str:
    """The package URL of a model on the hub: purl-spec, types/huggingface-definition.json."""
    name, _, revision = "/".join(url.removeprefix(_HUB).split("/")[:2]).partition("@")
    return f"pkg:huggingface/{quote(name)}" + (f"@{quote(revision)}" if revision else "")
