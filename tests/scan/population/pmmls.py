"""PMML: entities that read files, and functions of Java."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from credenza.findings import Severity
from tests.scan.population.interface import COMMAND, NOWHERE, Malicious

_OPEN: Final = '<?xml version="1.0"?>\n'
_BODY: Final = (
    '<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header copyright="{}"/>{}'
    '<DataDictionary><DataField name="x" optype="continuous" dataType="double"/>'
    "</DataDictionary></PMML>"
)


def vectors() -> Iterator[Malicious]:
    laughs = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    java = (
        '<TransformationDictionary><DerivedField name="y" optype="categorical" dataType="string">'
        f'<Apply function="java.lang.Runtime.exec"><Constant>{COMMAND}</Constant></Apply>'
        "</DerivedField></TransformationDictionary>"
    )
    script = f"<Extension name='script' value='{COMMAND}'><script>alert(1)</script></Extension>"
    made = {
        "external entity": f'<!DOCTYPE P [<!ENTITY x SYSTEM "file:///etc/passwd">]>{_body("&x;")}',
        "entity by URL": f'<!DOCTYPE P [<!ENTITY x SYSTEM "{NOWHERE}">]>{_body("&x;")}',
        "parameter entity": f'<!DOCTYPE P [<!ENTITY % x SYSTEM "{NOWHERE}"> %x;]>{_body()}',
        "external type": f'<!DOCTYPE PMML SYSTEM "{NOWHERE}">{_body()}',
        "public type": f'<!DOCTYPE PMML PUBLIC "-//X" "{NOWHERE}">{_body()}',
        "billion laughs": f'<!DOCTYPE P [<!ENTITY l0 "lol">{laughs}]>{_body("&l9;")}',
        "inclusion": _body("x", '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" '
                                'href="file:///etc/passwd" parse="text"/>'),
    }  # fmt: skip
    for name, text in made.items():
        yield _pmml(name, (_OPEN + text).encode())
    wide = _OPEN.replace("?>", ' encoding="UTF-16"?>') + made["external entity"]
    yield _pmml("external entity in UTF-16", wide.encode("utf-16"))
    for name, inner in {"function of Java": java, "script": script}.items():
        yield _pmml(name, (_OPEN + _body("x", inner)).encode(), Severity.MEDIUM)


def _body(copyright_: str = "x", inner: str = "") -> str:
    return _BODY.format(copyright_, inner)


def _pmml(name: str, data: bytes, least: Severity = Severity.HIGH) -> Malicious:
    return Malicious(
        name=f"pmml {name}", category="pmml", reference="scan.md 1, PMML XXE", least=least,
        files=(("model.pmml", data),),
    )  # fmt: skip
