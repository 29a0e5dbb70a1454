"""What is said of an encrypted model that is refused."""

from __future__ import annotations

from pathlib import Path

from credenza.findings import Finding, Report, Severity, Where
from credenza.seal.contents import Sealed
from credenza.seal.differences import Differences, report
from credenza.seal.signing import ENCRYPTED_NAME
from credenza.seal.tree import SealedFile, Segment

PAYLOAD_NAME = "payload"


def header_refused(path: Path, found: str) -> Report:
    """The header is not what was written."""
    finding = Finding(
        rule="seal.encrypted-header",
        severity=Severity.CRITICAL,
        what="the header is not as it was written",
        where=Where(file=ENCRYPTED_NAME),
        found=found,
    )
    return _report(path, finding)


def payload_refused(
    path: Path, what: str, start: int, stop: int, *, expected: str = "", found: str = ""
) -> Report:
    """Those bytes of the payload are not what was encrypted."""
    finding = Finding(
        rule="seal.encrypted-payload",
        severity=Severity.CRITICAL,
        what=what,
        where=Where(file=PAYLOAD_NAME, start=start, stop=stop),
        expected=expected,
        found=found,
    )
    return _report(path, finding)


def chunk_refused(
    sealed: Sealed, file: SealedFile, segment: Segment, index: int, found: bytes
) -> Report:
    """A chunk of a segment is not the sealed one; ``found`` is the digest that it has."""
    before, after = segment.chunks[: index * 32], segment.chunks[(index + 1) * 32 :]
    findings = Differences()(file, segment, before + found + after)
    return report(sealed, findings, looked="every chunk up to the first that differs")


def _report(path: Path, finding: Finding) -> Report:
    return Report(
        examination="decrypt",
        subject=str(path),
        covered=("the encrypted model up to the first difference",),
        uncovered=("what comes after it",),
        findings=(finding,),
    )
