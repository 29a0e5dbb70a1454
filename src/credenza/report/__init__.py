"""One set of findings, for each who reads it: a terminal, a program, a person with a browser.

`text`, `json` and `html` render the same reports. A page of one's own is made of the same parts
as `html`'s: a `Page` of `Section`s of blocks, and `render`. Nothing here prints, and nothing
says that a model is good: no finding means no finding under these tests.
"""

from credenza.findings import plain
from credenza.report.blocks import (
    Bars,
    Beside,
    Findings,
    Headline,
    Matrix,
    Pictures,
    Prose,
    Table,
    Tile,
    Tone,
)
from credenza.report.interface import Block
from credenza.report.page import Page, Section, html, render
from credenza.report.pixels import png
from credenza.report.terminal import text
from credenza.report.wire import json
from credenza.report.words import verdict

__all__ = [
    "Bars",
    "Beside",
    "Block",
    "Findings",
    "Headline",
    "Matrix",
    "Page",
    "Pictures",
    "Prose",
    "Section",
    "Table",
    "Tile",
    "Tone",
    "html",
    "json",
    "plain",
    "png",
    "render",
    "text",
    "verdict",
]
