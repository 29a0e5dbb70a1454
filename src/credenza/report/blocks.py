"""The parts of a page, each a value that knows how it looks in HTML."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from credenza.catalogue import rule
from credenza.errors import InputError
from credenza.findings import Examined, Figure, Finding, Picture, Report, plain
from credenza.report.interface import Block
from credenza.report.pixels import data_uri
from credenza.report.words import (
    NOTHING,
    NOTHING_KNOWN,
    alike,
    not_seen,
    places,
    shortened,
    unread,
    verdict,
)

_SMALL = 64  # pixels; a picture narrower than this is shown enlarged, its pixels kept square
_MOST = 500  # findings or files; a browser gets slow with many thousands
_HEAT = 0.72  # opacity of the fullest cell, at which ink on it still has a contrast of 4.5 to 1


class Tone(enum.Enum):
    """How a figure should strike the eye."""

    NEUTRAL = "neutral"
    COOL = "cool"
    WARM = "warm"


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs of text."""

    paragraphs: tuple[str, ...]

    def html(self) -> str:
        return "".join(f"<p>{safe(p)}</p>" for p in self.paragraphs)


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure as a person writes it, and under it what it is."""

    value: str
    label: str
    tone: Tone = Tone.NEUTRAL


@dataclass(frozen=True, slots=True)
class Headline:
    """The few figures that are seen before all else, large."""

    tiles: tuple[Tile, ...]

    def html(self) -> str:
        tiles = "".join(
            f'<div class="tile {t.tone.value}"><dt>{safe(t.label)}</dt>'
            f"<dd>{safe(t.value)}</dd></div>"
            for t in self.tiles
        )
        return f'<dl class="headline">{tiles}</dl>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under columns. The first cell of a row is its name.

    ``numbers`` are the indices of columns that are set flush right. Raises `InputError` for a row
    that has not one cell a column.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError(f"table: {len(self.columns)} cells expected, {len(row)} given")

    def html(self) -> str:
        head = "".join(
            f'<th scope="col"{self._class(i)}>{safe(c)}</th>' for i, c in enumerate(self.columns)
        )
        body = "".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        name = safe(self.caption or ", ".join(self.columns))
        caption = f"<caption>{safe(self.caption)}</caption>" if self.caption else ""
        return (
            f'<div class="scroll" role="region" tabindex="0" aria-label="{name}">'
            f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _row(self, row: tuple[str, ...]) -> str:
        first = f'<th scope="row"{self._class(0)}>{safe(row[0])}</th>' if row else ""
        rest = (f"<td{self._class(i)}>{safe(c)}</td>" for i, c in enumerate(row[1:], 1))
        return first + "".join(rest)

    def _class(self, column: int) -> str:
        return ' class="number"' if column in self.numbers else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A bar for each series of each row, all on one scale from 0.

    ``rows`` are a name and a value (≥ 0, finite) for each of ``series``. The first series is
    drawn warm, the others cool: what it costs without, what it costs with. ``unit`` stands
    before a value (``€``), ``digits`` are the decimal places.
    """

    caption: str
    series: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    unit: str = ""
    digits: int = 0

    def __post_init__(self) -> None:
        for name, values in self.rows:
            if len(values) != len(self.series):
                raise InputError(
                    f"bars: {len(self.series)} values expected, {len(values)} given for {name!r}"
                )
            if not all(math.isfinite(v) and v >= 0 for v in values):
                raise InputError(f"bars: finite values of 0 or more expected for {name!r}")

    def html(self) -> str:
        most = max((v for _, values in self.rows for v in values), default=0) or 1
        groups = "".join(self._group(name, values, most) for name, values in self.rows)
        return (
            f'<figure class="bars"><figcaption>{safe(self.caption)}</figcaption>'
            f"<table>{groups}</table></figure>"
        )

    def _group(self, name: str, values: tuple[float, ...], most: float) -> str:
        title = f'<tr><th scope="rowgroup" colspan="3">{safe(name)}</th></tr>'
        pairs = enumerate(zip(self.series, values, strict=True))
        bars = "".join(self._bar(i, series, value, most) for i, (series, value) in pairs)
        return f"<tbody>{title}{bars}</tbody>"

    def _bar(self, index: int, series: str, value: float, most: float) -> str:
        tone = Tone.COOL if index else Tone.WARM
        return (
            f'<tr><th scope="row">{safe(series)}</th><td class="track">'
            f'<svg class="bar {tone.value}" width="100%" height="14" aria-hidden="true">'
            f'<rect width="{100 * value / most:.2f}%" height="14" rx="2"/></svg></td>'
            f'<td class="number">{safe(self.unit)}{value:,.{self.digits}f}</td></tr>'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Counts as a heat map: what was (rows) against what was read (columns).

    Where rows and columns have the same names, the diagonal is cool and all else warm. A cell's
    depth goes with the square root of its share of its row, so that few among many are still seen.
    ``marked`` are cells (row, column) to draw a frame around.
    """

    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    row_title: str = "written"
    column_title: str = "read"
    marked: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.rows) or any(
            len(row) != len(self.columns) or min(row, default=0) < 0 for row in self.counts
        ):
            raise InputError(
                f"matrix: {len(self.rows)} by {len(self.columns)} counts of 0 or more expected"
            )

    def html(self) -> str:
        width, height = 40 * len(self.columns) + 64, 40 * len(self.rows) + 64
        cells = "".join(
            self._cell(r, c) for r in range(len(self.rows)) for c in range(len(self.columns))
        )
        return (
            f'<figure class="matrix"><svg viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{safe(self._spoken())}">{self._axes()}{cells}</svg>'
            f"<figcaption>{safe(self.caption)}</figcaption></figure>"
        )

    def _axes(self) -> str:
        middle_x, middle_y = 64 + 20 * len(self.columns), 64 + 20 * len(self.rows)
        names = [
            f'<text class="axis" x="{middle_x}" y="16">{safe(self.column_title)}</text>',
            f'<text class="axis" transform="translate(14 {middle_y}) rotate(-90)">'
            f"{safe(self.row_title)}</text>",
        ]
        names += [
            f'<text class="label" x="{84 + 40 * i}" y="50">{safe(name)}</text>'
            for i, name in enumerate(self.columns)
        ]
        names += [
            f'<text class="label" x="44" y="{89 + 40 * i}">{safe(name)}</text>'
            for i, name in enumerate(self.rows)
        ]
        return "".join(names)

    def _cell(self, row: int, column: int) -> str:
        count = self.counts[row][column]
        x, y = 64 + 40 * column, 64 + 40 * row
        tone = Tone.WARM if self.rows == self.columns and row != column else Tone.COOL
        depth = _HEAT * math.sqrt(count / sum(self.counts[row])) if count else 0
        frame = ' class="marked"' if (row, column) in self.marked else ""
        number = f'<text x="{x + 20}" y="{y + 25}">{count}</text>' if count else ""
        return (
            f'<g{frame}><rect class="cell" x="{x + 1}" y="{y + 1}" width="38" height="38" rx="3"/>'
            f'<rect class="heat {tone.value}" x="{x + 1}" y="{y + 1}" width="38" height="38" '
            f'rx="3" fill-opacity="{depth:.3f}"/>{number}</g>'
        )

    def _spoken(self) -> str:
        rows = (
            f"{self.row_title} {name}: "
            + ", ".join(
                f"{n} {self.column_title} {c}" for n, c in zip(row, self.columns, strict=True) if n
            )
            for name, row in zip(self.rows, self.counts, strict=True)
        )
        return f"{self.caption}. {'; '.join(rows)}."


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures side by side, each with its title under it."""

    pictures: tuple[Picture, ...]
    caption: str = ""

    def html(self) -> str:
        caption = f'<p class="caption">{safe(self.caption)}</p>' if self.caption else ""
        return f'<div class="pictures">{"".join(_picture(p) for p in self.pictures)}</div>{caption}'


@dataclass(frozen=True, slots=True)
class Beside:
    """Blocks next to each other where the page is wide enough, else one under the other."""

    blocks: tuple[Block, ...]

    def html(self) -> str:
        return f'<div class="beside">{"".join(f"<div>{b.html()}</div>" for b in self.blocks)}</div>'


@dataclass(frozen=True, slots=True)
class Findings:
    """A report: its verdict, its findings worst first, and what was and was not looked at.

    Findings that differ in their place alone are one. Of more than 500 findings or files it says
    how many more there are, and of many places that one finding has or that were not seen for one
    reason, so that a page on 10,000 files stays light.
    """

    report: Report

    def html(self) -> str:
        report = self.report
        tone = "none" if report.worst is None else report.worst.value
        groups = alike(report.findings)
        root = f'<p class="root">root <code>{safe(report.root)}</code></p>' if report.root else ""
        sentence = safe(f"{report.examination}: {verdict(report)}")
        return (
            f'<p class="verdict {tone}">{sentence}</p>{root}'
            + "".join(_findings(group) for group in groups[:_MOST])
            + _more(_MOST + sum(map(len, groups[_MOST:])), "findings")
            + _pictures(report.pictures)
            + _figures(report.figures)
            + self._coverage()
            + _files(report.files)
        )

    def _coverage(self) -> str:
        report, seen = self.report, not_seen(self.report)
        accepted = shortened(map(str, report.accepted))
        left = shortened(unread(report))
        return (
            '<div class="coverage">'
            + _listed("Looked at", report.covered or (NOTHING,))
            + (_listed("Unread", left) if left else "")
            + _listed("Not looked at", shortened(seen) or (NOTHING_KNOWN,))
            + (_listed("Accepted", accepted) if accepted else "")
            + "</div>"
        )


def safe(text: str) -> str:
    """``text`` for HTML, as content or as an attribute in double quotes."""
    return escape(plain(text))


def _findings(group: Sequence[Finding]) -> str:
    """Findings that are alike, as one."""
    finding = group[0]
    known = rule(finding.rule)
    sides = (
        *(("Where", place) for place in places(group)),
        ("Expected", finding.expected),
        ("Found", finding.found),
    )
    told = "".join(f"<dt>{n}</dt><dd>{safe(side)}</dd>" for n, side in sides if side)
    references = ", ".join((finding.rule, *known.references))
    return (
        f'<article class="finding {finding.severity.value}">'
        f'<h3><span class="severity">{finding.severity.value}</span> {safe(finding.what)}</h3>'
        + (f'<dl class="sides">{told}</dl>' if told else "")
        + _pictures(finding.pictures)
        + _figures(finding.figures)
        + f'<p class="remedy">{safe(finding.remedy)}</p>'
        f"<details><summary>{safe(known.title)}</summary><p>{safe(known.meaning)}</p>"
        f'<p class="references">{safe(references)}</p></details></article>'
    )


def _more(count: int, what: str) -> str:
    return f"<p>and {count - _MOST:,} {what} more</p>" if count > _MOST else ""


def _files(files: tuple[Examined, ...]) -> str:
    if not files:
        return ""
    table = Table(
        columns=("file", "bytes", "what it is", "looked at by", "SHA-256"),
        rows=tuple(
            (f.path, f"{f.size:,}", f.format or "not known", ", ".join(f.checks), f.sha256)
            for f in files[:_MOST]
        ),
        numbers=(1,),
    )
    return (
        f"<details><summary>{len(files):,} files</summary>{table.html()}"
        f"{_more(len(files), 'files')}</details>"
    )


def _pictures(pictures: tuple[Picture, ...]) -> str:
    return Pictures(pictures).html() if pictures else ""


def _picture(picture: Picture) -> str:
    size = "small" if picture.width <= _SMALL else "large"
    return (
        f'<figure class="{size}"><img src="{data_uri(picture)}" width="{picture.width}" '
        f'height="{picture.height}" alt="{safe(picture.title)}">'
        f"<figcaption>{safe(picture.title)}</figcaption></figure>"
    )


def _figures(figures: tuple[Figure, ...]) -> str:
    if not figures:
        return ""
    rows = tuple((f.name, _value(f), _interval(f), f.definition) for f in figures)
    columns = ("figure", "value", "95 % interval", "what was measured")
    kept = [i for i in range(4) if i < 2 or any(row[i] for row in rows)]
    return Table(
        columns=tuple(columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in rows),
        numbers=(1,),
    ).html()


def _value(figure: Figure) -> str:
    return f"{figure.value:.4g}{f' {figure.unit}' if figure.unit else ''}"


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{figure.low:.4g} to {figure.high:.4g}"


def _listed(title: str, items: Sequence[str]) -> str:
    listed = "".join(f"<li>{safe(i)}</li>" for i in items)
    return f"<div><h4>{title}</h4><ul>{listed}</ul></div>"
