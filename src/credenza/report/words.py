"""The words that every rendering shares."""

from __future__ import annotations

from credenza.findings import Report

NOTHING = "nothing"
NOTHING_KNOWN = "nothing that it knows of"


def verdict(report: Report) -> str:
    """The sentence that sums a report up. It never says that the subject is good."""
    if report.worst is None and not report.covered:
        sentence = "Nothing was looked at"
    elif report.worst is None:
        sentence = "No finding under these tests"
    else:
        count = len(report.findings)
        sentence = f"{count} finding{'s' if count > 1 else ''}, worst: {report.worst.value}"
    if report.uncovered:
        sentence += f"; {len(report.uncovered)} not looked at"
    return sentence
