"""The words that every rendering shares, and how a hostile name is kept from harming a reader."""

from __future__ import annotations

from credenza.findings import Report

NOTHING = "nothing"
NOTHING_KNOWN = "nothing that it knows of"


def plain(text: str) -> str:
    r"""``text`` with all that is not printable spelled out, so ``\x1b`` and ``\u202e`` are seen.

    File and tensor names are an attacker's to choose. A terminal obeys escape sequences, and text
    that runs right to left shows ``gpj.exe`` as ``exe.jpg`` (CVE-2021-42574). What is left are
    printable characters and spaces on one line.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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
