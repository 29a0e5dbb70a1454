from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from credenza.findings import Report
from credenza.report import html, plain, text, verdict

from .samples import BAD, QUIET


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_plain_text_is_printable_and_on_one_line(hostile: str) -> None:
    assert plain(hostile).isprintable()


def test_plain_spells_out_what_would_steer_a_terminal_or_the_eye() -> None:
    assert plain("a\x1b[31m\u202eb\udcff\n") == r"a\x1b[31m\u202eb\udcff\n"
    assert plain("größe 5→2") == "größe 5→2"


def test_verdict_names_the_worst_and_what_was_not_looked_at() -> None:
    assert verdict(BAD) == "2 findings, worst: critical; 1 not looked at"
    assert verdict(QUIET) == "No finding under these tests"


def test_no_evidence_is_not_the_absence_of_findings() -> None:
    blind = Report(examination="scan", subject="reader", covered=(), uncovered=("a.bin: locked",))

    assert verdict(blind) == "Nothing was looked at; 1 not looked at"


def test_no_rendering_calls_a_model_clean_or_safe() -> None:
    for rendered in (text([QUIET]), html([QUIET]).partition("<body>")[2]):
        assert "No finding under these tests" in rendered
        assert not {"clean", "safe", "secure", "ok"} & set(rendered.lower().split())
