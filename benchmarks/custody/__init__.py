"""Sealing, verifying and loading at the speed of reading, beside the tools that do less."""

from __future__ import annotations


def run(*, full: bool) -> None:
    # Imported late: the peers' environment imports this package for `theirs`, and has no credenza.
    from benchmarks.custody import table

    table.measure(full=full)
