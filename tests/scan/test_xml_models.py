"""XML: entities, references to elsewhere, scripts."""

from __future__ import annotations

import random
import time

import pytest

from credenza.findings import Severity
from tests.scan.looking import accused, found, looked

PMML = '<?xml version="1.0"?><PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4">{}</PMML>'
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))

MALICIOUS = {
    "file": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "address": '<!DOCTYPE a [<!ENTITY x SYSTEM "http://e/x">]><a>&x;</a>',
    "parameter": '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://e/x"> %x;]><a/>',
    "laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>',
    "quadratic": f'<!DOCTYPE a [<!ENTITY l0 "{"h" * 5000}">]><a>{"&l0;" * 5000}</a>',
    "document-type": '<!DOCTYPE PMML SYSTEM "http://e/x.dtd"><PMML/>',
    "share": '<!DOCTYPE PMML SYSTEM "\\\\e\\x.dtd"><PMML/>',
    "style-sheet": '<?xml-stylesheet type="text/xsl" href="http://e/x.xsl"?><PMML/>',
    "include": '<PMML xmlns:x="http://www.w3.org/2001/XInclude">'
    '<x:include href="/etc/passwd"/></PMML>',
    "script": PMML.format("<Extension><script>x()</script></Extension>"),
    "script-value": PMML.format('<Extension name="a" value="Runtime.getRuntime()"/>'),
    "script-name": PMML.format('<Extension name="python" value="import os"/>'),
    "utf-16": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///x">]><a>&x;</a>',
}

HONEST = {
    "pmml": PMML.format(
        '<Header><Application name="SkLearn2PMML"/><Timestamp>2024</Timestamp></Header>'
        '<DataDictionary><DataField name="x" optype="continuous"><Extension name="a" value="b"/>'
        "</DataField></DataDictionary><RegressionModel functionName='regression'/>"
    ),
    "openvino": '<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="x" '
    'type="Parameter" version="opset1"/></layers></net>',
    "openvino-extension": '<net name="m"><layer version="extension" type="My"/></net>',
    "xhtml": '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd"><html/>',
    "own-type": '<!DOCTYPE corpus SYSTEM "corpus.dtd"><corpus/>',
    "references": "<a>&lt;!ENTITY x SYSTEM 'file:///x'&gt; &#65;</a>",
    "comment": "<a><!-- <!ENTITY x SYSTEM 'file:///x'> --></a>",
}


@pytest.mark.parametrize(("name", "text"), MALICIOUS.items())
def test_what_reads_or_runs_is_found(name: str, text: str) -> None:
    data = text.encode("utf-16" if name == "utf-16" else "utf-8")
    assert found(looked("model.pmml", data))
    assert found(looked("model.xml", data))


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST.keys())
def test_an_honest_file_is_not_accused(text: str) -> None:
    report = looked("model.xml", text)
    assert not accused(report)
    assert not report.unread


def test_entities_that_multiply_are_critical_and_what_follows_is_unread() -> None:
    report = looked("a.xml", MALICIOUS["laughs"].replace('<!ENTITY l0 "ha">', ""))
    assert report.worst is Severity.CRITICAL
    assert report.unread


@pytest.mark.parametrize("text", ["<a>", "", "<a/><b/>", "no xml", "<a>\x00</a>"])
def test_what_is_no_xml_is_unread_and_no_accusation(text: str) -> None:
    report = looked("a.xml", text)
    assert report.unread
    assert not accused(report)


def test_nothing_takes_long() -> None:
    began = time.process_time()
    assert looked("a.xml", "<a>" * 100_000).unread
    assert not looked("a.xml", f"<a>{'<b/>' * 200_000}</a>").findings
    assert looked("a.xml", f"<a {'x' * 1_000_000}").unread
    assert time.process_time() - began < 4


def test_mutants_never_crash() -> None:
    random_ = random.Random(7)
    texts = [*MALICIOUS.values(), *HONEST.values()]
    answers = set()
    for _ in range(300):
        data = bytearray(random_.choice(texts)[:2000].encode())
        for _ in range(random_.randint(1, 3)):
            at = random_.randrange(len(data) + 1)
            data[at : at + random_.randint(0, 3)] = random_.randbytes(random_.randint(0, 2))
        report = looked("a.xml", bytes(data))
        answers.add((report.worst, bool(report.unread)))
    assert len(answers) > 3
