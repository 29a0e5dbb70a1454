"""Reports that the tests of this room render."""

from __future__ import annotations

from credenza.findings import Figure, Finding, Picture, Report, Severity, Where

HOSTILE = (
    "<script>alert('1')</script>\" onload=\"x\x1b]0;own\x07\x9b31m\u202egpj\n\udcff\u2028&amp;"
)

GREY = Picture(title="grey", width=3, height=2, channels=1, pixels=bytes(range(6)))
COLOUR = Picture(title="colour", width=2, height=2, channels=3, pixels=bytes(range(100, 112)))

WORSE = Finding(
    rule="guard.parameter-changed",
    severity=Severity.CRITICAL,
    what="4 bytes differ",
    where=Where(tensor="head.weight", rows=(2,)),
    expected="aa",
    found="bb",
    figures=(Figure(name="bytes", value=4.0, low=3.0, high=5.0, definition="counted"),),
    pictures=(GREY,),
)
MILDER = Finding(rule="guard.parameter-added", severity=Severity.LOW, what="one tensor more")

BAD = Report(
    examination="guard",
    subject="reader",
    covered=("12 tensors",),
    uncovered=("1 tensor on another device",),
    findings=(MILDER, WORSE),
    pictures=(COLOUR,),
    root="ab" * 32,
)
QUIET = Report(examination="probe", subject="reader", covered=("400 canaries",))


def hostile() -> Report:
    """A report in which every text is an attacker's."""
    finding = Finding(
        rule="guard.parameter-changed",
        severity=Severity.HIGH,
        what=HOSTILE,
        where=Where(file=HOSTILE, tensor=HOSTILE),
        expected=HOSTILE,
        found=HOSTILE,
        figures=(Figure(name=HOSTILE, value=float("nan"), unit=HOSTILE, definition=HOSTILE),),
        pictures=(Picture(title=HOSTILE, width=1, height=1, channels=1, pixels=b"\0"),),
        remedy=HOSTILE,
    )
    return Report(
        examination=HOSTILE,
        subject=HOSTILE,
        covered=(HOSTILE,),
        uncovered=(HOSTILE,),
        findings=(finding,),
        figures=finding.figures,
        pictures=finding.pictures,
        root=HOSTILE,
    )
