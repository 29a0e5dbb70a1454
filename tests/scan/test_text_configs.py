"""spaCy's configurations, and requirements."""

from __future__ import annotations

from credenza.findings import Severity
from tests.scan.looking import looked

SPACY = """[paths]
train = null

[nlp]
lang = "en"
before_creation = null

[components.tok2vec.model]
@architectures = "spacy.Tok2Vec.v2"

[training.optimizer]
@optimizers = "Adam.v1"

[initialize.before_init]
@callbacks = "spacy.copy_from_base_model.v1"
"""


def test_functions_of_spacy_are_no_finding() -> None:
    assert not looked("config.cfg", SPACY).findings


def test_functions_of_somebody_else_want_an_eye() -> None:
    for name in ("evil.Callback.v1", "customize", "spacyx.y.v1"):
        report = looked("config.cfg", SPACY + f'[x]\n@callbacks = "{name}"\n')
        assert [(f.rule, f.severity, f.found) for f in report.findings] == [
            ("scan.config-registry", Severity.MEDIUM, name)
        ]


def test_requirements_from_elsewhere_are_noted_without_their_passwords() -> None:
    text = "numpy==2.0\n--index-url https://me:secret@e.org/simple\nx @ git+https://e.org/x\n"
    report = looked("requirements.txt", text)
    assert [f.severity for f in report.findings] == [Severity.NOTE] * 2
    assert "secret" not in str(report)
    assert not looked("requirements.txt", "numpy==2.0\ntorch>=2\n# https://a.org\n").findings
    assert not looked("notes.txt", text).findings


def test_what_is_no_text_is_unread() -> None:
    assert looked("requirements.txt", b"\xff").unread
