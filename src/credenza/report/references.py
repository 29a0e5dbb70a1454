"""What a rule's references are in other people's catalogues, and where these say so."""

from __future__ import annotations

import re
from typing import Final

from credenza.catalogue import Rule

MOST_TAGS: Final = 10
"""GitHub shows no more of a rule."""

_PAGES: Final = (
    (re.compile(r"CWE-(\d+)"), r"https://cwe.mitre.org/data/definitions/\1.html"),
    (re.compile(r"(AML\.T\d{4})"), r"https://atlas.mitre.org/techniques/\1"),
    (
        re.compile(r"ML(\d\d):2023"),
        "https://owasp.org/www-project-machine-learning-security-top-10/",
    ),
)
"""Which page says more: the first that a rule has a reference to."""


def cwes(rule: Rule) -> list[int]:
    """The numbers of its weaknesses in the Common Weakness Enumeration."""
    return [int(r.removeprefix("CWE-")) for r in rule.references if r.startswith("CWE-")]


def help_uri(rule: Rule) -> str:
    """The page of the most exact of its references; empty where none has one."""
    for pattern, page in _PAGES:
        for reference in rule.references:
            if match := pattern.fullmatch(reference):
                return match.expand(page)
    return ""


def tags(rule: Rule) -> list[str]:
    """``security`` and its references, as GitHub reads tags (``external/cwe/cwe-502``)."""
    return ["security", *map(_tag, rule.references)][:MOST_TAGS]


def _tag(reference: str) -> str:
    if reference.startswith("CWE-"):
        return f"external/cwe/cwe-{int(reference.removeprefix('CWE-')):03d}"
    return reference
