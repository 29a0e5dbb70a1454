"""Scanning beside the scanners: what is found, who is accused, and how long it takes."""

from __future__ import annotations


def run(*, full: bool) -> None:
    # Imported late: the peers' environment imports this package for `shots`, and has no credenza.
    from benchmarks.scan import table

    table.measure(full=full)
