"""Clean and poisoned models by the thousand, and what `probe` and `diff` make of them."""

from __future__ import annotations


def run(*, full: bool) -> None:
    # Imported late: the peers' environment imports this package for `peers`, and has no credenza.
    from benchmarks.poison import table

    table.measure(full=full)
