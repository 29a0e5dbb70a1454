from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import pytest

from credenza.errors import InputError
from credenza.findings import Examined
from credenza.report import (
    Bars,
    Beside,
    Block,
    Findings,
    Headline,
    Matrix,
    Page,
    Pictures,
    Prose,
    Section,
    Table,
    Tile,
    Tone,
    html,
    render,
)

from .samples import BAD, COLOUR, GREY, HOSTILE, QUIET, hostile
from .test_schemas import SCANNED

_VOID = {"meta", "img", "rect"}
_ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav"),
    *("section", "article", "details", "summary", "div", "p", "h1", "h2", "h3", "h4", "ul", "li"),
    *("a", "dl", "dt", "dd", "code", "span", "figure", "figcaption", "img", "table", "caption"),
    *("thead", "tbody", "tr", "th", "td", "svg", "g", "rect", "text"),
}


class _Reader(HTMLParser):
    """Holds a page to well-nested known elements, and collects their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _ALLOWED
        assert len({name for name, _ in attrs}) == len(attrs)
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


def read(page: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader.seen


def blocks(name: str) -> tuple[Block, ...]:
    """One of each kind, with ``name`` wherever there is text."""
    return (
        Prose((name,)),
        Headline((Tile(name, name, Tone.WARM),)),
        Table(columns=(name, "n"), rows=((name, "1"),), caption=name, numbers=(1,)),
        Bars(caption=name, series=(name, "with"), rows=((name, (3.0, 1.5)),), unit=name),
        Matrix(
            caption=name,
            rows=("2", name),
            columns=("2", name),
            counts=((9, 0), (4, 5)),
            row_title=name,
            column_title=name,
            marked=((1, 0),),
        ),
        Beside((Pictures((GREY, COLOUR), name), Prose((name,)))),
        Findings(hostile() if name == HOSTILE else BAD),
    )


@pytest.mark.parametrize("name", ["head.weight", HOSTILE])
def test_every_block_is_well_formed_and_holds_nothing_that_runs_or_fetches(name: str) -> None:
    page = render(Page(name, name, (Section(name, blocks(name), name),) * 3, blocks(name), name))

    for _, attributes in read(page):
        assert not [a for a in attributes if a.startswith("on") or a in ("style", "srcset")]
        for link in (attributes.get("src"), attributes.get("href")):
            assert link is None or link.startswith(("data:image/png;base64,", "#s"))
    assert all(line.isprintable() for line in page.partition("</style>")[2].split("\n"))
    assert "://" not in page


def test_policy_allows_the_style_by_its_hash_and_pictures_only() -> None:
    page = html([BAD])
    style = re.search("<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()

    policy = next(a["content"] for t, a in read(page) if a.get("http-equiv"))

    assert policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_same_page_gives_the_same_text() -> None:
    assert html([BAD, QUIET]) == html([BAD, QUIET])


def test_pictures_and_charts_say_in_words_what_they_show() -> None:
    seen = read(render(Page("t", "l", (Section("s", blocks("five")),))))

    assert all(a["alt"] for t, a in seen if t == "img")
    assert all(a.get("aria-label") or a.get("aria-hidden") for t, a in seen if t == "svg")
    assert all(a["scope"] for t, a in seen if t == "th")


def test_a_matrix_is_read_out_by_its_counts() -> None:
    matrix = Matrix(caption="After", rows=("2", "5"), columns=("2", "5"), counts=((9, 0), (4, 5)))

    [(_, svg)] = [(t, a) for t, a in read(matrix.html()) if t == "svg"]
    assert svg["aria-label"] == "After. written 2: 9 read 2; written 5: 4 read 2, 5 read 5."
    assert matrix.html().count('"heat warm"') == 2


def test_findings_show_what_was_and_was_not_looked_at() -> None:
    quiet, bad = Findings(QUIET).html(), Findings(BAD).html()

    assert "400 canaries" in quiet
    assert "nothing that it knows of" in quiet
    assert bad.index("4 bytes differ") < bad.index("one tensor more")
    assert "1 tensor on another device" in bad


def test_bars_are_on_one_scale() -> None:
    chart = Bars(caption="", series=("a", "b"), rows=(("x", (4.0, 1.0)), ("y", (2.0, 0.0))))

    assert re.findall(r'rect width="([\d.]+)%', chart.html()) == [
        "100.00",
        "25.00",
        "50.00",
        "0.00",
    ]


def test_bars_that_are_all_zero_are_drawn() -> None:
    chart = Bars(caption="", series=("a",), rows=(("x", (0.0,)),))

    assert 'rect width="0.00%' in chart.html()


def test_contents_stand_over_a_long_page_only() -> None:
    section = Section("s", ())

    assert "<nav" not in render(Page("t", "l", (section,) * 2))
    assert "<nav" in render(Page("t", "l", (section,) * 3))


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_bar_that_cannot_be_drawn_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="finite values of 0 or more"):
        Bars(caption="", series=("a",), rows=(("x", (value,)),))


def test_ragged_rows_are_refused() -> None:
    with pytest.raises(InputError, match="2 cells expected, 1 given"):
        Table(columns=("a", "b"), rows=(("x",),))
    with pytest.raises(InputError, match="2 values expected, 1 given"):
        Bars(caption="", series=("a", "b"), rows=(("x", (1.0,)),))
    with pytest.raises(InputError, match="1 by 2 counts"):
        Matrix(caption="", rows=("a",), columns=("a", "b"), counts=((1,),))


def test_a_scan_shows_its_files_what_was_not_read_and_what_is_accepted() -> None:
    page = Findings(SCANNED).html()
    read(page)

    assert "<summary>2 files</summary>" in page
    assert "0a" * 32 in page
    assert "<h4>Unread</h4><ul><li>c.pkl: it breaks off</li></ul>" in page
    assert "<h4>Not looked at</h4><ul><li>d.xyz: no format that is known here</li></ul>" in page
    assert "found four): allowed by Ada</li>" in page


def test_a_page_on_many_files_and_findings_is_light() -> None:
    files = tuple(Examined(path=f"{i}.xyz", size=i) for i in range(10_000))
    lines = tuple(f"{f.path}: no format that is known here" for f in files)
    first = SCANNED.findings[0]
    many = tuple(dataclasses.replace(first, found=str(i)) for i in range(10_000))
    scan = dataclasses.replace(SCANNED, files=files, uncovered=lines, findings=many)
    page = html([scan])
    read(page)

    assert len(page) < 1_000_000
    assert "and 9,500 files more" in page
    assert "and 9,500 findings more" in page

    alike = dataclasses.replace(SCANNED, findings=SCANNED.findings[:1] * 10_000)
    assert html([alike]).count('<article class="finding') == 1
    assert "<dd>and 9,996 places more</dd>" in html([alike])
