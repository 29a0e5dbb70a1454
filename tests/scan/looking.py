"""Bytes shown to the scan's own rules, as a file of some name."""

from __future__ import annotations

import tempfile
from pathlib import Path

from credenza.findings import Report, Severity
from credenza.scan import scan


def looked(name: str, data: bytes | str) -> Report:
    """What a scan says of one file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return scan(path)


def accused(report: Report) -> bool:
    """Whether anything of medium weight or above speaks against it."""
    return report.worst is not None and report.worst >= Severity.MEDIUM


def found(report: Report) -> bool:
    """Whether the default gate is shut by a finding."""
    return report.worst is not None and report.worst >= Severity.HIGH


def rules(report: Report) -> set[str]:
    return {f.rule for f in report.findings}
