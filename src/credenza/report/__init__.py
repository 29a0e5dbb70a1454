"""One set of findings, for each who reads it: a terminal, a program, a person with a browser.

`text`, `json`, `sarif`, `cyclonedx` and `html` render the same reports; a `Gate` says what they
come to. A page of one's own is made of the same parts as `html`'s: a `Page` of `Section`s of
blocks, and `render`. Nothing here prints, and nothing says that a model is good: no finding means
no finding under these tests.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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
    from credenza.report.gate import Gate
    from credenza.report.interface import Block
    from credenza.report.ml_bom import cyclonedx
    from credenza.report.page import Page, Section, html, render
    from credenza.report.pixels import png
    from credenza.report.sarif_log import sarif
    from credenza.report.terminal import text
    from credenza.report.wire import json, schema
    from credenza.report.words import verdict

__all__ = [
    "Bars",
    "Beside",
    "Block",
    "Findings",
    "Gate",
    "Headline",
    "Matrix",
    "Page",
    "Pictures",
    "Prose",
    "Section",
    "Table",
    "Tile",
    "Tone",
    "cyclonedx",
    "html",
    "json",
    "plain",
    "png",
    "render",
    "sarif",
    "schema",
    "text",
    "verdict",
]

_BLOCKS: Final = "Bars Beside Findings Headline Matrix Pictures Prose Table Tile Tone"
_MODULES: Final = {
    **dict.fromkeys(_BLOCKS.split(), "report.blocks"),
    **dict.fromkeys(("Page", "Section", "html", "render"), "report.page"),
    **dict.fromkeys(("json", "schema"), "report.wire"),
    "Block": "report.interface",
    "Gate": "report.gate",
    "cyclonedx": "report.ml_bom",
    "plain": "findings",
    "png": "report.pixels",
    "sarif": "report.sarif_log",
    "text": "report.terminal",
    "verdict": "report.words",
}
"""The module of each: a command that prints text does without pages, which take 60 ms."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'credenza.report' has no attribute {name!r}")
    return getattr(importlib.import_module(f"credenza.{_MODULES[name]}"), name)
