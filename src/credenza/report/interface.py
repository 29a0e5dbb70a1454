"""What a page is built of."""

from __future__ import annotations

from typing import Protocol


class Block(Protocol):
    """A part of a page: a table, a chart, a row of pictures. It is a value."""

    def html(self) -> str:
        """The block as HTML, with all text escaped, no script, no style and nothing to fetch."""
        ...
