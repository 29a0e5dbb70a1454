"""A page in one file: no network, no script, nothing that runs."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import credenza
from credenza.catalogue import VERSION
from credenza.files import packaged
from credenza.findings import Report
from credenza.report.blocks import Findings, safe
from credenza.report.interface import Block


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A title, one sentence under it, blocks that open the page, and its sections.

    ``note`` is the small print at the end: when, with which seed, on what.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    opening: tuple[Block, ...] = ()
    note: str = ""


def html(reports: Sequence[Report], *, title: str = "Credenza") -> str:
    """``reports`` as a page that stands alone, a section for each."""
    sections = tuple(Section(f"{r.examination}: {r.subject}", (Findings(r),)) for r in reports)
    lead = "What was looked at, what was found, and what could not be seen."
    return render(Page(title, lead, sections))


def render(page: Page) -> str:
    """``page`` as HTML; the same page gives the same text.

    Its content security policy allows nothing but pictures in the page and the one style sheet in
    it, by its hash, so that even markup that slipped through an escape could neither run nor fetch.
    """
    style = _style()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{_digest(style)}'"
    sections = "".join(_section(i, s) for i, s in enumerate(page.sections))
    note = f"<p>{safe(page.note)}</p>" if page.note else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{safe(page.title)}</title><style>{style}</style></head><body>"
        f'<header><h1>{safe(page.title)}</h1><p class="lead">{safe(page.lead)}</p>'
        f"{_contents(page.sections)}</header>"
        f"<main>{''.join(b.html() for b in page.opening)}{sections}</main>"
        f"<footer>{note}<p>credenza {credenza.__version__}, rules of {VERSION}. "
        "No finding means no finding under these tests.</p></footer></body></html>\n"
    )


def _section(index: int, section: Section) -> str:
    lead = f'<p class="lead">{safe(section.lead)}</p>' if section.lead else ""
    blocks = "".join(b.html() for b in section.blocks)
    return f'<section id="s{index}"><h2>{safe(section.title)}</h2>{lead}{blocks}</section>'


def _contents(sections: tuple[Section, ...]) -> str:
    if len(sections) < 3:  # a page of two sections is seen at a glance
        return ""
    links = "".join(f'<li><a href="#s{i}">{safe(s.title)}</a></li>' for i, s in enumerate(sections))
    return f'<nav aria-label="Sections"><ul>{links}</ul></nav>'


@functools.cache
def _style() -> str:
    return packaged("credenza.report", "style.css")


def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
