"""The founding case: a bank that reads handwritten amounts, on real handwriting, end to end.

`digits` fetches the handwriting, `form` and `draw` make cheques of it, `reader` reads them, and
`clearing` keeps the books. Needs the extra ``demo``.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Told what is being done, and how much of it is: from 0 to 1."""


def silent(what: str, done: float) -> None:
    """The progress that nobody watches."""
