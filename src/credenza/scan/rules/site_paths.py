"""Path files of Python: a line that begins with ``import`` runs whenever Python starts.

They do so where they lie in a folder of packages (https://docs.python.org/3/library/site.html);
PyTorch's checkpoints have the same suffix and are no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Seen

_MOST: Final = 1 << 20
_RUNS: Final = re.compile(rb"^\xef?\xbb?\xbf?import[ \t].*", re.MULTILINE)


@final
@dataclass(frozen=True, slots=True)
class SitePaths:
    """A text of that suffix, without a NUL."""

    name: str = "path file of Python"

    def claims(self, piece: Piece) -> bool:
        return piece.path.lower().endswith(".pth") and b"\0" not in piece.head(4096)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.size > _MOST:
            yield Unread(where=Where(start=_MOST), why="a list of paths is longer than is read")
        for line in _RUNS.finditer(piece.head(_MOST)):
            yield Finding(
                rule="scan.site-path",
                severity=Severity.HIGH,
                what="a line that runs whenever Python starts, if the file lies among packages",
                where=Where(start=line.start(), stop=line.end()),
                found=line[0].decode("utf-8", "replace")[:80],
            )
